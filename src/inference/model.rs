//! A model bundle as an asset.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
};

use bevy_asset::{
    Asset, AssetId, AssetLoader, AssetPath, Handle, LoadContext, ReadAssetBytesError, io::Reader, uuid_handle,
};
use bevy_ecs::world::{FromWorld, World};
use bevy_reflect::TypePath;
use talkie::{
    animation::{FrameRate, geometry::GeometryParameters},
    emotion::FACE_EMOTIONS,
    inference::{NetworkSource, Runtime},
    model::{
        BundleError, EmotionModelOptions, Manifest, ModelOptions,
        audio2face::{BundleFiles, BundleSource, EmotionBundle},
    },
};

use super::{NetworkDevice, devices::Place};
use crate::background::{Background, WorkLater};

/// A loaded model bundle, to be shared by any number of faces: one of ours, or one of NVIDIA's Audio2Face-3D as it is
/// published.
///
/// Loads from the `model.json` of a bundle folder: `asset_server.load::<FaceModel>("models/voice/model.json")`, with
/// [`ModelOptions`] as settings. The default handle is the embedded default model (feature `default_model`). An official network
/// whose weights lie in a file beside it cannot be loaded as an asset; load the folder with
/// [`talkie::model::FaceModel::load_dir_with`] and wrap it with [`new`](Self::new).
#[derive(Asset, TypePath, Debug, Clone)]
pub struct FaceModel {
    about: Arc<About>,
    /// Only the one batch under way locks it.
    model: Arc<Mutex<talkie::model::FaceModel>>,
}

/// What can be asked without the lock.
#[derive(Debug)]
struct About {
    name: String,
    manifest: Option<Manifest>,
    frame_rate: FrameRate,
    look_ahead_seconds: f64,
    /// Where the emotions that the network takes are among [`FACE_EMOTIONS`].
    emotions: Vec<Option<usize>>,
    /// The parameters of every identity of an official bundle.
    parameters: Vec<(String, GeometryParameters)>,
    is_official: bool,
    place: Place,
}

impl FaceModel {
    /// Wraps a model that is already loaded.
    pub fn new(model: talkie::model::FaceModel) -> Self {
        let index = |name: &String| FACE_EMOTIONS.iter().position(|known| known == name);
        let parameters = model.identities().enumerate().filter_map(|(index, identity)| {
            model.parameters(index).map(|parameters| (identity.to_owned(), *parameters))
        });
        let about = About {
            parameters: parameters.collect(),
            name: model.name().to_owned(),
            manifest: model.manifest().cloned(),
            frame_rate: model.frame_rate(),
            look_ahead_seconds: model.look_ahead_seconds(),
            emotions: model.emotions().iter().map(index).collect(),
            is_official: model.official_info().is_some(),
            place: Place::new(model.name(), model.device(), model.passed_over()),
        };
        Self { about: Arc::new(about), model: Arc::new(Mutex::new(model)) }
    }

    /// What people call the model.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// What the bundle says about itself, if it is one of ours.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.about.manifest.as_ref()
    }

    /// Where its network computes now, and what was passed over before.
    pub fn device(&self) -> Arc<NetworkDevice> {
        self.about.place.get()
    }

    /// Poses per second.
    pub fn frame_rate(&self) -> FrameRate {
        self.about.frame_rate
    }

    /// How much of the future a pose needs at most, in seconds.
    pub fn look_ahead_seconds(&self) -> f64 {
        self.about.look_ahead_seconds
    }

    /// Whether it is a bundle of Audio2Face-3D.
    pub fn is_official(&self) -> bool {
        self.about.is_official
    }

    /// The parameters of the animator that an official bundle has for an identity, or for its first if there is no such one; `None`
    /// for other bundles.
    pub fn parameters(&self, identity: Option<&str>) -> Option<&GeometryParameters> {
        let parameters = &self.about.parameters;
        let named = parameters.iter().find(|(name, _)| Some(name.as_str()) == identity);
        named.or(parameters.first()).map(|(_, parameters)| parameters)
    }

    /// Names of the identities of an official bundle; none for others.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.about.parameters.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the network itself shows emotions.
    pub fn hears_emotions(&self) -> bool {
        !self.about.emotions.is_empty()
    }

    /// An emotion in the order of [`FACE_EMOTIONS`] in that of the network.
    pub(super) fn translated(&self, emotion: &[f32; FACE_EMOTIONS.len()]) -> impl Iterator<Item = f32> {
        self.about.emotions.iter().map(|index| index.map_or(0.0, |index| emotion[index]))
    }

    /// The same for all handles of one loaded model, and for no other that is loaded.
    pub(super) fn key(&self) -> usize {
        Arc::as_ptr(&self.model) as usize
    }

    pub(super) fn shared(&self) -> Arc<Mutex<talkie::model::FaceModel>> {
        self.model.clone()
    }

    pub(super) fn place(&self) -> &Place {
        &self.about.place
    }
}

/// A loaded Audio2Emotion bundle: hears emotions in a voice, for faces whose network takes emotions.
///
/// Loads from the `model.json` of its folder, with [`EmotionModelOptions`] as settings. See
/// [`TalkingFace::emotion_model`](crate::face::TalkingFace::emotion_model).
#[derive(Asset, TypePath, Debug, Clone)]
pub struct EmotionModel {
    look_ahead_seconds: f64,
    place: Place,
    model: Arc<Mutex<talkie::model::EmotionModel>>,
}

impl EmotionModel {
    /// Wraps a model that is already loaded.
    pub fn new(model: talkie::model::EmotionModel) -> Self {
        let place = Place::new("Audio2Emotion", model.device(), model.passed_over());
        Self { look_ahead_seconds: model.look_ahead_seconds(), place, model: Arc::new(Mutex::new(model)) }
    }

    /// Where its network computes now, and what was passed over before.
    pub fn device(&self) -> Arc<NetworkDevice> {
        self.place.get()
    }

    /// How much of the future an emotion needs, in seconds.
    pub fn look_ahead_seconds(&self) -> f64 {
        self.look_ahead_seconds
    }

    pub(super) fn shared(&self) -> Arc<Mutex<talkie::model::EmotionModel>> {
        self.model.clone()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

/// The embedded network for live voices: its poses wait for no sound beyond their own moment.
pub const LIVE_MODEL: Handle<FaceModel> = uuid_handle!("5f0c4b1e-7a52-4d0e-9d1a-2f0b6c7e8a41");

/// Why a bundle could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaceModelError {
    /// `model.json` cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The bundle is not usable.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// Loads [`FaceModel`]s from bundle folders.
#[derive(Debug, Clone, TypePath)]
pub struct FaceModelLoader(WorkLater);

impl FromWorld for FaceModelLoader {
    fn from_world(world: &mut World) -> Self {
        Self(world.get_resource_or_init::<Background>().later())
    }
}

impl AssetLoader for FaceModelLoader {
    type Asset = FaceModel;
    type Settings = ModelOptions;
    type Error = FaceModelError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        settings: &ModelOptions,
        load_context: &mut LoadContext<'_>,
    ) -> Result<FaceModel, FaceModelError> {
        let mut files = Files::read(reader, load_context).await?;
        let _work = self.0.upgrade();
        let model = talkie::model::FaceModel::load_source(&mut files.source(), settings, Runtime::global())?;
        Ok(FaceModel::new(model))
    }

    fn extensions(&self) -> &[&str] {
        &["json"]
    }
}

/// Loads [`EmotionModel`]s from bundle folders.
#[derive(Debug, Clone, TypePath)]
pub struct EmotionModelLoader(WorkLater);

impl FromWorld for EmotionModelLoader {
    fn from_world(world: &mut World) -> Self {
        Self(world.get_resource_or_init::<Background>().later())
    }
}

impl AssetLoader for EmotionModelLoader {
    type Asset = EmotionModel;
    type Settings = EmotionModelOptions;
    type Error = FaceModelError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        settings: &EmotionModelOptions,
        load_context: &mut LoadContext<'_>,
    ) -> Result<EmotionModel, FaceModelError> {
        let mut files = Files::read(reader, load_context).await?;
        let _work = self.0.upgrade();
        let mut source = files.source();
        let bundle = EmotionBundle::load(&mut source)?;
        let (path, onnx) = source.read_any(&bundle.files.network_candidates())?;
        let network = NetworkSource::Bytes(&onnx);
        let model = talkie::model::EmotionModel::new(bundle, network, &path, *settings, Runtime::global())?;
        Ok(EmotionModel::new(model))
    }

    fn extensions(&self) -> &[&str] {
        &["json"]
    }
}

/// The files of a bundle, read as assets.
struct Files {
    folder: std::path::PathBuf,
    /// By their names in `model.json`: the bytes, and how often they will be asked for, or why there are none.
    files: HashMap<String, Result<(Vec<u8>, usize), String>>,
}

impl Files {
    async fn read(reader: &mut dyn Reader, load_context: &mut LoadContext<'_>) -> Result<Self, FaceModelError> {
        let mut json = Vec::new();
        reader.read_to_end(&mut json).await?;
        let path = load_context.path().clone().into_owned();
        let folder = path.path().parent().unwrap_or(Path::new("")).to_owned();
        let label = path.path().to_owned();
        let mut this = Self { folder, files: HashMap::new() };
        if BundleFiles::recognises(&json) {
            let files = BundleFiles::parse(&json, &label)?;
            for name in files.names() {
                this.add(name, &path, load_context).await;
            }
            for name in files.network_candidates() {
                if this.add(&name, &path, load_context).await {
                    break;
                }
            }
        } else {
            let manifest = Manifest::parse(&json, &label)?;
            this.add(&manifest.network, &path, load_context).await;
        }
        this.files.insert("model.json".into(), Ok((json, usize::MAX)));
        Ok(this)
    }

    /// Whether there is such a file.
    async fn add(&mut self, name: &str, beside: &AssetPath<'_>, load_context: &mut LoadContext<'_>) -> bool {
        if let Some(Ok((_, uses))) = self.files.get_mut(name) {
            *uses += 1;
            return true;
        }
        let read = match beside.resolve_embed_str(name) {
            Ok(path) => {
                load_context.read_asset_bytes(path).await.map_err(|error: ReadAssetBytesError| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let is_there = read.is_ok();
        self.files.insert(name.into(), read.map(|bytes| (bytes, 1)));
        is_there
    }

    /// Hands bytes over rather than copying them where nobody asks again: a skin basis has 200 MB.
    fn source(&mut self) -> BundleSource<'_> {
        let files = &mut self.files;
        BundleSource::new(&self.folder, move |name| match files.get_mut(name) {
            Some(Ok((bytes, uses))) if *uses > 1 => {
                *uses -= 1;
                Ok(bytes.clone())
            }
            Some(Ok((bytes, _))) => Ok(core::mem::take(bytes)),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("not among the files of the bundle".into()),
        })
    }
}

#[cfg(feature = "default_model")]
pub(super) use default_model::embed_default;

#[cfg(feature = "default_model")]
mod default_model {
    use core::marker::PhantomData;
    use std::path::Path;

    use bevy_app::{App, PostUpdate, Startup};
    use bevy_asset::{AssetId, Assets, Handle};
    use bevy_ecs::{
        resource::Resource,
        schedule::{IntoScheduleConfigs, common_conditions::resource_exists},
        system::{Commands, Res, ResMut},
    };
    use bevy_tasks::{AsyncComputeTaskPool, Task, futures::check_ready};
    use talkie::{
        inference::Runtime,
        model::{BundleError, Manifest},
    };

    use super::{DefaultModelErrors, FaceModel, LIVE_MODEL};
    use crate::{TalkieSystems, background::Background};

    /// A bundle within the binary, and the handle that stands for it.
    struct Embedded {
        handle: Handle<FaceModel>,
        /// What messages call it.
        name: &'static str,
        manifest: &'static [u8],
        network: &'static [u8],
    }

    static EMBEDDED: [Embedded; 2] = [
        Embedded {
            handle: Handle::Uuid(AssetId::<FaceModel>::DEFAULT_UUID, PhantomData),
            name: "embedded default model",
            manifest: include_bytes!("../../assets/models/voice/model.json"),
            network: include_bytes!("../../assets/models/voice/network.onnx"),
        },
        Embedded {
            handle: LIVE_MODEL,
            name: "embedded live model",
            manifest: include_bytes!("../../assets/models/voice_live/model.json"),
            network: include_bytes!("../../assets/models/voice_live/network.onnx"),
        },
    ];

    type Loaded = Result<FaceModel, BundleError>;

    #[derive(Resource)]
    struct Loading(Vec<(AssetId<FaceModel>, Task<Loaded>)>);

    /// Loads the embedded models in the background, each by itself, and puts them where the default handles point.
    pub(crate) fn embed_default(app: &mut App) {
        app.init_resource::<DefaultModelErrors>()
            .add_systems(Startup, |mut commands: Commands, background: Res<Background>| {
                let start = |embedded: &'static Embedded| {
                    let work = background.work();
                    let task = AsyncComputeTaskPool::get().spawn(async move {
                        let _work = work;
                        load(embedded)
                    });
                    (embedded.handle.id(), task)
                };
                commands.insert_resource(Loading(EMBEDDED.iter().map(start).collect()));
            })
            .add_systems(PostUpdate, arrive.run_if(resource_exists::<Loading>).before(TalkieSystems::Voice));
    }

    fn load(embedded: &Embedded) -> Loaded {
        let folder = Path::new(embedded.name);
        let manifest = Manifest::parse(embedded.manifest, &folder.join("model.json"))?;
        let model = talkie::model::FaceModel::new(manifest, embedded.network, folder, Runtime::global())?;
        Ok(FaceModel::new(model))
    }

    fn arrive(
        mut commands: Commands,
        mut loading: ResMut<Loading>,
        mut models: ResMut<Assets<FaceModel>>,
        mut errors: ResMut<DefaultModelErrors>,
    ) {
        loading.0.retain_mut(|(id, task)| {
            let Some(result) = check_ready(task) else { return true };
            let failure = match result {
                Ok(model) => models.insert(*id, model).err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = failure {
                bevy_log::error!("talkie: a default model cannot be used: {error}");
                errors.0.push((*id, error));
            }
            false
        });
        if loading.0.is_empty() {
            commands.remove_resource::<Loading>();
        }
    }
}

/// Whether an id is that of a model which is embedded.
pub(super) fn is_default(id: AssetId<FaceModel>) -> bool {
    id == AssetId::default() || id == LIVE_MODEL.id()
}

/// Which default models there are none of, and why.
#[derive(bevy_ecs::resource::Resource, Debug, Clone, Default)]
pub(super) struct DefaultModelErrors(pub(super) Vec<(AssetId<FaceModel>, String)>);

//! A model bundle as an asset.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bevy_asset::{Asset, AssetId, AssetLoader, Handle, LoadContext, ReadAssetBytesError, io::Reader, uuid_handle};
use bevy_reflect::TypePath;
use talkie::{
    inference::Runtime,
    model::{BundleError, Manifest},
};

/// A loaded model bundle, to be shared by any number of faces.
///
/// Loads from the `model.json` of a bundle folder: `asset_server.load::<FaceModel>("models/voice/model.json")`. The default
/// handle is the embedded default model (feature `default_model`).
#[derive(Asset, TypePath, Debug, Clone)]
pub struct FaceModel {
    manifest: Arc<Manifest>,
    /// Only the one batch under way locks it.
    model: Arc<Mutex<talkie::model::FaceModel>>,
}

impl FaceModel {
    /// Wraps a model that is already loaded.
    pub fn new(model: talkie::model::FaceModel) -> Self {
        Self { manifest: Arc::new(model.manifest().clone()), model: Arc::new(Mutex::new(model)) }
    }

    /// What the bundle says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn shared(&self) -> Arc<Mutex<talkie::model::FaceModel>> {
        self.model.clone()
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
    /// The network beside it cannot be read.
    #[error("the network {name:?} beside model.json cannot be read: {error}")]
    Network {
        /// File name of the network.
        name: String,
        /// Why.
        error: ReadAssetBytesError,
    },
    /// The bundle is not usable.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// Loads [`FaceModel`]s from bundle folders.
#[derive(Debug, Clone, Copy, Default, TypePath)]
pub struct FaceModelLoader;

impl AssetLoader for FaceModelLoader {
    type Asset = FaceModel;
    type Settings = ();
    type Error = FaceModelError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        _settings: &(),
        load_context: &mut LoadContext<'_>,
    ) -> Result<FaceModel, FaceModelError> {
        let mut json = Vec::new();
        reader.read_to_end(&mut json).await?;
        let path = load_context.path().clone();
        let manifest = Manifest::parse(&json, path.path())?;
        let name = manifest.network.clone();
        let beside = path.resolve_embed_str(&name).map_err(std::io::Error::other)?;
        let onnx =
            load_context.read_asset_bytes(beside).await.map_err(|error| FaceModelError::Network { name, error })?;
        let folder = path.path().parent().unwrap_or(Path::new(""));
        Ok(FaceModel::new(talkie::model::FaceModel::new(manifest, &onnx, folder, Runtime::global())?))
    }

    fn extensions(&self) -> &[&str] {
        &["json"]
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
        system::{Commands, ResMut},
    };
    use bevy_tasks::{AsyncComputeTaskPool, Task, futures::check_ready};
    use talkie::{
        inference::Runtime,
        model::{BundleError, Manifest},
    };

    use super::{DefaultModelErrors, FaceModel, LIVE_MODEL};
    use crate::TalkieSystems;

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
            .add_systems(Startup, |mut commands: Commands| {
                let start = |embedded: &'static Embedded| {
                    (embedded.handle.id(), AsyncComputeTaskPool::get().spawn(async { load(embedded) }))
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

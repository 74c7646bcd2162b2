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
    use std::path::Path;

    use bevy_app::{App, PostUpdate, Startup};
    use bevy_asset::{AssetId, Assets};
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

    use super::{FaceModel, LIVE_MODEL};
    use crate::TalkieSystems;

    /// `model.json` and network of both embedded bundles.
    static VOICE: [&[u8]; 2] = [
        include_bytes!("../../assets/models/voice/model.json"),
        include_bytes!("../../assets/models/voice/network.onnx"),
    ];
    static LIVE_VOICE: [&[u8]; 2] = [
        include_bytes!("../../assets/models/voice_live/model.json"),
        include_bytes!("../../assets/models/voice_live/network.onnx"),
    ];

    #[derive(Resource)]
    struct Loading(Task<Result<[FaceModel; 2], BundleError>>);

    /// Loads the embedded models in the background and puts them where the default handles point.
    pub(crate) fn embed_default(app: &mut App) {
        app.add_systems(Startup, |mut commands: Commands| {
            commands.insert_resource(Loading(AsyncComputeTaskPool::get().spawn(async { load() })));
        })
        .add_systems(PostUpdate, arrive.run_if(resource_exists::<Loading>).before(TalkieSystems::Voice));
    }

    fn load() -> Result<[FaceModel; 2], BundleError> {
        let bundle = |[json, network]: [&[u8]; 2], name: &str| -> Result<FaceModel, BundleError> {
            let folder = Path::new(name);
            let manifest = Manifest::parse(json, &folder.join("model.json"))?;
            Ok(FaceModel::new(talkie::model::FaceModel::new(manifest, network, folder, Runtime::global())?))
        };
        Ok([bundle(VOICE, "embedded default model")?, bundle(LIVE_VOICE, "embedded live model")?])
    }

    fn arrive(mut commands: Commands, mut loading: ResMut<Loading>, mut models: ResMut<Assets<FaceModel>>) {
        let Some(result) = check_ready(&mut loading.0) else { return };
        commands.remove_resource::<Loading>();
        match result {
            Ok(loaded) => {
                for (id, model) in [AssetId::default(), LIVE_MODEL.id()].into_iter().zip(loaded) {
                    if models.insert(id, model).is_err() {
                        bevy_log::error!("talkie: a default model could not be stored");
                    }
                }
            }
            Err(error) => {
                bevy_log::error!("talkie: a default model cannot be used: {error}");
                commands.insert_resource(super::DefaultModelError(error.to_string()));
            }
        }
    }
}

/// Whether an id is that of a model which is embedded.
pub(super) fn is_default(id: AssetId<FaceModel>) -> bool {
    id == AssetId::default() || id == LIVE_MODEL.id()
}

/// Why there is no default model.
#[derive(bevy_ecs::resource::Resource, Debug, Clone)]
pub(super) struct DefaultModelError(pub(super) String);

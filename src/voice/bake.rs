//! Voice lines that are animated when a game is built.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bevy_app::{App, Plugin};
use bevy_asset::{
    AssetApp, AsyncWriteExt as _,
    io::Writer,
    processor::{Process, ProcessContext, ProcessError},
};
use bevy_reflect::TypePath;
use serde::{Deserialize, Serialize};
use talkie::{
    animation::{ContentHash, TrackSource},
    audio::AudioClip,
    model,
};

use super::{
    VoiceClipLoader, VoiceClipSettings,
    clip::{EXTENSIONS, join},
};

/// Lets Bevy's asset processor (`AssetPlugin { mode: AssetMode::Processed, .. }`, feature `bevy/asset_processor`) animate all voice lines
/// when it processes them: the game then loads motion with the sound, and no network runs for recorded lines.
///
/// ```no_run
/// # use bevy_talkie::voice::BakeVoicesPlugin;
/// # use bevy_talkie::talkie::{animation::ContentHash, inference::Runtime, model::FaceModel};
/// # let mut app = bevy_app::App::new();
/// let model = FaceModel::load_dir("assets/models/voice", Runtime::global())?;
/// let hash = ContentHash::of_folder("assets/models/voice")?;
/// app.add_plugins(BakeVoicesPlugin::new(model, hash));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Add it after `AssetPlugin`. A line is baked anew when its sound changes or the model does. In a game that ships with processed
/// assets nothing has to be added.
#[derive(Debug)]
pub struct BakeVoicesPlugin {
    model: Arc<Mutex<model::FaceModel>>,
    hash: ContentHash,
}

impl BakeVoicesPlugin {
    /// Bakes with this model; the hash tells it apart from others ([`ContentHash::of_folder`]).
    pub fn new(model: model::FaceModel, hash: ContentHash) -> Self {
        Self { model: Arc::new(Mutex::new(model)), hash }
    }
}

impl Plugin for BakeVoicesPlugin {
    fn build(&self, app: &mut App) {
        // A process bakes with one model.
        let hash = *MODEL.get_or_init(|| self.hash);
        if hash != self.hash {
            bevy_log::error!("talkie: voice lines are baked with the model that was given first");
        }
        app.register_asset_processor(BakeVoices { model: self.model.clone() });
        for extension in EXTENSIONS {
            app.set_default_asset_processor::<BakeVoices>(extension);
        }
    }
}

/// The model that bakes, where there is one.
static MODEL: OnceLock<ContentHash> = OnceLock::new();

/// The processor of voice lines.
#[derive(Debug, TypePath)]
pub struct BakeVoices {
    model: Arc<Mutex<model::FaceModel>>,
}

/// How a voice line is baked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BakeSettings {
    /// The hash of the model. Bevy processes an asset anew when its settings change, so the default is that of the model that bakes now. What a
    /// `.meta` file says has no effect beside that.
    pub model: String,
}

impl Default for BakeSettings {
    fn default() -> Self {
        Self { model: MODEL.get().map(ContentHash::to_string).unwrap_or_default() }
    }
}

impl Process for BakeVoices {
    type Settings = BakeSettings;
    type OutputLoader = VoiceClipLoader;

    async fn process(
        &self,
        context: &mut ProcessContext<'_>,
        _settings: &BakeSettings,
        writer: &mut Writer,
    ) -> Result<VoiceClipSettings, ProcessError> {
        let mut sound = Vec::new();
        let failed = |error: Box<dyn core::error::Error + Send + Sync>| ProcessError::AssetTransformError(error);
        context.asset_reader().read_to_end(&mut sound).await.map_err(|error| failed(error.into()))?;
        let clip = AudioClip::decode(sound.clone()).map_err(|error| failed(error.into()))?;
        let source = MODEL.get().map(|model| TrackSource { sound: ContentHash::of([&sound[..]]), model: *model });
        let track = {
            let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
            let track = model.animate(&clip).map_err(|error| failed(error.into()))?;
            track.to_bytes(source).map_err(|error| failed(error.into()))?
        };
        writer.write_all(&join(&track, &sound)).await.map_err(|error| failed(error.into()))?;
        Ok(VoiceClipSettings { track: false })
    }
}

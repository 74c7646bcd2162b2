//! Models as assets, and the batches that run them off the main thread.
//!
//! All speakers of one model share its network. Live voices have a thread that listens as their sound arrives; of the others,
//! once a frame those whose track runs short are gathered into one batch on
//! [`AsyncComputeTaskPool`]; while it runs, nobody waits: the next batch is gathered when it is done. Decoding is done by
//! the asset loader; resampling, features and the network run in the batch.

mod batch;
mod live;
mod model;

use std::{collections::HashMap, time::Duration};

use bevy_app::{App, Plugin, PostUpdate, Startup};
use bevy_asset::AssetApp;
use bevy_ecs::{component::Component, resource::Resource, schedule::IntoScheduleConfigs, world::World};
use bevy_tasks::Task;
use talkie::{
    animation::geometry::GeometryParameters,
    inference::{Runtime, RuntimeError, RuntimeOptions},
};

#[cfg(doc)]
use bevy_tasks::AsyncComputeTaskPool;
use live::LiveVoices;

pub(crate) use batch::Line;
pub(crate) use live::{Exchange, Moment, Way};
pub use model::{EmotionModel, EmotionModelLoader, FaceModel, FaceModelError, FaceModelLoader, LIVE_MODEL};

use crate::{TalkieSystems, background::Background};

/// Loads models and runs them. See [`TalkiePlugins`](crate::TalkiePlugins).
#[derive(Debug, Clone, Default)]
pub struct InferencePlugin {
    /// Which engine runs the networks. The default finds ONNX Runtime where it can and uses tract where it cannot; see
    /// [`Runtime`].
    pub runtime: RuntimeOptions,
}

/// What the networks have done so far: for a look at the budget.
#[derive(Resource, Debug, Clone, Copy, Default, PartialEq)]
pub struct InferenceStats {
    /// Batches that came back.
    pub batches: u64,
    /// Seconds of speech that were turned into poses, over all speakers.
    pub seconds_animated: f64,
    /// Seconds that batches took on the task pool: resampling, features and network.
    pub seconds_busy: f64,
}

impl InferenceStats {
    /// Seconds of work for one second of speech; 0 before anything was spoken.
    pub fn real_time_factor(&self) -> f64 {
        if self.seconds_animated > 0.0 { self.seconds_busy / self.seconds_animated } else { 0.0 }
    }
}

/// How a face is animated by an official network, on the entity of a [`TalkingFace`](crate::face::TalkingFace). Without it the
/// bundle decides.
#[derive(Component, Debug, Clone, PartialEq, Default)]
pub struct Audio2FaceSettings {
    /// Whose face it is, for bundles with several identities; what is set when a line begins holds for the line. Default: the
    /// first.
    pub identity: Option<String>,
    /// Parameters of the animator, which may change while the character speaks. Default: those of the bundle. Values out of
    /// their ranges fail the line.
    pub parameters: Option<GeometryParameters>,
}

/// The batches under way, by the model's [key](FaceModel::key): at most one for each.
#[derive(Resource, Default)]
struct Batches(HashMap<usize, Task<batch::Done>>);

/// Waits until the batches under way are done; what they computed is in the tracks after the next update. For pictures that are
/// drawn off-line, and for tests: where time goes in steps, nobody wants the face to depend on how fast the machine is. Blocks the
/// caller, so it is nothing for a game.
pub fn wait_for_batches(world: &World) {
    if let Some(live) = world.get_resource::<LiveVoices>() {
        live.wait();
    }
    let Some(batches) = world.get_resource::<Batches>() else { return };
    while batches.0.values().any(|task| !task.is_finished()) {
        std::thread::sleep(Duration::from_micros(200));
    }
}

impl Plugin for InferencePlugin {
    fn build(&self, app: &mut App) {
        // Now, and not in a system: the process has one engine, and models may load as soon as the app runs.
        let runtime = Runtime::init(self.runtime.clone());
        Background::of(app);
        app.init_asset::<FaceModel>()
            .init_asset_loader::<FaceModelLoader>()
            .init_asset::<EmotionModel>()
            .init_asset_loader::<EmotionModelLoader>()
            .init_resource::<Batches>()
            .init_resource::<LiveVoices>()
            .init_resource::<InferenceStats>()
            .add_systems(
                PostUpdate,
                batch::collect
                    .in_set(TalkieSystems::Voice)
                    .before(crate::voice::speak)
                    .before(crate::voice::microphone::listen),
            )
            .add_systems(PostUpdate, batch::dispatch.in_set(TalkieSystems::Inference))
            .add_systems(Startup, move || announce(&runtime));
        #[cfg(feature = "default_model")]
        model::embed_default(app);
    }
}

/// Says once which engine serves.
fn announce(runtime: &Result<&'static Runtime, RuntimeError>) {
    match runtime {
        Ok(runtime) => bevy_log::info!(
            "talkie: networks run on {} {}{}",
            runtime.backend(),
            runtime.version(),
            runtime.library().map(|library| format!(" ({})", library.display())).unwrap_or_default()
        ),
        Err(error) => bevy_log::error!("talkie: no face can be animated: {error}"),
    }
}

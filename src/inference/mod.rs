//! Models as assets, and the batches that run them off the main thread.
//!
//! All speakers of one model share its network. Live voices have a thread that listens as their sound arrives; of the others,
//! once a frame those that run out of poses first are gathered into one batch, which runs on
//! [`AsyncComputeTaskPool`] from the end of the frame on; while it runs, nobody waits: the next batch is gathered when it is done. Decoding is done by
//! the asset loader; resampling, features and the network run in the batch. All of it keeps to an [`InferenceBudget`].
//!
//! # Threads
//!
//! A network of ours runs on one thread, the one that calls it: that of the task pool for lines and streams, of which Bevy gives
//! the pool a quarter of the cores and at least one, and one of its own for live voices. ONNX Runtime starts none. So at most two
//! cores are busy with ours whatever happens, and they are the system's to share out; the main thread never waits for
//! either. What is done for faces in every frame are systems as any others, on Bevy's compute pool: where it has several threads,
//! 64 faces and more are shared out between them. Official networks use up to four threads of ONNX Runtime beside the calling one ([`ModelOptions::threads`](talkie::model::ModelOptions::threads)).

mod batch;
mod devices;
mod line;
mod live;
mod model;
mod schedule;

use std::time::Duration;

use bevy_app::{App, Plugin, PostUpdate, Startup};
use bevy_asset::AssetApp;
use bevy_ecs::{component::Component, resource::Resource, schedule::IntoScheduleConfigs, world::World};
use talkie::{
    animation::geometry::GeometryParameters,
    inference::{Runtime, RuntimeError, RuntimeOptions},
};

use batch::Batches;
#[cfg(doc)]
use bevy_tasks::AsyncComputeTaskPool;
use live::LiveVoices;

pub use devices::{InferenceDevices, NetworkDevice};
pub(crate) use line::Line;
pub(crate) use live::{Exchange, Moment, Way};
pub use model::{EmotionModel, EmotionModelLoader, FaceModel, FaceModelError, FaceModelLoader, LIVE_MODEL};
pub use schedule::InferenceBudget;
pub(crate) use schedule::KEPT;

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
    /// [`real_time_factor`](Self::real_time_factor) of the last seconds: what one speaker takes of a core.
    pub recent_factor: f64,
    /// Lines and streams that wanted poses in the last frame.
    pub waiting: usize,
    /// Those of them that had none for what was heard.
    pub late: usize,
}

/// Seconds of speech over which the recent cost is averaged.
const RECENT: f64 = 20.0;

impl InferenceStats {
    /// Seconds of work for one second of speech; 0 before anything was spoken.
    pub fn real_time_factor(&self) -> f64 {
        if self.seconds_animated > 0.0 { self.seconds_busy / self.seconds_animated } else { 0.0 }
    }

    /// Counts batches.
    fn count(&mut self, batches: u64, seconds_animated: f64, seconds_busy: f64) {
        self.batches += batches;
        self.seconds_animated += seconds_animated;
        self.seconds_busy += seconds_busy;
        if seconds_animated > 0.0 {
            // What gave more poses says more.
            let share = 1.0 - (-seconds_animated / RECENT).exp();
            let share = if self.recent_factor == 0.0 { 1.0 } else { share };
            self.recent_factor += share * (seconds_busy / seconds_animated - self.recent_factor);
        }
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

/// Waits until the batches under way are done; what they computed is in the tracks after the next update. For pictures that are
/// drawn off-line, and for tests: where time goes in steps, nobody wants the face to depend on how fast the machine is. Blocks the
/// caller, so it is nothing for a game.
pub fn wait_for_batches(world: &World) {
    if let Some(live) = world.get_resource::<LiveVoices>() {
        live.wait();
    }
    let Some(batches) = world.get_resource::<Batches>() else { return };
    while !batches.are_done() {
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
            .init_resource::<InferenceBudget>()
            .init_resource::<InferenceStats>()
            .init_resource::<InferenceDevices>()
            .add_systems(
                PostUpdate,
                batch::collect
                    .in_set(TalkieSystems::Voice)
                    .before(crate::voice::speak)
                    .before(crate::voice::microphone::listen),
            )
            .add_systems(PostUpdate, (batch::dispatch, devices::list).in_set(TalkieSystems::Inference))
            .add_systems(Startup, move || announce(&runtime));
        batch::add_after_frame(app);
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

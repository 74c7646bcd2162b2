//! What still works in the background when a game ends.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bevy_app::App;
use bevy_ecs::resource::Resource;

/// The end of a game waits for so long at most.
const LONGEST: Duration = Duration::from_secs(5);

/// Makes the end of the world wait for what is in the hands of native libraries in the background. ONNX Runtime and ALSA take
/// themselves apart when the process ends, and crash it if they are in use then.
#[derive(Resource, Default)]
pub(crate) struct Background(Work);

/// Held by a task as long as it uses such a library. Turns true when the world ends, for a task that can stop sooner.
pub(crate) type Work = Arc<AtomicBool>;

/// The same for what begins later.
pub(crate) type WorkLater = Weak<AtomicBool>;

impl Background {
    /// That of an app, which gets one where it has none.
    pub(crate) fn of(app: &mut App) -> &Self {
        app.init_resource::<Self>().world().resource()
    }

    pub(crate) fn work(&self) -> Work {
        self.0.clone()
    }

    /// For what begins such work later, if the world is still there.
    pub(crate) fn later(&self) -> WorkLater {
        Arc::downgrade(&self.0)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        let begun = Instant::now();
        while Arc::strong_count(&self.0) > 1 && begun.elapsed() < LONGEST {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_ends_after_what_works_for_it() {
        let mut app = App::new();
        let work = Background::of(&mut app).work();
        let done = Arc::new(AtomicBool::new(false));
        let theirs = done.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            theirs.store(true, Ordering::Release);
            drop(work);
        });
        drop(app);
        assert!(done.load(Ordering::Acquire));
    }

    #[test]
    #[cfg(feature = "default_model")]
    fn a_game_that_ends_at_once_waits_for_its_models() {
        use bevy_app::TaskPoolPlugin;
        use bevy_asset::AssetPlugin;

        let mut app = App::new();
        app.add_plugins((TaskPoolPlugin::default(), AssetPlugin::default()));
        app.add_plugins(crate::inference::InferencePlugin::default());
        app.update();
        let later = Background::of(&mut app).later();
        assert!(later.strong_count() > 1, "models are being loaded");
        drop(app);
        assert_eq!(later.strong_count(), 0);
    }
}

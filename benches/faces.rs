//! What talking faces cost the main thread: the four system sets of the plugin, over many faces at once.
//!
//! Divide by the number of faces for the cost of one. Nothing is rendered.

#![allow(clippy::unwrap_used, reason = "what the tests share is theirs")]

#[path = "../tests/common/mod.rs"]
mod common;

use bevy::{ecs::schedule::SingleThreadedExecutor, prelude::*};
use bevy_talkie::prelude::*;
use common::{add_clip, bursts, glb::Character, spawn_face, talking_app};
use divan::Bencher;

fn main() {
    divan::main();
}

/// Faces in the middle of their lines, with blinks, gaze and head life. Subtract `silent` for what talking costs.
#[divan::bench(args = [1, 10, 100])]
fn talking(bencher: Bencher, count: usize) {
    run(bencher, count, true);
}

#[divan::bench(args = [1, 10, 100])]
fn silent(bencher: Bencher, count: usize) {
    run(bencher, count, false);
}

fn run(bencher: Bencher, count: usize, talk: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let shapes: Vec<&str> = FaceChannel::ALL.iter().map(|channel| channel.name()).collect();
    Character { shapes: &shapes, joints: &[("head", None, [0.0, 0.0, 0.0, 1.0])], ..default() }
        .write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    app.edit_schedule(PostUpdate, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    let faces: Vec<Entity> = (0..count).map(|_| spawn_face(&mut app, "face.glb")).collect();
    if talk {
        // Slow enough that nobody reaches the end of the line.
        app.insert_resource(bevy::time::TimeUpdateStrategy::ManualDuration(std::time::Duration::from_micros(100)));
        let clip = add_clip(&mut app, bursts(19.0));
        for &face in &faces {
            *app.world_mut().get_mut::<FaceLife>(face).expect("life") = FaceLife::default();
            app.world_mut().commands().entity(face).say(clip.clone());
        }
        // A hundred lines are many batches: give the task pool time.
        let complete = |app: &App| {
            let ends = |face| app.world().get::<Voice>(face)?.track().map(|track| track.end_seconds());
            faces.iter().all(|face| ends(*face).is_some_and(|seconds| seconds > 18.9))
        };
        for _ in 0..10_000 {
            app.update();
            if complete(&app) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(complete(&app), "the tracks were not computed");
    }
    bencher.bench_local(|| {
        // Time passes in `First`; everything of this crate runs in `PostUpdate`.
        app.world_mut().run_schedule(First);
        app.world_mut().run_schedule(PostUpdate);
    });
}

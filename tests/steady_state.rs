//! While faces talk, a frame of the plugin allocates nothing on the main thread, and a face in mid-word needs little memory.
//!
//! A file of its own, since it replaces the allocator of its process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use bevy::prelude::*;
use bevy_talkie::prelude::*;
use common::{add_clip, bursts, glb::Character, spawn_face, talking_app, until, weights};

#[derive(Resource, Default)]
struct Counted {
    start: usize,
    frames: Vec<usize>,
}

#[test]
fn talking_faces_allocate_nothing_per_frame_and_need_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let shapes: Vec<&str> = FaceChannel::ALL.iter().map(|channel| channel.name()).collect();
    Character { shapes: &shapes, joints: &[("head", None, [0.0, 0.0, 0.0, 1.0])], ..default() }
        .write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    app.insert_resource(Counted { start: 0, frames: Vec::with_capacity(4_096) });
    app.edit_schedule(PostUpdate, |schedule| {
        schedule.set_executor(bevy::ecs::schedule::SingleThreadedExecutor::new());
    });
    app.add_systems(
        PostUpdate,
        (
            (|mut counted: ResMut<Counted>| counted.start = heap::allocations())
                .before(TalkieSystems::Voice)
                .after(bevy::app::AnimationSystems),
            (|mut counted: ResMut<Counted>| {
                let count = heap::allocations() - counted.start;
                counted.frames.push(count);
            })
            .after(TalkieSystems::Rig)
            .before(TransformSystems::Propagate),
        ),
    );
    let faces: Vec<Entity> = (0..3).map(|_| spawn_face(&mut app, "face.glb")).collect();
    let clip = add_clip(&mut app, bursts(6.0));
    // One that has spoken before, so that what all faces share is already there.
    app.world_mut().commands().entity(faces[0]).say(clip.clone());
    until(&mut app, "the first line", |world| world.get::<Voice>(faces[0]).unwrap().is_speaking());
    until(&mut app, "its end", |world| world.get::<Voice>(faces[0]).unwrap().is_idle());
    let before = heap::bytes_in_use();
    for &face in &faces {
        *app.world_mut().get_mut::<FaceLife>(face).unwrap() = FaceLife::default();
        let mut emotions = app.world_mut().get_mut::<Emotions>(face).unwrap();
        emotions.feel(Emotion::Sadness, 0.5);
        // One that ends while we count.
        emotions.request(Feeling::new(Emotion::Joy, 0.5).with_priority(1).lasting(2.0).easing(0.4, 2.0));
        app.world_mut().commands().entity(face).say(clip.clone());
    }
    until(&mut app, "all tracks to be complete", |world| {
        faces
            .iter()
            .all(|face| world.get::<Voice>(*face).unwrap().track().is_some_and(|track| track.end_seconds() > 5.9))
    });
    let bytes = (heap::bytes_in_use() - before) / faces.len() as isize;
    println!("{bytes} bytes for each speaking face");
    assert!(bytes < 2 << 20, "{bytes} bytes for each speaking face");
    (0..5).for_each(|_| app.update());
    app.world_mut().resource_mut::<Counted>().frames.clear();
    let mut moved = 0.0_f32;
    for _ in 0..120 {
        app.update();
        assert!(faces.iter().all(|face| app.world().get::<Voice>(*face).unwrap().is_speaking()));
        moved = moved.max(weights(app.world(), faces[0])[17]);
    }
    assert!(moved > 0.3, "nothing moved: {moved}");
    let counted = &app.world().resource::<Counted>().frames;
    assert_eq!(counted.len(), 120);
    assert!(counted.iter().all(|count| *count == 0), "allocations by frame: {counted:?}");
}

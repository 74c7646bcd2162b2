//! Less is done for faces that matter less: without a pop, without a network, and back again in the middle of a line.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::prelude::*;
use bevy_talkie::{
    inference::{InferenceStats, wait_for_batches},
    prelude::*,
};
use common::{FRAME, add_clip, add_tiny_model, bursts, glb::Character, spawn_face, talking_app, until, weights};

/// The widest change of the jaw in a frame that is none of a face that speaks: the buzz of the tests opens it within 60 ms.
const POP: f32 = 0.3;

fn stage() -> (tempfile::TempDir, App, Entity) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["browInnerUp", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    let live_model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = live_model;
    (folder, app, face)
}

fn set(app: &mut App, face: Entity, detail: FaceDetail) {
    *app.world_mut().get_mut::<FaceDetail>(face).unwrap() = detail;
}

fn batches(app: &App) -> u64 {
    app.world().resource::<InferenceStats>().batches
}

/// Runs so many frames, in each of which something may happen first; the narrowest and widest jaw, and its widest step.
fn watch(app: &mut App, face: Entity, frames: usize, mut each: impl FnMut(usize)) -> (f32, f32, f32) {
    let (mut narrowest, mut widest, mut step) = (1.0_f32, 0.0_f32, 0.0_f32);
    let mut last = weights(app.world(), face)[1];
    for frame in 0..frames {
        each(frame);
        app.update();
        wait_for_batches(app.world());
        let jaw = weights(app.world(), face)[1];
        step = step.max((jaw - last).abs());
        (narrowest, widest, last) = (narrowest.min(jaw), widest.max(jaw), jaw);
    }
    (narrowest, widest, step)
}

#[test]
fn a_line_goes_on_through_all_details() {
    let (_folder, mut app, face) = stage();
    let clip = add_clip(&mut app, bursts(12.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    for detail in [FaceDetail::Half, FaceDetail::Mouth, FaceDetail::Level, FaceDetail::Full] {
        set(&mut app, face, detail);
        let (_, widest, step) = watch(&mut app, face, 60, |_| {});
        assert!(widest > 0.2 && step < POP, "{detail:?}: {widest}, {step}");
    }
    set(&mut app, face, FaceDetail::Off);
    watch(&mut app, face, 30, |_| {});
    assert_eq!(watch(&mut app, face, 60, |_| {}), (0.0, 0.0, 0.0), "off");
    assert!(app.world().get::<Voice>(face).unwrap().is_speaking(), "it is heard all the same");
    set(&mut app, face, FaceDetail::Full);
    let (_, widest, step) = watch(&mut app, face, 60, |_| {});
    assert!(widest > 0.2 && step < POP, "back again: {widest}, {step}");
}

#[test]
fn a_face_that_follows_loudness_asks_no_network_until_it_comes_near() {
    let (_folder, mut app, face) = stage();
    set(&mut app, face, FaceDetail::Level);
    let clip = add_clip(&mut app, bursts(30.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    let (narrowest, widest, step) = watch(&mut app, face, 120, |_| {});
    assert!(widest > 0.2 && narrowest < widest - 0.1 && step < POP, "{narrowest}..{widest}, {step}");
    assert_eq!(batches(&app), 0);
    set(&mut app, face, FaceDetail::Full);
    let (_, widest, step) = watch(&mut app, face, 60, |_| {});
    assert!(widest > 0.2 && step < POP, "{widest}, {step}");
    assert!(batches(&app) > 0);
    let voice = app.world().get::<Voice>(face).unwrap();
    let (track, now) = (voice.track().unwrap(), voice.heard_seconds());
    assert!(track.end_seconds() > now, "there are poses of what is heard");
    assert!(track.start_seconds() > now - 4.0, "what was heard before is not animated");
}

#[test]
fn a_line_that_is_seen_late_is_animated_from_shortly_before_what_is_heard() {
    let (_folder, mut app, face) = stage();
    set(&mut app, face, FaceDetail::Level);
    let clip = add_clip(&mut app, bursts(30.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    // So far into the line that its beginning is more to compute than the second which is heard before an animation begins.
    watch(&mut app, face, 90, |_| {});
    set(&mut app, face, FaceDetail::Full);
    let heard = app.world().get::<Voice>(face).unwrap().heard_seconds();
    until(&mut app, "its poses", |world| {
        world.get::<Voice>(face).unwrap().track().unwrap().end_seconds() > heard + 0.1
    });
    let animated = app.world().resource::<InferenceStats>().seconds_animated;
    assert!(heard < 2.0 && animated < heard - 0.1, "{animated} s were animated after {heard} s");
}

#[test]
fn a_speech_goes_from_loudness_to_the_network_and_back() {
    let (_folder, mut app, face) = stage();
    set(&mut app, face, FaceDetail::Level);
    let voice = VoiceStream::speech(24_000, 1);
    app.world_mut().commands().entity(face).start(&voice);
    // All of it arrives at once, as from a fast text-to-speech engine.
    voice.push(bursts(20.0).samples());
    voice.finish();
    until(&mut app, "the speech", |world| world.get::<Voice>(face).unwrap().is_speaking());
    let (narrowest, widest, step) = watch(&mut app, face, 180, |_| {});
    assert!(widest > 0.2 && narrowest < widest - 0.1 && step < POP, "{narrowest}..{widest}, {step}");
    assert_eq!(batches(&app), 0);
    set(&mut app, face, FaceDetail::Full);
    let before = app.world().get::<Voice>(face).unwrap().heard_seconds();
    let (_, widest, step) = watch(&mut app, face, 60, |_| {});
    assert!(widest > 0.2 && step < POP, "{widest}, {step}");
    let heard = app.world().get::<Voice>(face).unwrap();
    let track = heard.track().unwrap();
    assert!(track.start_seconds() > 0.5 && track.end_seconds() > heard.heard_seconds());
    assert!((heard.heard_seconds() - before - 1.0).abs() < 0.05, "sound did not wait: {}", heard.heard_seconds());
    // What the network has computed ahead is shown, and then loudness goes on.
    let until_now = track.end_seconds() - heard.heard_seconds();
    set(&mut app, face, FaceDetail::Level);
    let (_, _, step) = watch(&mut app, face, (until_now / FRAME.as_secs_f64()) as usize + 30, |_| {});
    assert!(step < POP, "{step}");
    until(&mut app, "its end", |world| world.get::<Voice>(face).unwrap().is_idle());
}

#[test]
fn a_live_voice_goes_from_loudness_to_the_network_and_back() {
    let (_folder, mut app, face) = stage();
    let voice = VoiceStream::live(24_000, 1);
    app.world_mut().commands().entity(face).start(&voice);
    let sound = bursts(9.0);
    let pieces: Vec<&[f32]> = sound.samples().chunks(400).collect();
    let mut arrived = 0;
    for (detail, has_network) in
        [(FaceDetail::Level, false), (FaceDetail::Full, true), (FaceDetail::Level, false), (FaceDetail::Mouth, true)]
    {
        set(&mut app, face, detail);
        // Half a second to get there.
        for part in [30, 90] {
            let before = batches(&app);
            let (_, widest, step) = watch(&mut app, face, part, |frame| voice.push(pieces[arrived + frame]));
            arrived += part;
            if part == 90 {
                assert!(widest > 0.2 && step < POP, "{detail:?}: {widest}, {step}");
                assert_eq!(batches(&app) > before, has_network, "{detail:?}");
                let behind =
                    arrived as f64 * 400.0 / 24_000.0 - app.world().get::<Voice>(face).unwrap().heard_seconds();
                assert!((-0.01..0.2).contains(&behind), "{detail:?}: {behind} s behind");
            }
        }
    }
}

#[test]
fn other_layers_are_left_out_where_only_the_mouth_matters() {
    let (_folder, mut app, face) = stage();
    app.world_mut().entity_mut(face).insert(Expression::new([(FaceChannel::BrowInnerUp, 0.8)]));
    let brow = |app: &App| weights(app.world(), face)[0];
    watch(&mut app, face, 5, |_| {});
    assert!((brow(&app) - 0.8).abs() < 1e-3);
    set(&mut app, face, FaceDetail::Mouth);
    watch(&mut app, face, 8, |_| {});
    assert!((0.1..0.7).contains(&brow(&app)), "gently: {}", brow(&app));
    watch(&mut app, face, 20, |_| {});
    assert_eq!(brow(&app), 0.0);
}

#[test]
fn a_face_at_half_rate_is_written_every_second_frame() {
    #[derive(Resource, Default)]
    struct Changes(usize);
    let (_folder, mut app, face) = stage();
    app.init_resource::<Changes>().add_systems(
        Last,
        |changed: Query<(), Changed<LivePose>>, mut changes: ResMut<Changes>| {
            changes.0 += changed.iter().count();
        },
    );
    let clip = add_clip(&mut app, bursts(12.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    for (detail, expected) in [(FaceDetail::Full, 100), (FaceDetail::Half, 50), (FaceDetail::Mouth, 50)] {
        set(&mut app, face, detail);
        watch(&mut app, face, 30, |_| {});
        app.world_mut().resource_mut::<Changes>().0 = 0;
        watch(&mut app, face, 100, |_| {});
        let changes = app.world().resource::<Changes>().0;
        assert!(changes.abs_diff(expected) <= 12, "{detail:?}: {changes} changes in 100 frames");
    }
}

#[test]
fn a_camera_decides_for_faces_that_want_it() {
    let (_folder, mut app, face) = stage();
    let camera = app
        .world_mut()
        .spawn((
            Camera::default(),
            Projection::Perspective(PerspectiveProjection::default()),
            Transform::from_xyz(0.0, 0.0, 1.0).looking_at(Vec3::ZERO, Vec3::Y),
        ))
        .id();
    app.world_mut().entity_mut(face).insert(AutoDetail::default());
    let mut seen = Vec::new();
    for distance in [1.0, 5.0, 10.0, 20.0, 60.0] {
        app.world_mut().get_mut::<Transform>(camera).unwrap().translation.z = distance;
        watch(&mut app, face, 20, |_| {});
        seen.push(*app.world().get::<FaceDetail>(face).unwrap());
    }
    use FaceDetail::*;
    assert_eq!(seen, [Full, Half, Mouth, Level, Off]);
    app.world_mut().get_mut::<AutoDetail>(face).unwrap().importance = 100.0;
    watch(&mut app, face, 20, |_| {});
    assert_eq!(*app.world().get::<FaceDetail>(face).unwrap(), Full, "who matters is seen from afar");
}

#[test]
fn without_a_budget_lines_are_heard_and_follow_loudness() {
    let (_folder, mut app, face) = stage();
    app.insert_resource(InferenceBudget { load: 0.0, ..default() });
    let clip = add_clip(&mut app, bursts(8.0));
    app.world_mut().commands().entity(face).say(clip);
    let frames = until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    assert!((55..80).contains(&frames), "it waited for {frames} frames");
    let (_, widest, step) = watch(&mut app, face, 120, |_| {});
    assert!(widest > 0.2 && step < POP, "{widest}, {step}");
    assert_eq!(batches(&app), 0);
    // As soon as there is time, the network takes over.
    app.insert_resource(InferenceBudget::default());
    watch(&mut app, face, 60, |_| {});
    let voice = app.world().get::<Voice>(face).unwrap();
    assert!(voice.track().unwrap().end_seconds() > voice.heard_seconds());
}

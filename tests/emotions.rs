//! Emotions of the game: seen on every face, in speech and in silence, in the time of the game.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::prelude::*;
use bevy_talkie::prelude::*;
use common::{FRAME, add_clip, bursts, glb::Character, spawn_face, talking_app, tiny_model, until, weights};

/// An app with a character that has all shapes.
fn stage() -> (tempfile::TempDir, App, Entity) {
    let folder = tempfile::tempdir().unwrap();
    let shapes = FaceChannel::ALL.map(FaceChannel::name);
    Character { shapes: &shapes, ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    (folder, app, face)
}

fn emotions(app: &mut App, face: Entity) -> Mut<'_, Emotions> {
    app.world_mut().get_mut(face).unwrap()
}

fn run(app: &mut App, seconds: f32) {
    (0..(seconds / FRAME.as_secs_f32()).round() as usize).for_each(|_| app.update());
}

/// How much of an emotion shows, and what the mesh has of one of its channels.
fn shown(app: &App, face: Entity, emotion: Emotion, channel: FaceChannel) -> (f32, f32) {
    let current = app.world().get::<Emotions>(face).unwrap().current()[emotion.index()];
    (current, weights(app.world(), face)[channel.index()])
}

fn full(emotion: Emotion, channel: FaceChannel) -> f32 {
    emotion.expression().find(|(of, _)| *of == channel).unwrap().1
}

#[test]
fn every_emotion_shows_on_the_default_characters() {
    let mut app = talking_app(&common::assets());
    for file in ["characters/ada.glb", "characters/ben.glb"] {
        let face = spawn_face(&mut app, file);
        let rest = weights(app.world(), face);
        for emotion in Emotion::ALL {
            emotions(&mut app, face).feel(emotion, 1.0);
            run(&mut app, 1.0);
            let shown = weights(app.world(), face);
            let moved: f32 = shown.iter().zip(&rest).map(|(shown, rest)| (shown - rest).abs()).sum();
            assert!(moved > 1.5, "{emotion} on {file}: {moved}");
        }
        emotions(&mut app, face).calm();
        run(&mut app, 2.0);
        assert_eq!(weights(app.world(), face), rest, "{file} is not at rest again");
    }
}

#[test]
fn a_short_surprise_covers_a_lasting_sadness() {
    let (_folder, mut app, face) = stage();
    emotions(&mut app, face).feel(Emotion::Sadness, 0.6);
    run(&mut app, 0.1);
    let (early, _) = shown(&app, face, Emotion::Sadness, FaceChannel::MouthFrownLeft);
    assert!(early > 0.02 && early < 0.4, "it eases in: {early}");
    run(&mut app, 1.4);
    let frown = full(Emotion::Sadness, FaceChannel::MouthFrownLeft) * 0.6;
    assert_eq!(shown(&app, face, Emotion::Sadness, FaceChannel::MouthFrownLeft), (0.6, frown));
    emotions(&mut app, face).request(Feeling::new(Emotion::Amazement, 1.0).with_priority(1).lasting(0.8));
    run(&mut app, 0.75);
    assert!(shown(&app, face, Emotion::Amazement, FaceChannel::EyeWideLeft).0 > 0.95);
    assert!(shown(&app, face, Emotion::Sadness, FaceChannel::MouthFrownLeft).1 < 0.02);
    run(&mut app, 1.5);
    assert_eq!(shown(&app, face, Emotion::Amazement, FaceChannel::EyeWideLeft), (0.0, 0.0));
    assert_eq!(shown(&app, face, Emotion::Sadness, FaceChannel::MouthFrownLeft), (0.6, frown));
}

#[test]
fn the_mouth_stays_with_speech_while_brows_and_corners_show_what_is_felt() {
    let (_folder, mut app, face) = stage();
    let sound = bursts(2.0);
    let track = tiny_model().animate(&sound).unwrap();
    let mut feeling = Feeling::new(Emotion::Amazement, 0.7);
    feeling.emotions[Emotion::Joy.index()] = 0.7;
    emotions(&mut app, face).request(feeling);
    run(&mut app, 1.0);
    let silent = weights(app.world(), face);
    assert!(silent[FaceChannel::JawOpen.index()] > 0.1, "a silent mouth shows it in full");
    let clip = add_clip(&mut app, sound);
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| world.get::<Voice>(face).unwrap().is_speaking());
    let mut frames = 0;
    while app.world().get::<Voice>(face).unwrap().is_speaking() {
        let heard = app.world().get::<Voice>(face).unwrap().heard_seconds();
        let (said, shown) = (track.sample_seconds(heard), weights(app.world(), face));
        for channel in [FaceChannel::JawOpen, FaceChannel::MouthFunnel, FaceChannel::MouthUpperUpLeft] {
            let difference = (said.weight(channel) - shown[channel.index()]).abs();
            assert!(difference < 1.01e-4, "{channel} at {heard} is not that of speech: {difference}");
        }
        let of = |channel: FaceChannel| (shown[channel.index()], silent[channel.index()]);
        let (smile, silent_smile) = of(FaceChannel::MouthSmileLeft);
        assert!(smile > 0.3 * silent_smile && smile < 0.7 * silent_smile, "{smile} of {silent_smile}");
        let (brow, silent_brow) = of(FaceChannel::BrowOuterUpLeft);
        assert!(brow >= silent_brow - 1e-4, "{brow} of {silent_brow}");
        frames += 1;
        app.update();
    }
    assert!(frames > 100, "{frames} frames");
    run(&mut app, 0.5);
    assert_eq!(weights(app.world(), face), silent, "after speech it shows in full again");
}

#[test]
fn a_request_that_is_not_a_number_leaves_the_face_at_rest() {
    let (_folder, mut app, face) = stage();
    let rest = weights(app.world(), face);
    emotions(&mut app, face).feel(Emotion::Joy, f32::NAN);
    emotions(&mut app, face)
        .request(Feeling::mixed([f32::NAN; 10]).with_priority(1).lasting(f32::NAN).easing(f32::NAN, f32::INFINITY));
    run(&mut app, 0.5);
    assert_eq!(weights(app.world(), face), rest);
}

/// How often the pose and the emotions of a face changed.
#[derive(Resource, Default)]
struct Changes {
    pose: usize,
    emotions: usize,
}

#[test]
fn a_face_that_shows_the_same_does_not_change() {
    let (_folder, mut app, face) = stage();
    app.init_resource::<Changes>().add_systems(
        Last,
        |poses: Query<(), Changed<LivePose>>, emotions: Query<(), Changed<Emotions>>, mut changes: ResMut<Changes>| {
            changes.pose += poses.iter().count();
            changes.emotions += emotions.iter().count();
        },
    );
    let changes = |app: &mut App, seconds| {
        *app.world_mut().resource_mut::<Changes>() = Changes::default();
        run(app, seconds);
        let changes = app.world().resource::<Changes>();
        (changes.pose, changes.emotions)
    };
    run(&mut app, 0.1);
    assert_eq!(changes(&mut app, 0.5), (0, 0), "at rest");
    emotions(&mut app, face).feel(Emotion::Joy, 0.8);
    let (pose, felt) = changes(&mut app, 0.2);
    assert!(pose >= 10 && felt >= 10, "while it comes: {pose}, {felt}");
    run(&mut app, 1.5);
    assert_eq!(changes(&mut app, 0.5), (0, 0), "while it stays");
    emotions(&mut app, face).request(Feeling::new(Emotion::Joy, 0.8).lasting(5.0));
    run(&mut app, 0.1);
    assert_eq!(changes(&mut app, 0.5), (0, 0), "while its time runs");
}

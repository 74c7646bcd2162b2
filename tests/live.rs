//! Live voices: the face follows what is pushed, and never stays open when nothing comes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::time::Duration;

use bevy::prelude::*;
use bevy_talkie::{inference::wait_for_batches, prelude::*};
use common::{
    FRAME, add_clip, add_tiny_model, bursts, glb::Character, record_events, spawn_face, talking_app, until, weights,
};

/// A face whose live voices are animated by a network without look-ahead, and the voice it follows: a buzz in pieces.
fn stage() -> (tempfile::TempDir, App, Entity, VoiceStream) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    let live_model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = live_model;
    let voice = VoiceStream::live(24_000, 1);
    app.world_mut().commands().entity(face).start(&voice);
    (folder, app, face, voice)
}

fn jaw(app: &App, face: Entity) -> f32 {
    weights(app.world(), face)[1]
}

/// Pushes a sound as fast as it is spoken, one piece a frame, and gives the batches time; tells how far the jaw opened.
fn speak(app: &mut App, face: Entity, voice: &VoiceStream, seconds: f32) -> f32 {
    let sound = bursts(seconds);
    let mut widest = 0.0f32;
    for piece in sound.samples().chunks(400) {
        voice.push(piece);
        app.update();
        wait_for_batches(app.world());
        widest = widest.max(jaw(app, face));
    }
    widest
}

#[test]
fn the_face_follows_a_live_voice_from_its_first_sound_to_its_end() {
    let (_folder, mut app, face, voice) = stage();
    let log = record_events(&mut app);
    for _ in 0..30 {
        app.update();
    }
    assert!(!app.world().get::<Voice>(face).unwrap().is_speaking(), "nothing was said yet");
    assert!(speak(&mut app, face, &voice, 1.5) > 0.3);
    let voice_now = app.world().get::<Voice>(face).unwrap();
    let behind = 1.5 - voice_now.heard_seconds();
    assert!((0.0..0.2).contains(&behind), "{behind} s behind");
    voice.finish();
    until(&mut app, "the voice to end", |world| world.get::<Voice>(face).unwrap().is_idle());
    for _ in 0..30 {
        app.update();
    }
    assert_eq!(jaw(&app, face), 0.0);
    assert_eq!(log.of(face), ["started", "finished"]);
}

#[test]
fn a_voice_that_falls_silent_closes_the_mouth_and_opens_it_again() {
    let (_folder, mut app, face, voice) = stage();
    // Stop where the mouth is open.
    while jaw(&app, face) < 0.3 {
        speak(&mut app, face, &voice, 0.1);
    }
    let frames = (0.4 / FRAME.as_secs_f32()) as usize;
    for _ in 0..frames {
        app.update();
        wait_for_batches(app.world());
    }
    assert_eq!(jaw(&app, face), 0.0, "nothing came for 0.4 s");
    assert!(speak(&mut app, face, &voice, 0.5) > 0.3, "it goes on");
    for _ in 0..frames {
        app.update();
    }
    // The end must not show the last pose once more.
    voice.finish();
    for _ in 0..30 {
        app.update();
        wait_for_batches(app.world());
        assert_eq!(jaw(&app, face), 0.0);
    }
    assert!(app.world().get::<Voice>(face).unwrap().is_idle());
}

#[test]
fn the_network_is_chosen_by_the_source() {
    let (_folder, mut app, face, voice) = stage();
    let log = record_events(&mut app);
    // A handle without a model never loads: only what is meant for it waits.
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().model =
        Handle::Uuid(AssetId::<FaceModel>::INVALID_UUID, default());
    assert!(speak(&mut app, face, &voice, 0.5) > 0.3, "the live voice is animated");
    voice.finish();
    let clip = add_clip(&mut app, bursts(0.3));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the live voice to end", |_| log.of(face).contains(&"finished".to_owned()));
    for _ in 0..30 {
        app.update();
        wait_for_batches(app.world());
    }
    assert!(
        app.world().get::<Voice>(face).unwrap().track().unwrap().is_empty(),
        "the line waits for the other network"
    );
    let model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().model = model;
    until(&mut app, "the line to end", |_| log.of(face).len() == 4);
}

#[test]
fn a_live_voice_can_be_interrupted_and_a_format_that_cannot_be_used_fails_by_name() {
    let (_folder, mut app, face, voice) = stage();
    let log = record_events(&mut app);
    speak(&mut app, face, &voice, 0.5);
    app.world_mut().commands().entity(face).interrupt(Duration::from_millis(100));
    for _ in 0..30 {
        app.update();
    }
    assert_eq!(jaw(&app, face), 0.0);
    assert!(log.of(face)[1].starts_with("interrupted at 0."), "{:?}", log.of(face));
    let absurd = VoiceStream::live(3, 1);
    app.world_mut().commands().entity(face).start(&absurd);
    app.update();
    absurd.push(&[0.1; 3]);
    until(&mut app, "the failure", |_| log.of(face).iter().any(|event| event.starts_with("failed")));
    let failed = log.of(face).into_iter().find(|event| event.starts_with("failed")).unwrap();
    assert!(failed.contains('3'), "{failed}");
    until(&mut app, "the voice to be done", |world| world.get::<Voice>(face).unwrap().is_idle());
}

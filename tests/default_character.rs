//! The characters, voices and model that come with the crate, together.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "default_model")]

mod common;

use bevy::prelude::*;
use bevy_talkie::{
    inference::wait_for_batches,
    prelude::*,
    talkie::{audio::AudioClip, metrics::Alignment, retarget::Joint},
};
use common::{FRAME, record_events, talking_app, until};

/// Channels of the tongue mesh: the plugin drives them like any other shape.
const TONGUE: [FaceChannel; 3] = [FaceChannel::TongueTipUp, FaceChannel::TongueUp, FaceChannel::TongueOut];

fn spawn(app: &mut App, file: &str) -> Entity {
    let scene = app.world().resource::<AssetServer>().load(format!("characters/{file}#Scene0"));
    let face = app.world_mut().spawn((WorldAssetRoot(scene), TalkingFace::default(), FaceLife::none())).id();
    until(app, "the character to be bound", |world| world.get::<BindingReport>(face).is_some());
    face
}

#[test]
fn both_characters_answer_to_all_channels() {
    let mut app = talking_app(&common::assets());
    for file in ["ada.glb", "ben.glb"] {
        let face = spawn(&mut app, file);
        let report = &app.world().get::<BindingReport>(face).unwrap().0;
        assert_eq!(report.coverage(), 1.0, "{file}: {report}");
        assert!(!report.is_broken() && report.unknown.is_empty(), "{file}: {report}");
        for channel in TONGUE {
            assert!(report.shapes.iter().any(|bound| bound.mix.contains_key(&channel)), "{file} lacks {channel}");
        }
        let joints: Vec<Joint> = app.world().get::<FaceRig>(face).unwrap().joints().map(|(joint, _)| joint).collect();
        assert_eq!(joints, [Joint::Head, Joint::Neck], "{file}: jaw and eyes are moved by shapes");
    }
}

/// Runs until nothing is said any more: how far the mouth was open at every moment of the speech.
fn watch(app: &mut App, face: Entity, mut before_frame: impl FnMut()) -> Vec<(f64, f32)> {
    let mut shown = Vec::new();
    while app.world().get::<Voice>(face).unwrap().is_speaking() {
        let pose = &app.world().get::<LivePose>(face).unwrap().0;
        let opening = (pose.weight(FaceChannel::JawOpen) - pose.weight(FaceChannel::MouthClose)).max(0.0);
        shown.push((app.world().get::<Voice>(face).unwrap().heard_seconds(), opening));
        before_frame();
        app.update();
        wait_for_batches(app.world());
    }
    shown
}

/// Checks a mouth against the phones of the first line.
fn closes_and_opens_as_said(shown: &[(f64, f32)]) {
    let said =
        Alignment::from_json(&std::fs::read_to_string(common::assets().join("voices/01_ada.json")).unwrap()).unwrap();
    // The least opening while a phone is spoken, on average over its kind.
    let mean = |symbols: &[&str], pick: fn(f32, f32) -> f32, start: f32| {
        let found: Vec<f32> = said
            .phones
            .iter()
            .filter(|phone| symbols.contains(&phone.symbol.as_str()))
            .map(|phone| {
                let within = shown.iter().filter(|(t, _)| (phone.start - 0.02..phone.end + 0.02).contains(t));
                within.map(|(_, opening)| *opening).fold(start, pick)
            })
            .collect();
        assert!(found.len() >= 3, "{symbols:?} occur {} times", found.len());
        found.iter().sum::<f32>() / found.len() as f32
    };
    let closed = mean(&["P", "B", "M"], f32::min, 1.0);
    let open = mean(&["AA", "AE", "AH", "EH", "AY", "AO", "OW"], f32::max, 0.0);
    assert!(open > 0.12, "vowels open the mouth by {open}");
    assert!(closed < open / 3.0, "lips at p b m: {closed}, at vowels: {open}");
}

#[test]
fn a_shipped_line_closes_and_opens_the_mouth_where_its_phones_say() {
    let mut app = talking_app(&common::assets());
    let log = record_events(&mut app);
    let face = spawn(&mut app, "ada.glb");
    let clip = app.world().resource::<AssetServer>().load("voices/01_ada.ogg");
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| world.get::<Voice>(face).unwrap().is_speaking());
    let shown = watch(&mut app, face, || ());
    assert_eq!(log.of(face), ["started", "finished"]);
    closes_and_opens_as_said(&shown);
}

#[test]
fn the_same_line_spoken_live_does_too() {
    let mut app = talking_app(&common::assets());
    let log = record_events(&mut app);
    let face = spawn(&mut app, "ada.glb");
    until(&mut app, "the live network", |world| {
        world.resource::<Assets<FaceModel>>().contains(&TalkingFace::default().live_model)
    });
    let sound = AudioClip::decode(std::fs::read(common::assets().join("voices/01_ada.ogg")).unwrap()).unwrap();
    let voice = VoiceStream::live(sound.sample_rate(), sound.channels());
    app.world_mut().commands().entity(face).start(&voice);
    // As much sound for every frame as it lasts, and time for the batches.
    let mut pieces = sound.samples().chunks((FRAME.as_secs_f64() * f64::from(sound.sample_rate())).round() as usize);
    let mut push = || match pieces.next() {
        Some(piece) => voice.push(piece),
        None => voice.finish(),
    };
    while !app.world().get::<Voice>(face).unwrap().is_speaking() {
        push();
        app.update();
        wait_for_batches(app.world());
    }
    let shown = watch(&mut app, face, push);
    assert_eq!(log.of(face), ["started", "finished"]);
    closes_and_opens_as_said(&shown);
}

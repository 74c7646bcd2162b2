//! Speaking: what is said shows on the face at the moment it is heard.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{fs, time::Duration};

use bevy::{
    ecs::schedule::{LogLevel, ScheduleBuildSettings},
    prelude::*,
};
use bevy_talkie::prelude::*;
use common::{
    FRAME, add_clip, add_tiny_model, bursts, glb::Character, record_events, spawn_face, talking_app, tiny_model, until,
    weights,
};

const SHAPES: [&str; 3] = ["mouthPucker", "jawOpen", "mouthClose"];

/// An app with a character file of three shapes.
fn stage() -> (tempfile::TempDir, App) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &SHAPES, ..default() }.write(folder.path(), "face.glb");
    let app = talking_app(folder.path());
    (folder, app)
}

fn speaking(world: &World, face: Entity) -> bool {
    world.get::<Voice>(face).unwrap().is_speaking()
}

#[test]
fn the_mesh_shows_the_track_of_the_moment_that_is_heard() {
    let (_folder, mut app) = stage();
    let face = spawn_face(&mut app, "face.glb");
    let sound = bursts(2.0);
    let track = tiny_model().animate(&sound).unwrap();
    let clip = add_clip(&mut app, sound);
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| speaking(world, face));
    let (mut compared, mut largest) = (0, 0.0_f32);
    while speaking(app.world(), face) {
        let heard = app.world().get::<Voice>(face).unwrap().heard_seconds();
        let shown = weights(app.world(), face);
        for (shape, shown) in SHAPES.iter().zip(&shown) {
            let channel = FaceChannel::from_name(shape).unwrap();
            let near = |seconds: f64| {
                let mut pose = track.sample_seconds(seconds);
                Animator::default().apply(&mut pose);
                (pose.weight(channel) - shown).abs()
            };
            // Within one frame: in truth exactly this moment, but for what is too small to be written.
            assert!(near(heard) < 1.01e-4, "{shape} at {heard}: {shown}");
            largest = largest.max(*shown);
        }
        compared += 1;
        app.update();
    }
    assert!(compared > 100, "{compared} frames");
    assert!(largest > 0.3, "the mouth hardly moved: {largest}");
}

#[test]
fn an_expression_that_covers_the_mouth_silences_it_and_gives_it_back() {
    let (_folder, mut app) = stage();
    let face = spawn_face(&mut app, "face.glb");
    let clip = add_clip(&mut app, bursts(2.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| speaking(world, face));
    until(&mut app, "an open mouth", |world| weights(world, face)[1] > 0.3);
    let held = Expression::new([(FaceChannel::JawOpen, 0.1)]).covering(Cover { mouth: 1.0, ..default() });
    app.world_mut().entity_mut(face).insert(held);
    for _ in 0..30 {
        app.update();
        assert_eq!(weights(app.world(), face)[1], 0.1);
    }
    assert!(speaking(app.world(), face));
    app.world_mut().entity_mut(face).insert(Expression::default());
    until(&mut app, "an open mouth", |world| weights(world, face)[1] > 0.3);
}

#[test]
fn the_mouth_rests_before_and_after_speech() {
    let (_folder, mut app) = stage();
    let face = spawn_face(&mut app, "face.glb");
    assert_eq!(weights(app.world(), face), [0.0; 3]);
    let clip = add_clip(&mut app, bursts(0.5));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| speaking(world, face));
    until(&mut app, "speech to end", |world| !speaking(world, face));
    let mut before = weights(app.world(), face)[1];
    for _ in 0..30 {
        app.update();
        let jaw = weights(app.world(), face)[1];
        assert!(jaw <= before + 0.05, "the jaw opens again after the end");
        before = jaw;
    }
    assert_eq!(weights(app.world(), face), [0.0; 3], "exactly nothing, so that the shader skips it");
}

#[test]
fn ten_lines_in_one_frame_are_spoken_one_after_another() {
    let (_folder, mut app) = stage();
    let log = record_events(&mut app);
    let face = spawn_face(&mut app, "face.glb");
    for _ in 0..10 {
        let clip = add_clip(&mut app, bursts(0.2));
        app.world_mut().commands().entity(face).say(clip);
    }
    until(&mut app, "all lines to end", |world| {
        world.get::<Voice>(face).unwrap().is_idle() && log.of(face).len() == 20
    });
    assert_eq!(log.of(face), ["started", "finished"].repeat(10));
}

#[test]
fn an_interruption_closes_the_mouth_within_its_fade_and_names_every_line() {
    let (_folder, mut app) = stage();
    let log = record_events(&mut app);
    let face = spawn_face(&mut app, "face.glb");
    for _ in 0..3 {
        let clip = add_clip(&mut app, bursts(5.0));
        app.world_mut().commands().entity(face).say(clip);
    }
    until(&mut app, "the mouth to open", |world| speaking(world, face) && weights(world, face)[1] > 0.3);
    app.world_mut().commands().entity(face).interrupt(Duration::from_millis(200));
    app.update();
    assert!(!speaking(app.world(), face));
    let jaw = weights(app.world(), face)[1];
    assert!(jaw > 0.1, "it snaps shut instead of closing: {jaw}");
    for _ in 0..13 {
        app.update();
    }
    assert_eq!(weights(app.world(), face), [0.0; 3]);
    let said = log.of(face);
    assert_eq!(said.iter().filter(|what| what.starts_with("interrupted")).count(), 3, "{said:?}");
    assert_eq!(said[2..], ["interrupted at 0.0", "interrupted at 0.0"]);
    // A new line can follow at once.
    let clip = add_clip(&mut app, bursts(0.3));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the next line to end", |_| log.of(face).last().is_some_and(|what| what == "finished"));
}

#[test]
fn whoever_is_despawned_in_mid_word_takes_nobody_along() {
    let (_folder, mut app) = stage();
    let log = record_events(&mut app);
    let (gone, stays) = (spawn_face(&mut app, "face.glb"), spawn_face(&mut app, "face.glb"));
    let clip = add_clip(&mut app, bursts(1.0));
    for face in [gone, stays] {
        app.world_mut().commands().entity(face).say(clip.clone());
    }
    until(&mut app, "both to speak", |world| speaking(world, gone) && speaking(world, stays));
    app.world_mut().entity_mut(gone).despawn();
    until(&mut app, "the other to finish", |_| log.of(stays).contains(&"finished".into()));
    // And one that is despawned before its first batch is back.
    let brief = spawn_face(&mut app, "face.glb");
    app.world_mut().commands().entity(brief).say(clip);
    app.update();
    app.world_mut().entity_mut(brief).despawn();
    for _ in 0..10 {
        app.update();
    }
}

#[test]
fn a_file_that_is_no_sound_fails_by_name_and_the_next_line_is_spoken() {
    let (folder, mut app) = stage();
    fs::write(folder.path().join("junk.ogg"), "no sound at all").unwrap();
    fs::write(folder.path().join("empty.wav"), "").unwrap();
    let log = record_events(&mut app);
    let (face, other) = (spawn_face(&mut app, "face.glb"), spawn_face(&mut app, "face.glb"));
    let good = add_clip(&mut app, bursts(0.3));
    let server = app.world().resource::<AssetServer>().clone();
    for bad in ["junk.ogg", "empty.wav", "nowhere.flac"] {
        app.world_mut().commands().entity(face).say(server.load(bad));
    }
    app.world_mut().commands().entity(face).say(good.clone());
    app.world_mut().commands().entity(other).say(good);
    until(&mut app, "the good lines", |_| {
        [face, other].iter().all(|face| log.of(*face).last().is_some_and(|what| what == "finished"))
    });
    let said = log.of(face);
    for (index, parts) in
        [["junk.ogg", "not an audio file"], ["empty.wav", "empty"], ["nowhere.flac", "not found"]].iter().enumerate()
    {
        for part in parts {
            assert!(said[index].contains(part), "expected {part:?} in {:?}", said[index]);
        }
    }
    assert_eq!(said[3..], ["started", "finished"]);
    assert_eq!(log.of(other), ["started", "finished"]);
}

#[test]
fn a_model_that_cannot_be_loaded_is_named_and_the_line_is_heard_all_the_same() {
    let (folder, mut app) = stage();
    fs::create_dir(folder.path().join("model")).unwrap();
    let manifest = fs::read_to_string(common::assets().join("../crates/talkie/tests/data/tiny/model.json")).unwrap();
    fs::write(folder.path().join("model/model.json"), manifest).unwrap();
    let log = record_events(&mut app);
    let face = spawn_face(&mut app, "face.glb");
    let model = app.world().resource::<AssetServer>().load("model/model.json");
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().model = model;
    let clip = add_clip(&mut app, bursts(0.3));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line to end", |_| log.of(face).len() == 3);
    let said = log.of(face);
    assert!(said[0].contains("network.onnx") && said[0].contains("model.json"), "{}", said[0]);
    assert_eq!(said[1..], ["started", "finished"]);
}

#[test]
fn speed_and_pause_of_the_game_move_the_face_along() {
    let (_folder, mut app) = stage();
    let face = spawn_face(&mut app, "face.glb");
    app.world_mut().get_mut::<VoiceSettings>(face).unwrap().speed = 2.0;
    let clip = add_clip(&mut app, bursts(2.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "speech to start", |world| speaking(world, face));
    let heard = |app: &App| app.world().get::<Voice>(face).unwrap().heard_seconds();
    let before = heard(&app);
    (0..30).for_each(|_| app.update());
    let passed = heard(&app) - before;
    assert!((passed - 60.0 * FRAME.as_secs_f64()).abs() < 0.01, "{passed}");
    app.world_mut().resource_mut::<Time<Virtual>>().pause();
    let before = heard(&app);
    (0..30).for_each(|_| app.update());
    assert_eq!(heard(&app), before);
}

#[test]
fn verbs_on_an_entity_without_a_face_do_nothing() {
    let (_folder, mut app) = stage();
    let clip = add_clip(&mut app, bursts(0.3));
    let stone = app.world_mut().spawn(Name::new("stone")).id();
    app.world_mut().commands().entity(stone).say(clip).interrupt(Duration::ZERO);
    app.update();
    assert!(app.world().get::<Voice>(stone).is_none());
}

#[test]
fn no_two_systems_disagree_about_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = common::app_in(folder.path());
    app.add_plugins(TalkiePlugins);
    app.configure_schedules(ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..default() });
    app.edit_schedule(PostUpdate, |schedule| {
        schedule.set_build_settings(ScheduleBuildSettings { ambiguity_detection: LogLevel::Error, ..default() });
    });
    app.finish();
    app.cleanup();
    add_tiny_model(&mut app);
    app.update();
}

//! A game on a machine without ONNX Runtime: it starts, says which engine serves, and talks.
//!
//! A file of its own, since the engine is chosen once for each process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::prelude::*;
use bevy_talkie::{
    inference::InferencePlugin,
    prelude::*,
    talkie::inference::{Backend, Runtime, RuntimeOptions},
};
use common::{add_clip, bursts, glb::Character, until, weights};

#[test]
fn the_embedded_engine_serves() {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["jawOpen"], ..default() }.write(folder.path(), "face.glb");
    let mut app = common::app_in(folder.path());
    let runtime = RuntimeOptions { backend: Some(Backend::Tract), ..default() };
    app.add_plugins(TalkiePlugins.build().set(InferencePlugin { runtime }));
    assert_eq!(Runtime::global().unwrap().backend(), Backend::Tract, "chosen before any model can load");
    app.finish();
    app.cleanup();
    app.update();
    let face = common::spawn_face(&mut app, "face.glb");
    let clip = add_clip(&mut app, bursts(1.0));
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the mouth to open", |world| weights(world, face)[0] > 0.3);
}

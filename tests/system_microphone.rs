//! The system's microphones, for real: where ALSA is, one that reads a file.
//!
//! ALSA is configured by its environment before the process starts, so the test runs itself once more with another one.
#![cfg(all(target_os = "linux", feature = "microphone"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{fs, process::Command, thread, time::Duration};

use bevy::{prelude::*, time::TimeUpdateStrategy};
use bevy_talkie::{
    prelude::*,
    voice::microphone::{CaptureSource, SystemMicrophones},
};
use common::{add_tiny_model, bursts, glb::Character, spawn_face, talking_app, weights};

/// Says that this is the process with the other configuration.
const MARK: &str = "TALKIE_TEST_ALSA";

#[test]
fn a_face_follows_a_microphone_of_alsa() {
    if std::env::var_os(MARK).is_some() {
        return follow();
    }
    let folder = tempfile::tempdir().unwrap();
    // Two channels of 32-bit floats, which such a device is opened with.
    let mut raw = Vec::new();
    for _ in 0..40 {
        for sample in bursts(3.0).samples() {
            let sample = sample.to_le_bytes();
            raw.extend([sample, sample].concat());
        }
    }
    let recording = folder.path().join("voice.raw");
    fs::write(&recording, raw).unwrap();
    let configuration = folder.path().join("asound.conf");
    let text = format!(
        "</usr/share/alsa/alsa.conf>\npcm.!default {{ type file, slave.pcm \"null\", file \"/dev/null\", infile \"{}\", format \"raw\" }}\n",
        recording.display()
    );
    fs::write(&configuration, text).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_face_follows_a_microphone_of_alsa", "--nocapture"])
        .env("ALSA_CONFIG_PATH", &configuration)
        .env(MARK, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}

fn follow() {
    let devices = SystemMicrophones.devices().unwrap();
    println!("{devices:?}");
    assert!(devices.iter().any(|device| device.is_default), "{devices:?}");
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    app.insert_resource(TimeUpdateStrategy::Automatic);
    let face = spawn_face(&mut app, "face.glb");
    let live_model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = live_model;
    app.world_mut().entity_mut(face).insert(Microphone::default());
    let mut widest = 0.0_f32;
    for _ in 0..600 {
        app.update();
        thread::sleep(Duration::from_millis(10));
        widest = widest.max(weights(app.world(), face)[1]);
        if widest > 0.3 {
            break;
        }
    }
    let state = app.world().get::<MicrophoneState>(face).unwrap();
    println!("{:?}, {:?}, {} dropped, jaw {widest}", state.status(), state.level(), state.dropped_frames());
    assert!(state.is_open() && widest > 0.3);
    assert!((-40.0..0.5).contains(&state.level().peak_db), "{:?}", state.level());
}

//! A voice that speaks for hours needs no more memory than at its start, inside the engine too.
//!
//! A file of its own, since it looks at the memory of its processes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, process::Command};

use talkie::{inference::Runtime, model::FaceModel};

const ENGINE: &str = "TALKIE_BACKEND";

fn resident_kilobytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs a test of this file once with each engine: one is chosen for each process. Tells whether it is such a run.
fn with_each_engine(test: &str) -> bool {
    if std::env::var_os(ENGINE).is_some() {
        return true;
    }
    for engine in ["ort", "tract"] {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command.args(["--exact", test, "--nocapture"]).env(ENGINE, engine);
        assert!(command.status().unwrap().success(), "{engine}");
    }
    false
}

fn tiny() -> FaceModel {
    FaceModel::load_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny"), Runtime::global()).unwrap()
}

#[test]
fn an_hour_of_a_live_voice_grows_by_next_to_nothing() {
    if !with_each_engine("an_hour_of_a_live_voice_grows_by_next_to_nothing") {
        return;
    }
    let mut model = tiny();
    let mut speech = model.begin(16_000, 1).unwrap();
    let sound = vec![0.1_f32; 320];
    let mut frame = || {
        speech.push(&sound);
        model.advance([&mut speech], 64);
        speech.drain(|pose| assert!(pose.is_finite())).unwrap();
    };
    (0..2_000).for_each(|_| frame());
    let before = resident_kilobytes();
    // A third of an hour is enough to see it.
    (0..60_000).for_each(|_| frame());
    let grown = resident_kilobytes() - before;
    println!("{grown} kB in 60 000 frames of {}", Runtime::global().unwrap().backend());
    assert!(grown < 4_096, "{grown} kB in 60 000 frames");
}

#[test]
fn a_crowd_that_comes_in_ever_other_numbers_grows_by_next_to_nothing() {
    if !with_each_engine("a_crowd_that_comes_in_ever_other_numbers_grows_by_next_to_nothing") {
        return;
    }
    let mut model = tiny();
    let mut crowd: Vec<_> = (0..9).map(|_| model.begin(16_000, 1).unwrap()).collect();
    let sound = vec![0.1_f32; 320 * 7];
    let mut batch = |index: usize| {
        // 63 shapes, one after the other: more than outputs are kept for.
        let (count, frames) = (1 + index % 9, 1 + index % 7);
        for speech in &mut crowd[..count] {
            speech.push(&sound[..320 * frames]);
        }
        model.advance(&mut crowd[..count], frames);
        for speech in &mut crowd[..count] {
            speech.drain(|pose| assert!(pose.is_finite())).unwrap();
        }
    };
    (0..2_000).for_each(&mut batch);
    let before = resident_kilobytes();
    (2_000..22_000).for_each(&mut batch);
    let grown = resident_kilobytes() - before;
    println!("{grown} kB in 20 000 batches of {}", Runtime::global().unwrap().backend());
    assert!(grown < 4_096, "{grown} kB in 20 000 batches");
}

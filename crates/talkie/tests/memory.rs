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

#[test]
fn an_hour_of_a_live_voice_grows_by_next_to_nothing() {
    // The engine is chosen once for each process, and both shall hold.
    if std::env::var_os(ENGINE).is_none() {
        for engine in ["ort", "tract"] {
            let test = ["--exact", "an_hour_of_a_live_voice_grows_by_next_to_nothing", "--nocapture"];
            let this = std::env::current_exe().unwrap();
            assert!(Command::new(this).args(test).env(ENGINE, engine).status().unwrap().success(), "{engine}");
        }
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    let mut model = FaceModel::load_dir(folder, Runtime::global()).unwrap();
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

//! The `talkie` command, as a shell sees it. Needs the feature `cli`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny")
}

/// The default model and its voice lines.
fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

fn talkie(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkie"));
    command.args(arguments).env("TALKIE_MODEL", tiny()).env_remove("TALKIE_BACKEND").env_remove("ORT_DYLIB_PATH");
    command.env_remove("TALKIE_DEVICE");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fails(output: &Output, code: i32, parts: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

fn voice(folder: &Path, seconds: f32) -> String {
    let path = folder.join("voice.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 22_050,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for i in 0..(22_050.0 * seconds) as usize {
        writer.write_sample(((i as f32 * 0.05).sin() * 9_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn animate_writes_the_promised_columns_at_the_promised_rate() {
    let folder = tempfile::tempdir().unwrap();
    let (input, csv) = (voice(folder.path(), 1.0), folder.path().join("track.csv"));
    let output = talkie(&["animate", &input, "-o", csv.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("real-time factor"));
    let csv = fs::read_to_string(csv).unwrap();
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(head.len(), 1 + 52 + 16 + 15);
    assert_eq!(
        (head[0], head[1], head[18], head[52], head[53], head[69]),
        ("time", "eyeBlinkLeft", "jawOpen", "tongueOut", "tongueTipUp", "jawRotationX")
    );
    let rows: Vec<Vec<f64>> = lines.map(|line| line.split(',').map(|value| value.parse().unwrap()).collect()).collect();
    // 50 frames at 50 per second end at 0.98 s: 59 frames at 60 per second lie within.
    assert_eq!(rows.len(), 59);
    assert!(rows.windows(2).all(|pair| (pair[1][0] - pair[0][0] - 1.0 / 60.0).abs() < 2e-6));
    assert!(rows.iter().all(|row| (0.0..=1.0).contains(&row[18])));

    let json = folder.path().join("track.json");
    assert!(talkie(&["animate", &input, "-o", json.to_str().unwrap(), "--fps", "30"]).status().unwrap().success());
    let track: talkie::animation::FaceTrack = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(track.frame_rate().hertz(), 30.0);
}

#[test]
fn bad_input_ends_with_a_reason_and_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let input = voice(folder.path(), 0.2);
    let out = folder.path().join("x.csv");
    let out = out.to_str().unwrap();
    fails(&talkie(&["animate", "nowhere.wav", "-o", out]).output().unwrap(), 1, &["nowhere.wav"]);
    fails(
        &talkie(&["animate", &input, "-o", "x.fbx"]).output().unwrap(),
        1,
        &["x.fbx", ".facetrack, .csv, .json or .glb"],
    );
    fails(
        &talkie(&["animate", &input, "-o", out, "--model", "/nowhere"]).output().unwrap(),
        1,
        &["/nowhere/model.json"],
    );
    fails(&talkie(&["animate", &input, "-o", out, "--fps", "0"]).output().unwrap(), 2, &["fps"]);
    fails(&talkie(&["dance"]).output().unwrap(), 2, &["dance"]);
    let text_file = folder.path().join("text.wav");
    fs::write(&text_file, "not a sound").unwrap();
    fails(
        &talkie(&["animate", text_file.to_str().unwrap(), "-o", out]).output().unwrap(),
        1,
        &["text.wav", "not an audio file"],
    );
    fails(&talkie(&["info"]).env("TALKIE_BACKEND", "abacus").output().unwrap(), 1, &["abacus", "\"ort\" or \"tract\""]);
}

#[test]
fn devices_that_cannot_be_had_give_way_to_the_cpu_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (input, csv) = (voice(folder.path(), 0.5), folder.path().join("track.csv"));
    let animate = |device: &str| {
        let _ = fs::remove_file(&csv);
        let output = talkie(&["animate", &input, "-o", csv.to_str().unwrap(), "--device", device]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stderr), fs::read_to_string(&csv).unwrap())
    };
    let (_, expected) = animate("cpu");
    // Each of them is on one system only.
    let elsewhere = if cfg!(windows) { ("coreml", "CoreML") } else { ("directml", "DirectML") };
    let (said, track) = animate(elsewhere.0);
    assert!(said.contains(&format!("passed over {}: ", elsewhere.1)) && said.contains("CPU"), "{said}");
    assert!(track == expected);
    let tract = talkie(&["info", "--device", "webgpu"]).env("TALKIE_BACKEND", "tract").output().unwrap();
    succeeds(&tract, &["device      CPU", "passed over WebGPU: "]);
    let info = |device: &str| talkie(&["info"]).env("TALKIE_DEVICE", device).output().unwrap();
    succeeds(&info("CPU"), &["device      CPU"]);
    succeeds(&info("auto"), &["device      "]);
    fails(&info("abacus"), 1, &["TALKIE_DEVICE", "\"abacus\"", "directml"]);
    fails(&talkie(&["check", "--device", "abacus"]).output().unwrap(), 2, &["abacus", "webgpu"]);
    succeeds(&talkie(&["check", "--device", elsewhere.0]).output().unwrap(), &["passed over ", "speaks"]);
}

/// A plugin that cannot be loaded is told with its file; without a plugin the hint is what would help.
#[cfg(feature = "webgpu")]
#[test]
fn a_webgpu_plugin_that_is_none_is_passed_over_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("libonnxruntime_providers_webgpu.so");
    fs::write(&junk, "this is no library").unwrap();
    let gone = folder.path().join("gone.so");
    for (library, part) in [(&junk, "libonnxruntime_providers_webgpu.so: "), (&gone, "there is no such file")] {
        let output = talkie(&["info", "--device", "webgpu"]).env("TALKIE_WEBGPU_LIBRARY", library).output().unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        // A real one that lies beside ONNX Runtime is tried next.
        if said.contains("engine      ONNX Runtime") && said.contains("device      CPU") {
            assert!(said.contains("passed over WebGPU: ") && said.contains(part), "{said}");
        }
    }
}

#[test]
fn help_names_every_command() {
    let output = talkie(&["--help"]).output().unwrap();
    for command in ["animate", "info", "eval", "TALKIE_BACKEND"] {
        assert!(text(&output.stdout).contains(command), "{command}");
    }
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let mut command = talkie(&["info"]);
    command.env("TALKIE_BACKEND", "tract").env("TALKIE_MODEL", assets().join("models/voice"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nothing is printed before the model is loaded but a few lines; the rest meets a closed pipe.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn tract_serves_and_agrees_with_onnx_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let input = assets().join("voices/01_ada.ogg");
    let track = |backend: &str| {
        let csv = folder.path().join(format!("{backend}.csv"));
        let output = talkie(&["animate", input.to_str().unwrap(), "-o", csv.to_str().unwrap()])
            .env("TALKIE_BACKEND", backend)
            .env("TALKIE_MODEL", assets().join("models/voice"))
            .output()
            .unwrap();
        output.status.success().then(|| fs::read_to_string(csv).unwrap())
    };
    let values = |csv: &str| -> Vec<f32> {
        csv.lines().skip(1).flat_map(|line| line.split(',')).map(|v| v.parse().unwrap()).collect()
    };
    let tract = track("tract").expect("tract is always there");
    // Where no ONNX Runtime is installed there is nothing to compare with.
    if let Some(ort) = track("ort") {
        let (ort, tract) = (values(&ort), values(&tract));
        assert!(ort.len() > 10_000 && ort.len() == tract.len());
        assert!(ort.iter().zip(&tract).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

#[test]
fn a_library_that_cannot_be_used_is_passed_over_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("libonnxruntime.so");
    fs::write(&junk, "this is no library").unwrap();
    let output = talkie(&["info"]).env("ORT_DYLIB_PATH", &junk).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.contains("passed over") && said.contains("libonnxruntime.so"), "{said}");
}

/// A library that says it is ONNX Runtime 1.10, built on the spot.
#[cfg(target_os = "linux")]
#[test]
fn a_library_that_is_too_old_is_passed_over_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("old.rs"), folder.path().join("libonnxruntime.so.1.10.0"));
    let code = r#"
        #[repr(C)] pub struct Base { api: extern "C" fn(u32) -> usize, version: extern "C" fn() -> *const u8 }
        extern "C" fn api(_: u32) -> usize { 0 }
        extern "C" fn version() -> *const u8 { b"1.10.0\0".as_ptr() }
        static BASE: Base = Base { api, version };
        #[unsafe(no_mangle)] pub extern "C" fn OrtGetApiBase() -> &'static Base { &BASE }
    "#;
    fs::write(&source, code).unwrap();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-o"])
        .arg(&library)
        .arg(&source)
        .status()
        .unwrap();
    assert!(built.success());
    let output = talkie(&["info"]).env("ORT_DYLIB_PATH", &library).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.contains("passed over") && said.contains("1.10.0"), "{said}");
}

fn succeeds(output: &Output, parts: &[&str]) {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for part in parts {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

#[test]
fn official_bundles_are_explained_checked_and_animated() {
    use talkie_standin::{Family, Size, StandIn};
    let folder = tempfile::tempdir().unwrap();
    let bundle = |name: &str, family: Family| {
        let path = folder.path().join(name);
        StandIn::new(family, Size::Tiny).write(&path).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let regression = bundle("mark", Family::Regression);
    let diffusion = bundle("three", Family::Diffusion);
    let emotion = bundle("a2e", Family::Emotion);
    let run = |arguments: &[&str]| talkie(arguments).output().unwrap();
    let parts = ["regression, mark", "16 implicit values", "joy", "52 poses, 43 of them active", "network.onnx"];
    succeeds(&run(&["info", &regression]), &parts);
    succeeds(&run(&["info", &diffusion]), &["Claire, James, Mark", "60 poses per second, 30 of 60 kept", "2 steps"]);
    succeeds(&run(&["info", &emotion]), &["angry becomes anger", "neutral becomes nothing"]);
    succeeds(&run(&["check", &regression]), &["sound", "mark: 50 poses of 2 s"]);
    succeeds(&run(&["check", &diffusion]), &["Claire: 120 poses", "James: 120", "Mark: 120"]);
    succeeds(&run(&["check", &emotion]), &["sound"]);
    succeeds(&run(&["check"]), &["it: "]);

    let (input, csv) = (voice(folder.path(), 1.5), folder.path().join("track.csv"));
    let animate = |more: &[&str]| {
        let csv = csv.to_str().unwrap();
        run(&[&["animate", &input, "-o", csv, "--fps", "30", "--model", &diffusion], more].concat())
    };
    let output = animate(&["--identity", "Mark", "--emotion", "joy=0.9", "--network-fps", "20", "--threads", "2"]);
    succeeds(&output, &[]);
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 1 + 44, "30 poses, the last at 1.45 s");
    succeeds(&animate(&["--emotion-model", &emotion]), &[]);
    fails(&animate(&["--identity", "Anna"]), 1, &["\"Anna\"", "Claire, James, Mark"]);
    fails(&animate(&["--emotion", "glee=1"]), 1, &["\"glee\"", "cheekiness"]);
    fails(&animate(&["--emotion", "joy=3"]), 2, &["0 to 1"]);
    fails(&animate(&["--network-fps", "25"]), 1, &["25 per second"]);
    fails(&animate(&["--emotion-model", &regression]), 1, &["Audio2Emotion"]);
    fs::write(folder.path().join("mark/network.onnx"), b"nothing").unwrap();
    fails(&run(&["check", &regression]), 1, &["network.onnx"]);
    succeeds(&run(&["info", &regression]), &["regression, mark"]);
}

#[test]
fn bind_says_what_a_character_offers_and_fails_where_nothing_would_speak() {
    let folder = tempfile::tempdir().unwrap();
    let ada = assets().join("characters/ada.glb");
    let ada = ada.to_str().unwrap();
    let output = talkie(&["bind", ada]).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "coverage    100 %",
        "mouth       ARKit",
        "face / jawOpen: follows 1 jawOpen",
        "jaw: jaw (not driven: the shape jawOpen moves the jaw)",
    ] {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
    let output = talkie(&["bind", ada, "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["profiles"][0], serde_json::json!(["Mouth", "ARKit"]));
    assert!(report["shapes"].as_array().unwrap().iter().any(|shape| shape["mix"]["jawOpen"] == 1.0));
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let silent = write(
        "silent.gltf",
        br#"{"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"name": "Cube"}]}"#,
    );
    fails(&talkie(&["bind", &silent]).output().unwrap(), 1, &["nothing opens the mouth"]);
    let said = text(&talkie(&["bind", &silent]).output().unwrap().stdout);
    assert!(said.contains("remedy: name the shapes as ARKit does"), "{said}");
    let empty = write("empty.gltf", br#"{"asset": {"version": "2.0"}}"#);
    let said = text(&talkie(&["bind", &empty]).output().unwrap().stdout);
    assert!(said.contains("broken      there is no scene in the file"), "{said}");
    let sound = write("sound.glb", b"RIFF and so on");
    fails(&talkie(&["bind", &sound]).output().unwrap(), 1, &["sound.glb"]);
    let profile = write("ours.rig.ron", b"(name: 3)");
    fails(&talkie(&["bind", ada, "--profile", &profile]).output().unwrap(), 1, &["ours.rig.ron", "line 1, column 7"]);
    fails(&talkie(&["bind", "nobody.vrm"]).output().unwrap(), 1, &["nobody.vrm"]);
}

#[test]
fn transfer_gives_a_head_shapes_and_says_why_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let character = |name: &str| assets().join(format!("characters/{name}.glb")).to_str().unwrap().to_owned();
    let (ada, ben) = (character("ada"), character("ben"));
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Ben without shapes.
    let mut glb = talkie::retarget::Glb::parse(&fs::read(&ben).unwrap()).unwrap();
    for mesh in glb.json["meshes"].as_array_mut().unwrap() {
        mesh.as_object_mut().unwrap().retain(|key, _| key != "weights" && key != "extras");
        for primitive in mesh["primitives"].as_array_mut().unwrap() {
            primitive.as_object_mut().unwrap().retain(|key, _| key != "targets");
        }
    }
    fs::write(at("bare.glb"), glb.to_bytes()).unwrap();
    let output = talkie(&["transfer", &at("bare.glb"), "--from", &ada, "-o", &at("given.glb")]).output().unwrap();
    succeeds(&output, &["100 % of the template's face", "coverage    100 %"]);
    succeeds(&talkie(&["bind", &at("given.glb")]).output().unwrap(), &["face / jawOpen: follows 1 jawOpen"]);
    // Its opening is measured, and the profile that comes of it is read again.
    let voice = assets().join("voices/01_ada.ogg");
    let range = ["bind", &at("given.glb"), "--geometry", "--from", &ada, "--range", "--voice", voice.to_str().unwrap()];
    let mut command = talkie(&range);
    command.args(["-o", &at("given.rig.ron")]).env("TALKIE_MODEL", assets().join("models/voice"));
    succeeds(&command.output().unwrap(), &["opening     ", "gains       jaw "]);
    succeeds(
        &talkie(&["bind", &at("given.glb"), "--profile", &at("given.rig.ron")]).output().unwrap(),
        &["mouth       given"],
    );
    // What is no head.
    fs::write(at("text.glb"), "no glTF").unwrap();
    fails(
        &talkie(&["transfer", &at("text.glb"), "--from", &ada, "-o", &at("x.glb")]).output().unwrap(),
        1,
        &["text.glb"],
    );
    let bare = at("bare.glb");
    fails(
        &talkie(&["transfer", &ben, "--from", &bare, "-o", &at("x.glb")]).output().unwrap(),
        1,
        &["cannot be a template"],
    );
    fails(&talkie(&["bind", &ben, "--range"]).output().unwrap(), 2, &["--geometry"]);
    assert!(!folder.path().join("x.glb").exists());
}

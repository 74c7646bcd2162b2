//! Every way a bundle can be broken, and what is said about it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use talkie::{inference::Runtime, model::FaceModel};

fn tiny() -> (Value, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    let manifest = serde_json::from_slice(&fs::read(folder.join("model.json")).unwrap()).unwrap();
    (manifest, fs::read(folder.join("network.onnx")).unwrap())
}

/// Loads the tiny bundle after a change, and gives what is said.
fn complaint(change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> String {
    let (mut manifest, mut network) = tiny();
    change(&mut manifest, &mut network);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.json"), manifest.to_string()).unwrap();
    fs::write(folder.path().join("network.onnx"), network).unwrap();
    match FaceModel::load_dir(folder.path(), Runtime::global()) {
        Ok(_) => "loads".into(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "expected {part:?} in: {text}");
    }
}

#[test]
fn the_unchanged_bundle_loads() {
    assert_eq!(complaint(|_, _| {}), "loads");
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = FaceModel::load_dir(folder.path(), Runtime::global()).unwrap_err().to_string();
    says(&error, &["model.json", "cannot be read"]);
    fs::write(folder.path().join("model.json"), tiny().0.to_string()).unwrap();
    let error = FaceModel::load_dir(folder.path(), Runtime::global()).unwrap_err().to_string();
    says(&error, &["network.onnx", "cannot be read"]);
}

#[test]
fn wrong_types_and_missing_keys_are_named() {
    says(
        &complaint(|m, _| m["look_ahead_frames"] = json!("four")),
        &["model.json", "look_ahead_frames", "string \"four\""],
    );
    says(&complaint(|m, _| m["features"]["mean"][3] = json!(null)), &["model.json", "features", "null"]);
    says(&complaint(|m, _| m["tensors"]["state"][0]["channels"] = json!(-1)), &["tensors.state[0].channels"]);
    says(&complaint(|m, _| drop(m.as_object_mut().unwrap().remove("channels"))), &["missing field `channels`"]);
    says(&complaint(|m, _| m["kind"] = json!("telepathy")), &["kind", "telepathy", "streaming"]);
}

#[test]
fn values_without_sense_are_named_with_what_was_expected() {
    says(&complaint(|m, _| m["version"] = json!(2)), &["`version` is 2", "expected 1"]);
    says(&complaint(|m, _| m["format"] = json!("gltf")), &["\"gltf\"", "\"talkie-bundle\""]);
    says(&complaint(|m, _| m["sample_rate"] = json!(44_100)), &["44100", "16000"]);
    says(&complaint(|m, _| m["frame_rate"] = json!([0, 1])), &["frame_rate", "0/1"]);
    says(&complaint(|m, _| m["frame_rate"] = json!([30, 1])), &["frame_rate", "30", "50"]);
    says(&complaint(|m, _| m["channels"][1] = json!("mouthSqueeze")), &["channels", "mouthSqueeze", "68"]);
    says(&complaint(|m, _| m["channels"][1] = json!("jawOpen")), &["channels", "jawOpen", "twice"]);
    says(&complaint(|m, _| m["features"]["std"][0] = json!(0.0)), &["features.std", "positive"]);
    says(&complaint(|m, _| m["features"]["mean"] = json!([0.0])), &["features.mean", "1 values", "8"]);
    says(&complaint(|m, _| m["features"]["hop"] = json!(0)), &["features"]);
    says(
        &complaint(|m, _| m["network"] = json!("../secret.onnx")),
        &["network", "../secret.onnx", "within the folder"],
    );
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    says(
        &complaint(|m, _| m["tensors"]["features"] = json!("spectrum")),
        &["network.onnx", "no input \"spectrum\"", "\"mel\""],
    );
    says(&complaint(|m, _| m["tensors"]["output"] = json!("face")), &["no output \"face\"", "\"weights\""]);
    says(&complaint(|m, _| m["channels"] = json!(["jawOpen"])), &["\"weights\"", "3", "expected float32 [?, ?, 1]"]);
    says(
        &complaint(|m, _| m["tensors"]["state"][0]["frames"] = json!(5)),
        &["input \"state_in.0\"", "[?, 8, 2]", "[?, 8, 5]"],
    );
    says(
        &complaint(|m, _| {
            m["features"]["bands"] = json!(40);
            m["features"]["mean"] = json!(vec![0.0; 40]);
            m["features"]["std"] = json!(vec![1.0; 40]);
        }),
        &["input \"mel\"", "8", "40"],
    );
}

#[test]
fn a_network_that_is_none_is_refused() {
    says(&complaint(|_, n| n.clear()), &["network.onnx", "empty"]);
    says(&complaint(|_, n| *n = b"this is not a network at all".to_vec()), &["network.onnx", "not a network"]);
    says(&complaint(|_, n| n.truncate(400)), &["network.onnx", "not a network"]);
}

use std::{collections::BTreeMap, fs, io::Read as _, path::Path, time::Instant};

use serde_json::Value;

use crate::{EMOTIONS, Family, Head, SKIN_POSES, Size, StandIn, TONGUE_POSES};

const FAMILIES: [Family; 3] = [Family::Regression, Family::Diffusion, Family::Emotion];

fn written(stand_in: &StandIn) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    stand_in.write(&folder.path().join("bundle")).expect("it writes");
    let files = fs::read_dir(folder.path().join("bundle")).expect("a folder");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("readable"))
        })
        .collect()
}

/// Arrays of an archive: type, shape and bytes of the values.
fn arrays(bytes: &[u8]) -> BTreeMap<String, (String, Vec<u64>, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).expect("a member");
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("readable");
        let file = npyz::NpyFile::new(bytes.as_slice()).expect("an array");
        let (kind, shape) = (file.dtype().descr(), file.shape().to_vec());
        let npyz::DType::Plain(item) = file.dtype() else { panic!("records") };
        let count = shape.iter().product::<u64>() as usize * item.num_bytes().expect("a size");
        let name = member.name().expect("a name").trim_end_matches(".npy").to_owned();
        arrays.insert(name, (kind, shape, bytes[bytes.len() - count..].to_vec()));
    }
    arrays
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Keys that must be there, with what is there.
fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(files.get(name).unwrap_or_else(|| panic!("no {name}"))).expect("valid JSON")
}

#[test]
fn tiny_bundles_are_small_quick_and_always_the_same() {
    for family in FAMILIES {
        let stand_in = StandIn::new(family, Size::Tiny);
        let began = Instant::now();
        let files = written(&stand_in);
        assert!(began.elapsed().as_secs_f32() < 1.0, "{family:?} took {:?}", began.elapsed());
        let size: usize = files.values().map(Vec::len).sum();
        assert!(size < 2_000_000, "{family:?} has {size} bytes");
        assert!(files == written(&stand_in), "{family:?} differs");
    }
}

#[test]
fn all_files_of_a_regression_bundle_are_there() {
    let files = written(&StandIn::new(Family::Regression, Size::Tiny));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "bs_skin.npz",
            "bs_skin_config.json",
            "bs_tongue.npz",
            "bs_tongue_config.json",
            "implicit_emo_db.npz",
            "model.json",
            "model_config.json",
            "model_data.npz",
            "network.onnx",
            "network_info.json",
            "trt_info.json"
        ]
    );
    let model = json(&files, "model.json");
    assert_eq!(model["networkPath"], "network.trt");
    for key in [
        "/networkInfoPath",
        "/emotionDatabasePath",
        "/modelConfigPath",
        "/modelDataPath",
        "/blendshapePaths/skin/config",
        "/blendshapePaths/skin/data",
        "/blendshapePaths/tongue/config",
        "/blendshapePaths/tongue/data",
    ] {
        let name = model.pointer(key).and_then(Value::as_str).unwrap_or_else(|| panic!("no {key}"));
        assert!(files.contains_key(name), "{name}");
    }
    let info = json(&files, "network_info.json");
    assert_eq!((&info["id"]["type"], &info["id"]["actor"]), (&"regression".into(), &"mark".into()));
    let config = json(&files, "model_config.json");
    assert_eq!(config["config"].as_object().expect("an object").len(), 26);
    assert_eq!((&config["config"]["skin_strength"], &config["config"]["source_frame"]), (&1.1.into(), &42.into()));

    let data = arrays(&files["model_data.npz"]);
    let shapes: Vec<(&str, &str, &[u64])> =
        data.iter().map(|(name, (kind, shape, _))| (name.as_str(), kind.as_str(), shape.as_slice())).collect();
    assert_eq!(
        shapes,
        [
            ("eye_close_pose_delta", "'<f4'", &[300, 3][..]),
            ("lip_open_pose_delta", "'<f4'", &[300, 3]),
            ("neutral_jaw", "'<f4'", &[5, 3]),
            ("saccade_rot_matrix", "'<f4'", &[5000, 2]),
            ("shapes_matrix_skin", "'<f4'", &[60, 300, 3]),
            ("shapes_matrix_tongue", "'<f4'", &[10, 60, 3]),
            ("shapes_mean_skin", "'<f4'", &[300, 3]),
            ("shapes_mean_tongue", "'<f4'", &[60, 3]),
        ]
    );
    for (name, (_, _, bytes)) in &data {
        let values = floats(bytes);
        assert!(values.iter().all(|value| value.is_finite()) && values.iter().any(|value| *value != 0.0), "{name}");
    }
    let saccades = floats(&data["saccade_rot_matrix"].2);
    assert!(saccades.iter().all(|value| value.abs() < 2.0));

    let emotions = arrays(&files["implicit_emo_db.npz"]);
    assert_eq!(emotions["emo_spec_names"].0, "'|S10'");
    assert_eq!(emotions["emo_spec_names"].2[..10], *b"p1_neutral");
    assert_eq!((emotions["emo_spec_start"].0.as_str(), emotions["emo_spec_size"].0.as_str()), ("'<i4'", "'<i4'"));
    assert_eq!(emotions["emo_db"].1, [100, 16]);
}

#[test]
fn blend_shapes_are_there_with_their_settings() {
    let files = written(&StandIn::new(Family::Regression, Size::Tiny));
    for (part, names, vertices) in [("skin", &SKIN_POSES[..], 300), ("tongue", &TONGUE_POSES[..], 60)] {
        let shapes = arrays(&files[&format!("bs_{part}.npz")]);
        let (kind, _, bytes) = &shapes["poseNames"];
        let width: usize = kind.trim_matches('\'').trim_start_matches("|S").parse().expect("byte strings");
        let all = std::iter::once(&"neutral").chain(names);
        for (name, bytes) in all.zip(bytes.chunks(width)) {
            assert_eq!(bytes.trim_ascii_end().split(|byte| *byte == 0).next(), Some(name.as_bytes()));
            assert_eq!(shapes[*name].1, [vertices, 3], "{name}");
            assert!(floats(&shapes[*name].2).iter().any(|value| value.abs() > 0.03), "{name} is still");
        }
        assert_eq!(shapes.len(), names.len() + 2 + usize::from(part == "skin"));
        let params = &json(&files, &format!("bs_{part}_config.json"))["blendshape_params"];
        for key in [
            "bsSolveActivePoses",
            "bsSolveCancelPoses",
            "bsSolveSymmetryPoses",
            "bsWeightMultipliers",
            "bsWeightOffsets",
        ] {
            assert_eq!(params[key].as_array().map(Vec::len), Some(names.len()), "{key}");
        }
        assert_eq!(params["numPoses"], names.len());
    }
    let (kind, shape, bytes) = &arrays(&files["bs_skin.npz"])["frontalMask"];
    assert_eq!((kind.as_str(), shape.as_slice()), ("'<i4'", &[200][..]));
    assert!(bytes.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).is_sorted());
    let skin = &json(&files, "bs_skin_config.json")["blendshape_params"];
    let numbers =
        |key: &str| skin[key].as_array().expect("numbers").iter().filter_map(Value::as_i64).collect::<Vec<_>>();
    let (active, pairs) = (numbers("bsSolveActivePoses"), numbers("bsSolveSymmetryPoses"));
    assert_eq!((active.iter().sum::<i64>(), &active[..6], active[51]), (43, &[1, 0, 0, 0, 0, 1][..], 0));
    assert_eq!((&pairs[..8], pairs[51]), (&[0, -1, -1, -1, -1, -1, 1, 0][..], -1));
    for id in 0..13 {
        assert_eq!(pairs.iter().filter(|pair| **pair == id).count(), 2, "{id}");
    }
}

#[test]
fn a_diffusion_bundle_has_files_for_every_identity() {
    let files = written(&StandIn::new(Family::Diffusion, Size::Tiny));
    assert_eq!(files.len(), 4 + 3 * 6);
    let model = json(&files, "model.json");
    let identities = ["Claire", "James", "Mark"];
    for (index, identity) in identities.iter().enumerate() {
        assert_eq!(model["modelConfigPaths"][index], format!("model_config_{identity}.json"));
        assert_eq!(model["modelDataPaths"][index], format!("model_data_{identity}.npz"));
        assert_eq!(model["blendshapePaths"][index]["skin"]["data"], format!("bs_skin_{identity}.npz"));
        assert_eq!(model["blendshapePaths"][index]["tongue"]["config"], format!("bs_tongue_config_{identity}.json"));
        let data = arrays(&files[&format!("model_data_{identity}.npz")]);
        assert_eq!(data.len(), 6);
        assert_eq!(data["neutral_skin"].1, [300, 3]);
        // The neutral of the network is that of the shapes.
        let shapes = arrays(&files[&format!("bs_skin_{identity}.npz")]);
        assert_eq!(shapes["neutral"].2, data["neutral_skin"].2);
        let config = json(&files, &format!("model_config_{identity}.json"));
        assert_eq!(config["config"].as_object().expect("an object").len(), 24);
    }
    let info = json(&files, "network_info.json");
    assert_eq!(info["params"]["identities"], serde_json::json!(identities));
    assert_eq!(info["params"]["skin_size"], 900);
    assert_eq!(info["audio_params"]["padding_left"], 16_000);
    let [claire, mark] =
        ["Claire", "Mark"].map(|name| arrays(&files[&format!("model_data_{name}.npz")])["neutral_skin"].2.clone());
    assert_ne!(claire, mark);
}

#[test]
fn an_emotion_bundle_names_what_each_emotion_becomes() {
    let files = written(&StandIn::new(Family::Emotion, Size::Tiny));
    assert_eq!(files.len(), 5);
    let info = json(&files, "network_info.json");
    let config = &json(&files, "model_config.json")["post_processing_config"];
    for (emotion, index) in info["emotions"].as_array().expect("names").iter().zip([1, 3, 4, 6, -1, 9]) {
        assert_eq!(config["emotion_correspondence"][emotion.as_str().expect("a name")], index);
    }
    assert_eq!(config["preferred_emotion"].as_array().map(Vec::len), Some(EMOTIONS.len()));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writable");
    let error = StandIn::new(Family::Emotion, Size::Tiny).with_head(Head::procedural()).write(&file.join("in it"));
    let said = error.expect_err("a file is no folder").to_string();
    assert!(said.contains(Path::new("in it").to_str().expect("text")), "{said}");
}

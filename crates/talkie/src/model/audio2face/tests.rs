use std::io::{Cursor, Write as _};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::arrays::{Arrays, Length};
use super::{BundleFiles, DiffusionInfo, EmotionDatabase, EmotionInfo, Family, GeometryData, RegressionInfo};

/// One array in the form of NumPy: type, dimensions, bytes.
struct Npy {
    kind: &'static str,
    shape: Vec<usize>,
    fortran: bool,
    bytes: Vec<u8>,
}

impl Npy {
    fn floats(shape: &[usize], value: impl Fn(usize) -> f32) -> Self {
        let count = shape.iter().product();
        let bytes = (0..count).flat_map(|index| value(index).to_le_bytes()).collect();
        Self { kind: "<f4", shape: shape.into(), fortran: false, bytes }
    }

    fn integers(values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { kind: "<i4", shape: vec![values.len()], fortran: false, bytes }
    }

    fn names(names: &[&str]) -> Self {
        let bytes = names.iter().flat_map(|name| format!("{name:\0<12}").into_bytes()).collect();
        Self { kind: "|S12", shape: vec![names.len()], fortran: false, bytes }
    }

    fn file(&self) -> Vec<u8> {
        let order = if self.fortran { "True" } else { "False" };
        let lengths: String = self.shape.iter().map(|length| format!("{length},")).collect();
        let mut header = format!("{{'descr': '{}', 'fortran_order': {order}, 'shape': ({lengths}), }}", self.kind);
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.into_bytes());
        file.extend(&self.bytes);
        file
    }
}

fn archive<'a>(members: impl IntoIterator<Item = (&'a str, Vec<u8>)>, method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method))
            .expect("a member");
        zip.write_all(&bytes).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

fn npz<'a>(arrays: impl IntoIterator<Item = (&'a str, Npy)>) -> Vec<u8> {
    archive(arrays.into_iter().map(|(name, array)| (name, array.file())), CompressionMethod::Deflated)
}

const PATH: &str = "bundle/file";

fn said<T>(result: Result<T, crate::model::BundleError>) -> String {
    match result {
        Ok(_) => "nothing wrong".into(),
        Err(error) => error.to_string(),
    }
}

fn regression_info() -> Value {
    json!({
        "id": {"type": "regression", "output": "geometry", "actor": "mark"},
        "params": {
            "explicit_emotions": ["anger", "joy"], "default_emotion": [0.0, 0], "implicit_emotion_len": 3,
            "num_shapes_skin": 2, "num_shapes_tongue": 1, "num_verts_skin": 4, "num_verts_tongue": 2,
            "result_jaw_size": 15, "result_eyes_size": 4,
        },
        "audio_params": {"buffer_len": 8320, "buffer_ofs": 4160, "samplerate": 16000},
        "unknown": 1,
    })
}

fn diffusion_info() -> Value {
    json!({
        "id": {"type": "diffusion", "output": "geometry"},
        "params": {
            "emotions": ["anger"], "default_emotion": [0], "identities": ["Claire", "James"],
            "skin_size": 12, "tongue_size": 6, "jaw_size": 15, "eyes_size": 4, "num_diffusion_steps": 2,
            "num_gru_layers": 2, "gru_latent_dim": 8, "num_frames_left_truncate": 15, "num_frames_right_truncate": 15,
            "num_frames_center": 30,
        },
        "audio_params": {"buffer_len": 16000, "padding_left": 16000, "padding_right": 16000, "samplerate": 16000},
    })
}

fn bytes(json: &Value) -> Vec<u8> {
    json.to_string().into_bytes()
}

/// Every path to a value of an object, by JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let pointer = format!("{at}/{key}");
        pointers(value, &pointer, found);
        found.push(pointer);
    }
}

fn without(json: &Value, pointer: &str) -> Value {
    let mut json = json.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    if let Some(parent) = json.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.remove(key);
    }
    json
}

#[test]
fn sizes_and_names_are_read() {
    let info = RegressionInfo::parse(&bytes(&regression_info()), Path::new(PATH)).expect("valid");
    assert_eq!((info.result_len(), info.identity.as_str(), info.window, info.offset), (22, "mark", 8320, 4160));
    let info = DiffusionInfo::parse(&bytes(&diffusion_info()), Path::new(PATH)).expect("valid");
    assert_eq!((info.frames(), info.frame_len(), info.identities.len()), (60, 37, 2));
    let json = json!({"audio_params": {"samplerate": 16000}, "emotions": ["angry", "sad"]});
    assert_eq!(EmotionInfo::parse(&bytes(&json), Path::new(PATH)).expect("valid").emotions.len(), 2);
}

#[test]
fn a_missing_or_mistyped_key_is_named() {
    let regression = |bytes: &[u8]| said(RegressionInfo::parse(bytes, Path::new(PATH)));
    let diffusion = |bytes: &[u8]| said(DiffusionInfo::parse(bytes, Path::new(PATH)));
    type Refusal<'a> = &'a dyn Fn(&[u8]) -> String;
    let families: [(Value, &str, Refusal<'_>); 2] =
        [(regression_info(), "/unknown", &regression), (diffusion_info(), "/audio_params/padding_right", &diffusion)];
    for (json, optional, read) in families {
        let parse = |json: &Value| read(&bytes(json));
        let mut all = Vec::new();
        pointers(&json, "", &mut all);
        assert!(all.len() > 12);
        for pointer in all.iter().filter(|pointer| *pointer != optional) {
            let key = pointer.rsplit('/').next().expect("a key");
            let missing = parse(&without(&json, pointer));
            assert!(missing.contains(PATH) && missing.contains(key), "without {pointer}: {missing}");
            let mut mistyped = json.clone();
            *mistyped.pointer_mut(pointer).expect("there") = json!({"a": [true]});
            let wrong = parse(&mistyped);
            assert!(
                wrong.contains(PATH) && wrong.contains(key.trim_end_matches('s')),
                "another type at {pointer}: {wrong}"
            );
        }
    }
}

#[test]
fn values_that_make_no_sense_are_named() {
    let change = |mut json: Value, pointer: &str, value: Value| {
        *json.pointer_mut(pointer).expect("there") = value;
        json
    };
    for (pointer, value, expected) in [
        ("/id/type", json!("diffusion"), "\"regression\""),
        ("/id/output", json!("blendshapes"), "\"geometry\""),
        ("/params/default_emotion", json!([0.0]), "2, one for each emotion"),
        ("/params/num_verts_skin", json!(0), "1 to"),
        ("/params/num_verts_skin", json!(u64::MAX), "1 to"),
        ("/params/num_verts_tongue", json!(-4), "integer `-4`"),
        ("/params/result_jaw_size", json!(14), "multiple of 3"),
        ("/params/result_eyes_size", json!(5), "4: two for each eye"),
        ("/audio_params/buffer_ofs", json!(9000), "at most 8320"),
        ("/audio_params/samplerate", json!(48000), "16000"),
    ] {
        let error = said(RegressionInfo::parse(&bytes(&change(regression_info(), pointer, value)), Path::new(PATH)));
        assert!(error.contains(expected) && error.contains(PATH), "{pointer}: {error}");
    }
    let error =
        said(DiffusionInfo::parse(&bytes(&change(diffusion_info(), "/params/skin_size", json!(13))), Path::new(PATH)));
    assert!(error.contains("params.skin_size") && error.contains("multiple of 3"), "{error}");
    let error = said(DiffusionInfo::parse(&bytes(&regression_info()), Path::new(PATH)));
    assert!(error.contains("id.type") && error.contains("\"diffusion\""), "{error}");
}

fn model_json() -> Value {
    let part = |name: &str| json!({"config": format!("bs_{name}_config.json"), "data": format!("bs_{name}.npz")});
    json!({
        "networkInfoPath": "network_info.json", "networkPath": "network.trt", "emotionDatabasePath": "implicit_emo_db.npz",
        "modelConfigPath": "model_config.json", "modelDataPath": "model_data.npz",
        "blendshapePaths": {"skin": part("skin"), "tongue": part("tongue")},
    })
}

#[test]
fn the_family_follows_from_the_files() {
    let parse = |json: &Value| BundleFiles::parse(&bytes(json), Path::new(PATH));
    let regression = parse(&model_json()).expect("valid");
    assert_eq!((regression.family, regression.identities.len()), (Family::Regression, 1));
    assert_eq!(regression.identities[0].blendshapes.as_ref().expect("shapes").tongue.data, "bs_tongue.npz");
    let mut framework = model_json();
    framework["blendshapePaths"] = json!({});
    assert_eq!(parse(&framework).expect("valid").identities[0].blendshapes, None);
    let emotion = json!({"networkInfoPath": "n.json", "networkPath": "network.onnx", "modelConfigPath": "m.json"});
    assert_eq!(parse(&emotion).expect("valid").family, Family::Emotion);
    let both = model_json()["blendshapePaths"].clone();
    let mut diffusion = json!({
        "networkInfoPath": "n.json", "networkPath": "network.trt", "modelConfigPaths": ["a.json", "b.json"],
        "modelDataPaths": ["a.npz", "b.npz"], "blendshapePaths": [both, both],
    });
    assert_eq!(parse(&diffusion).expect("valid").identities.len(), 2);
    diffusion["blendshapePaths"] = json!([both]);
    assert!(said(parse(&diffusion)).contains("blendshapePaths"));
    diffusion["blendshapePaths"] = both;
    assert!(said(parse(&diffusion)).contains("an array with one for every identity"));
    diffusion["blendshapePaths"] = json!([]);
    diffusion["modelDataPaths"] = json!(["a.npz"]);
    assert!(said(parse(&diffusion)).contains("modelDataPaths"));
    for key in ["networkInfoPath", "networkPath", "emotionDatabasePath", "modelConfigPath", "modelDataPath"] {
        let error = said(parse(&without(&model_json(), &format!("/{key}"))));
        assert!(error.contains(key) && error.contains(PATH), "without {key}: {error}");
    }
    let error = said(parse(&without(&model_json(), "/blendshapePaths/tongue")));
    assert!(error.contains("only one of skin and tongue"), "{error}");
    assert!(BundleFiles::recognises(&bytes(&model_json())) && !BundleFiles::recognises(b"{\"format\": 1}"));
}

#[test]
fn the_network_is_looked_for_beside_the_engine_that_is_named() {
    let named = |name: &str| {
        let mut json = model_json();
        json["networkPath"] = json!(name);
        BundleFiles::parse(&bytes(&json), Path::new(PATH)).expect("valid").network_candidates()
    };
    assert_eq!(named("network.trt"), ["network.onnx"]);
    assert_eq!(named("other.onnx"), ["other.onnx"]);
    assert_eq!(named("engines/a2f_fp16.trt"), ["engines/a2f_fp16.onnx", "engines/a2f.onnx", "engines/network.onnx"]);
}

/// Arrays of a regression bundle with the sizes of `regression_info`.
fn model_data() -> Vec<(&'static str, Npy)> {
    vec![
        ("shapes_matrix_skin", Npy::floats(&[2, 4, 3], |index| index as f32)),
        ("shapes_mean_skin", Npy::floats(&[4, 3], |index| index as f32)),
        ("lip_open_pose_delta", Npy::floats(&[4, 3], |index| index as f32)),
        ("eye_close_pose_delta", Npy::floats(&[4, 3], |index| index as f32)),
        ("shapes_matrix_tongue", Npy::floats(&[1, 2, 3], |index| index as f32)),
        ("shapes_mean_tongue", Npy::floats(&[2, 3], |index| index as f32)),
        ("neutral_jaw", Npy::floats(&[5, 3], |index| index as f32)),
        ("saccade_rot_matrix", Npy::floats(&[9, 2], |index| index as f32)),
        ("blink_keys", Npy::floats(&[1], |_| 0.0)),
    ]
}

#[test]
fn shapes_are_read_and_every_wrong_array_is_named() {
    let info = RegressionInfo::parse(&bytes(&regression_info()), Path::new(PATH)).expect("valid");
    let read = |arrays: Vec<(&'static str, Npy)>| GeometryData::regression(npz(arrays), Path::new(PATH), &info);
    let data = read(model_data()).expect("valid");
    let mut expanded = [0.0; 12];
    let [skin, _] = data.bases.as_ref().expect("bases");
    skin.expand(&[0.0, 1.0], &mut expanded).expect("two shapes");
    assert_eq!(expanded, core::array::from_fn(|index| 12.0 + index as f32));
    assert_eq!((data.saccades.len(), data.jaw_neutral.len()), (18, 15));
    type Change = fn(&mut Npy);
    let changes: [(&str, Change, &str); 7] = [
        ("shape", |array| *array.shape.last_mut().expect("a dimension") -= 1, "shape ["),
        ("rank", |array| array.shape.insert(0, 1), "shape ["),
        ("type", |array| array.kind = "<i4", "expected floats"),
        ("claim", |array| array.shape = vec![1 << 20, 1 << 12], "bytes"),
        ("absurd", |array| array.shape = vec![usize::MAX, usize::MAX], "claims too much"),
        ("short", |array| array.bytes.truncate(3), "bytes"),
        ("not a number", |array| array.bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()), "NaN at index 0"),
    ];
    for index in 0..model_data().len() - 1 {
        let name = model_data()[index].0;
        let mut missing = model_data();
        missing.remove(index);
        let error = said(read(missing));
        assert!(error.contains(&format!("{name:?} is missing")) && error.contains(PATH), "{error}");
        for (what, change, expected) in changes {
            let mut arrays = model_data();
            change(&mut arrays[index].1);
            let error = said(read(arrays));
            assert!(error.contains(&format!("{name:?}")) && error.contains(expected), "{what} of {name}: {error}");
        }
    }
    let mut columns = model_data();
    columns[0].1.fortran = true;
    assert!(said(read(columns)).contains("column after column"));
    let mut flat = model_data();
    flat[1].1 = Npy::floats(&[4, 3], |_| 1.0);
    assert!(said(read(flat)).contains("at height 1"));
}

#[test]
fn an_identity_of_a_diffusion_bundle_has_no_bases() {
    let info = DiffusionInfo::parse(&bytes(&diffusion_info()), Path::new(PATH)).expect("valid");
    let renamed = |name: &'static str| match name {
        "shapes_mean_skin" => "neutral_skin",
        "shapes_mean_tongue" => "neutral_tongue",
        other => other,
    };
    let arrays = || model_data().into_iter().map(|(name, array)| (renamed(name), array));
    let data = GeometryData::diffusion(npz(arrays()), Path::new(PATH), &info).expect("valid");
    assert_eq!((data.skin.neutral().len(), data.tongue_neutral.len(), data.bases), (12, 6, None));
    let error = said(GeometryData::diffusion(npz(model_data()), Path::new(PATH), &info));
    assert!(error.contains("\"neutral_skin\" is missing"), "{error}");
}

#[test]
fn other_floats_are_converted_and_stored_members_are_read() {
    let mut array = Npy::floats(&[2], |_| 0.0);
    (array.kind, array.bytes) = ("<f8", [0.5f64, -3.0].iter().flat_map(|value| value.to_le_bytes()).collect());
    let mut half = Npy::floats(&[2], |_| 0.0);
    let halves = [0.5f32, -3.0].map(half::f16::from_f32);
    (half.kind, half.bytes) = ("<f2", halves.iter().flat_map(|value| value.to_le_bytes()).collect());
    let stored = archive([("double", array.file()), ("half", half.file())], CompressionMethod::Stored);
    let mut arrays = Arrays::open(Path::new(PATH), stored).expect("an archive");
    for name in ["double", "half"] {
        assert_eq!(arrays.floats(name, &[Length::Is(2)]).expect("floats").values, [0.5, -3.0], "{name}");
    }
    assert!(said(Arrays::open(Path::new(PATH), b"no zip".to_vec()).map(drop)).contains("not an .npz archive"));
}

fn database(start: &[i32], size: &[i32]) -> Result<EmotionDatabase, crate::model::BundleError> {
    let arrays = [
        ("emo_spec_names", Npy::names(&["p1_neutral", "g1c_neutral_"])),
        ("emo_spec_start", Npy::integers(start)),
        ("emo_spec_size", Npy::integers(size)),
        ("emo_db", Npy::floats(&[5, 3], |index| index as f32)),
    ];
    EmotionDatabase::parse(npz(arrays), Path::new(PATH), 3)
}

#[test]
fn implicit_emotions_are_found_by_shot_and_frame() {
    let found = database(&[0, 2], &[2, 3]).expect("valid");
    assert_eq!(found.emotion("p1_neutral", 1), Ok([3.0, 4.0, 5.0].as_slice()));
    // A name may fill the whole width.
    assert_eq!(found.emotion("g1c_neutral_", 2), Ok([12.0, 13.0, 14.0].as_slice()));
    assert!(found.emotion("p1_neutral", 2).expect_err("no such frame").contains("below 2"));
    assert!(found.emotion("p9", 0).expect_err("no such shot").contains("p1_neutral"));
    assert!(said(database(&[0, 2], &[2, 4])).contains("emo_db"));
    assert!(said(database(&[0, -2], &[2, 3])).contains("emo_spec_start"));
    assert!(said(database(&[0], &[2, 3])).contains("emo_spec_start"));
}

proptest! {
    /// Whatever bytes there are: an answer, no panic.
    #[test]
    fn damaged_archives_are_refused(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let info = RegressionInfo::parse(&bytes(&regression_info()), Path::new(PATH)).expect("valid");
        let members = model_data().into_iter().map(|(name, array)| (name, array.file()));
        let mut damaged = archive(members, CompressionMethod::Stored);
        for (index, value) in flips {
            let at = index.index(damaged.len());
            damaged[at] = value;
        }
        if let Ok(data) = GeometryData::regression(damaged, Path::new(PATH), &info) {
            prop_assert!(data.skin.neutral().iter().all(|value| value.is_finite()));
        }
    }
}

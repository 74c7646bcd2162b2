//! Tracks as animations of a character's file, read back.

use std::collections::BTreeMap;

use glam::{Mat4, Quat, Vec3};
use gltf::animation::util::ReadOutputs;
use serde_json::json;
use talkie::{
    animation::{FaceChannel, FacePose, FaceTrack, FrameRate},
    retarget::{AnimateGlbError, Binding, Glb, RigProfile, animate_glb, bind, open_gltf, rig_of},
};

use super::{default_glb, spoken, variants};

/// What a key may be off by.
const CLOSE: f32 = 1e-4;

/// The first voice line, with a head that nods and eyes that wander.
fn track() -> FaceTrack {
    let mut track = FaceTrack::new(FrameRate::per_second(25));
    for (frame, mut pose) in spoken().into_iter().enumerate() {
        let at = frame as f32 * 0.1;
        pose.head_rotation = Quat::from_euler(glam::EulerRot::YXZ, 0.1 * at.sin(), 0.2 * at.cos(), 0.0);
        pose.left_eye = glam::Vec2::new(0.2 * at.sin(), 0.1);
        pose.right_eye = pose.left_eye;
        track.push(pose);
    }
    track
}

fn bound(glb: &[u8]) -> Binding {
    bind(&rig_of(&open_gltf(glb).unwrap()), &RigProfile::builtin().iter().collect::<Vec<_>>()).0
}

/// By node and property, so many numbers for each time.
type Keys = BTreeMap<(String, &'static str), Vec<f32>>;

/// Times and keys of the animation of this name.
fn keys(file: &gltf::Gltf, name: &str) -> (Vec<f32>, Keys) {
    let animation = file.animations().find(|animation| animation.name() == Some(name)).unwrap();
    let mut keys = BTreeMap::new();
    let mut times = Vec::new();
    for channel in animation.channels() {
        let reader = channel.reader(|_| file.blob.as_deref());
        times = reader.read_inputs().unwrap().collect();
        assert_eq!(channel.sampler().interpolation(), gltf::animation::Interpolation::Linear);
        let (path, values) = match reader.read_outputs().unwrap() {
            ReadOutputs::MorphTargetWeights(weights) => ("weights", weights.into_f32().collect::<Vec<f32>>()),
            ReadOutputs::Rotations(turns) => ("rotation", turns.into_f32().flatten().collect()),
            ReadOutputs::Translations(shifts) => ("translation", shifts.flatten().collect()),
            ReadOutputs::Scales(_) => panic!("nothing is scaled"),
        };
        keys.insert((channel.target().node().name().unwrap().to_owned(), path), values);
    }
    (times, keys)
}

/// Animates a character and compares all keys with what its binding says; gives what it moves.
fn check(glb: &Glb) -> Vec<(String, &'static str)> {
    let (bytes, track) = (glb.to_bytes(), track());
    let mut binding = bound(&bytes);
    let file = open_gltf(&animate_glb(&bytes, &mut binding, &track, "line").unwrap()).unwrap();
    let (times, keys) = keys(&file, "line");
    assert!(times.len() == track.len() && track.iter().zip(&times).all(|((time, _), key)| time as f32 == *key));
    let rig = rig_of(&file);
    let node = |name: &str| file.nodes().find(|node| node.name() == Some(name)).unwrap();
    for (frame, (_, pose)) in track.iter().enumerate() {
        binding.follow(pose);
        for drive in binding.shapes() {
            let mesh = &rig.meshes[drive.mesh];
            let count = mesh.shapes.len();
            let shown = &keys[&(mesh.name.clone(), "weights")][frame * count..][..count];
            let usual = node(&mesh.name).mesh().unwrap().weights().map_or(vec![0.0; count], <[f32]>::to_vec);
            for (shape, (shown, usual)) in shown.iter().zip(usual).enumerate() {
                let mut targets = drive.shapes().map(|range| &drive.targets[range]);
                let targets = targets.find(|targets| usize::from(targets[0].shape) == shape);
                let wanted = targets.map_or(usual, |targets| binding.weight(targets));
                assert!((shown - wanted).abs() < CLOSE, "{} {shape}: {shown} instead of {wanted}", mesh.name);
            }
        }
        for drive in binding.joints() {
            let name = &rig.nodes[drive.node].name;
            let (turn, shift) = drive.motion(pose);
            let (place, rest, _) = node(name).transform().decomposed();
            let key = |path, count: usize| Some(&keys.get(&(name.clone(), path))?[frame * count..][..count]);
            let wanted = Quat::from_array(rest) * turn;
            let shown = key("rotation", 4).map_or(Quat::from_array(rest), Quat::from_slice);
            assert!(shown.dot(wanted).abs() > 1.0 - CLOSE, "{name}: {shown} instead of {wanted}");
            let shown = key("translation", 3).map_or(Vec3::from(place), Vec3::from_slice);
            assert!(shown.distance(Vec3::from(place) + shift) < CLOSE, "{name}: {shown}");
        }
    }
    keys.into_keys().collect()
}

fn moves(moved: &[(String, &'static str)], name: &str, path: &str) -> bool {
    moved.iter().any(|(node, of)| node == name && *of == path)
}

#[test]
fn an_animation_shows_what_the_binding_says() {
    let ada = default_glb();
    let moved = check(&ada);
    assert!(moves(&moved, "face", "weights") && moves(&moved, "head", "rotation"), "{moved:?}");
    assert!(!moves(&moved, "jaw", "rotation"), "a shape opens the jaw: {moved:?}");
    assert!(!moves(&moved, "head", "translation"), "nothing shifts the head: {moved:?}");
    // Several shapes on one control, fitted postures, avatars, shapes over many meshes.
    let family = |name: &str| RigProfile::builtin().iter().find(|profile| profile.name == name).unwrap();
    check(&variants::as_family(&ada, family("Oculus visemes and Ready Player Me"), |_| true));
    check(&variants::as_vrm(&variants::as_family(&ada, family("VRM expressions"), |_| true), 1));
    assert!(check(&variants::split(&ada)).iter().filter(|(_, path)| *path == "weights").count() > 3);
}

#[test]
fn joints_turn_and_shift_even_where_a_matrix_placed_them() {
    let lip = |name, y, above| variants::Added { name, above, place: Vec3::new(0.0, y, 0.142) };
    let mut glb = variants::jointed(&default_glb(), &[lip("oris05", 0.086, "head"), lip("oris01", 0.077, "jaw")]);
    for node in glb.json["nodes"].as_array_mut().unwrap().iter_mut().filter(|node| node["name"] == "jaw") {
        let read = |key: &str| serde_json::from_value::<Vec<f32>>(node[key].clone()).ok();
        let place = read("translation").map_or(Vec3::ZERO, |v| Vec3::from_slice(&v));
        let turn = read("rotation").map_or(Quat::IDENTITY, |v| Quat::from_slice(&v));
        node.as_object_mut().unwrap().retain(|key, _| !["translation", "rotation", "scale"].contains(&key.as_str()));
        node["matrix"] = json!(Mat4::from_rotation_translation(turn, place).to_cols_array());
    }
    let moved = check(&glb);
    assert!(moves(&moved, "jaw", "rotation") && moves(&moved, "oris01", "translation"), "{moved:?}");
}

#[test]
fn other_animations_and_weights_at_rest_stay() {
    let mut glb = default_glb();
    let mesh =
        glb.json["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "face").unwrap()["mesh"].clone();
    let mesh = mesh.as_u64().unwrap() as usize;
    let names = glb.json["meshes"][mesh]["extras"]["targetNames"].as_array_mut().unwrap();
    let (index, count) = (names.iter().position(|name| name == "cheekPuff").unwrap(), names.len());
    names[index] = json!("scar");
    let mut weights = vec![0.0; count];
    weights[index] = 0.75;
    glb.json["meshes"][mesh]["weights"] = json!(weights);
    check(&glb);
    // Twice under one name is once.
    let (bytes, track) = (glb.to_bytes(), track());
    let mut binding = bound(&bytes);
    let once = animate_glb(&bytes, &mut binding, &track, "one").unwrap();
    let twice = animate_glb(&once, &mut binding, &track.resampled(FrameRate::per_second(10)), "two").unwrap();
    let file = open_gltf(&animate_glb(&twice, &mut binding, &track, "two").unwrap()).unwrap();
    let names: Vec<_> = file.animations().map(|animation| animation.name().unwrap().to_owned()).collect();
    assert_eq!(names, ["one", "two"]);
    let (times, keys) = keys(&file, "two");
    assert_eq!(times.len(), track.len());
    assert_eq!(keys[&("face".to_owned(), "weights")][index], 0.75);
}

#[test]
fn what_cannot_be_animated_is_said() {
    let bytes = default_glb().to_bytes();
    let mut binding = bound(&bytes);
    let mut says = |bytes: &[u8], track: &FaceTrack| animate_glb(bytes, &mut binding, track, "x").unwrap_err();
    let rate = FrameRate::per_second(30);
    assert!(matches!(says(b"RIFF", &track()), AnimateGlbError::Glb(_)));
    assert_eq!(says(&bytes, &FaceTrack::new(rate)), AnimateGlbError::NoFrames);
    let mut still = FaceTrack::new(rate);
    still.push(FacePose::REST);
    assert_eq!(says(&bytes, &still), AnimateGlbError::Nothing);
    let mut wrong = still.clone();
    let mut pose = FacePose::REST;
    pose.set(FaceChannel::JawOpen, f32::NAN);
    wrong.push(pose);
    assert_eq!(says(&bytes, &wrong), AnimateGlbError::NotFinite { frame: 1 });
    let mut late = FaceTrack::starting_at(rate, 1 << 40);
    still.iter().chain(still.iter()).for_each(|(_, pose)| late.push(*pose));
    assert!(matches!(says(&bytes, &late), AnimateGlbError::TooLate { .. }));
    let mut bare = default_glb();
    bare.json["nodes"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|node| _ = node.as_object_mut().unwrap().remove("mesh"));
    assert!(matches!(says(&bare.to_bytes(), &track()), AnimateGlbError::OtherCharacter(_)));
}

//! Binding characters of every family, from their files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod animation;
#[cfg(feature = "transfer")]
mod geometry;
mod head;
mod variants;

use std::path::{Path, PathBuf};

use glam::{Mat4, Quat, Vec3};
use head::Head;
use serde_json::json;

use talkie::{
    animation::{CHANNEL_COUNT, FaceChannel, FacePose},
    audio::AudioClip,
    inference::Runtime,
    metrics::LipMesh,
    model::FaceModel,
    retarget::{Glb, RigProfile, match_shape, open_gltf, read_vectors, rig_of},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn ada() -> gltf::Gltf {
    open_gltf(&std::fs::read(root().join("assets/characters/ada.glb")).unwrap()).unwrap()
}

/// What a vertex of a lid or brow counts beside one of a lip.
const UPPER_FACE: f32 = 0.3;
/// What a vertex that is neither counts.
const REST_OF_FACE: f32 = 0.001;

/// The upper half of the matrix of how much two channels look alike, computed from the first default character.
fn likeness(file: &gltf::Gltf) -> Vec<f32> {
    let rig = rig_of(file);
    let mut displaced: Vec<Vec<Vec3>> = vec![Vec::new(); CHANNEL_COUNT];
    let mut weights: Vec<f32> = Vec::new();
    let lips = LipMesh::from_glb(&default_glb().to_bytes()).unwrap();
    for (node, mesh) in file.nodes().filter_map(|node| Some((node.clone(), node.mesh()?))) {
        let Some(offered) = rig.meshes.iter().find(|mesh| Some(mesh.name.as_str()) == node.name()) else { continue };
        for primitive in mesh.primitives() {
            let places = read_vectors(&primitive.get(&gltf::Semantic::Positions).unwrap(), file.blob.as_ref().unwrap());
            // The skin is the first primitive of the first mesh.
            let is_skin = weights.is_empty();
            let upper: Vec<f32> = if is_skin { eyes_and_brows(offered) } else { Vec::new() };
            let weight = |vertex: usize| match () {
                () if is_skin && lips.lip_vertices().contains(&vertex) => 1.0,
                () if is_skin && upper[vertex] > 0.5 => UPPER_FACE,
                () => REST_OF_FACE,
            };
            let new: Vec<f32> = (0..places.unwrap().len()).map(weight).collect();
            weights.extend(new);
        }
        for (shape, name) in offered.shapes.iter().enumerate() {
            if let Some(channel) = match_shape(name).channel() {
                displaced[channel.index()].resize(weights.len() - offered_vertices(offered), Vec3::ZERO);
                displaced[channel.index()].extend(offered.displacements.as_ref().unwrap()(shape).unwrap());
            }
        }
    }
    displaced.iter_mut().for_each(|displaced| displaced.resize(weights.len(), Vec3::ZERO));
    let lips = weights.iter().filter(|weight| **weight == 1.0).count() as f64;
    let mut upper = Vec::new();
    for a in FaceChannel::ALL {
        for b in FaceChannel::ALL.into_iter().skip(a.index()) {
            let pairs = displaced[a.index()].iter().zip(&displaced[b.index()]).zip(&weights);
            let sum: f64 = pairs.map(|((a, b), weight)| f64::from(a.dot(*b)) * f64::from(*weight)).sum();
            upper.push((sum / lips * 1e6) as f32);
        }
    }
    upper
}

/// How far each vertex moves when eyes shut or brows move, as a share of the one that this moves furthest.
fn eyes_and_brows(mesh: &talkie::retarget::RigMesh<'_>) -> Vec<f32> {
    let shape = |name: &str| {
        let index = mesh.shapes.iter().position(|shape| shape == name).unwrap();
        let moved: Vec<f32> = mesh.displacements.as_ref().unwrap()(index).unwrap().iter().map(|v| v.length()).collect();
        let most = moved.iter().copied().fold(0.0, f32::max);
        moved.into_iter().map(move |moved| moved / most).collect::<Vec<_>>()
    };
    let all = ["eyeBlinkLeft", "eyeBlinkRight", "browDownLeft", "browDownRight", "browInnerUp"].map(shape);
    (0..all[0].len()).map(|vertex| all.iter().map(|moved| moved[vertex]).fold(0.0, f32::max)).collect()
}

fn offered_vertices(mesh: &talkie::retarget::RigMesh<'_>) -> usize {
    mesh.displacements.as_ref().unwrap()(0).unwrap().len()
}

#[test]
fn the_stored_likeness_of_channels_is_that_of_the_default_character() {
    let computed = likeness(&ada());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/retarget/likeness.f32");
    if std::env::var_os("TALKIE_UPDATE").is_some() {
        std::fs::write(&path, computed.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    let stored: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(stored.len(), computed.len());
    let largest = computed.iter().copied().fold(0.0, f32::max);
    for (stored, computed) in stored.iter().zip(&computed) {
        assert!(
            (stored - computed).abs() <= 1e-5 * largest,
            "{stored} is stored, {computed} computed: TALKIE_UPDATE=1"
        );
    }
}

#[test]
fn the_built_in_profiles_are_sound_and_survive_being_written() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles")).unwrap();
    let mut count = 0;
    for file in files {
        let path = file.unwrap().path();
        let profile = RigProfile::parse(&std::fs::read_to_string(&path).unwrap());
        let profile = profile.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(RigProfile::builtin().contains(&profile), "{} is not built in", path.display());
        assert_eq!(RigProfile::parse(&profile.to_ron().unwrap()).unwrap(), profile);
        for rule in profile.shapes.iter().filter(|rule| !rule.shows.is_empty()) {
            let weight = |channel| rule.shows.get(&channel).copied().unwrap_or(0.0);
            assert!(
                weight(FaceChannel::MouthClose) <= weight(FaceChannel::JawOpen) + 1e-6,
                "{}: {:?} closes more than it opens",
                profile.name,
                rule.names
            );
        }
        count += 1;
    }
    assert_eq!(count, RigProfile::builtin().len());
}

/// A spoken line: poses of the shipped network for the first voice line, 25 a second.
fn spoken() -> Vec<FacePose> {
    let mut model = FaceModel::load_dir(root().join("assets/models/voice"), Runtime::global()).unwrap();
    let sound = AudioClip::decode(std::fs::read(root().join("assets/voices/01_ada.ogg")).unwrap()).unwrap();
    let track = model.animate(&sound).unwrap();
    (0..)
        .map(|frame| f64::from(frame) / 25.0)
        .take_while(|s| *s < track.end_seconds())
        .map(|s| track.sample_seconds(s))
        .collect()
}

/// The same error if the driven shapes of the other head were set to what suits the lip vertices best in every frame, each between 0
/// and 1: least squares with bounds, by coordinate descent.
fn best_lip_error(other: &Head, poses: &[FacePose]) -> (f32, f32) {
    let mut reference = Head::new(&default_glb().to_bytes());
    let rest = reference.posed(0, &FacePose::REST);
    let lips = LipMesh::from_glb(&default_glb().to_bytes()).unwrap();
    let lips = lips.lip_vertices();
    let shapes: Vec<Vec<Vec3>> =
        other.driven_shapes(0).iter().map(|shape| lips.iter().map(|vertex| shape[*vertex]).collect()).collect();
    let (mut largest, mut mean) = (0.0, 0.0);
    for pose in poses {
        let shown = reference.posed(0, pose);
        let mut left: Vec<Vec3> = lips.iter().map(|vertex| shown[*vertex] - rest[*vertex]).collect();
        let mut weights = vec![0.0_f32; shapes.len()];
        for _ in 0..300 {
            for (weight, shape) in weights.iter_mut().zip(&shapes) {
                let norm: f32 = shape.iter().map(|moved| moved.length_squared()).sum();
                if norm > 1e-12 {
                    let along: f32 = shape.iter().zip(&left).map(|(moved, left)| moved.dot(*left)).sum();
                    let next = (*weight + along / norm).clamp(0.0, 1.0);
                    left.iter_mut().zip(shape).for_each(|(left, moved)| *left -= *moved * (next - *weight));
                    *weight = next;
                }
            }
        }
        largest += left.iter().map(|left| left.length()).fold(0.0, f32::max);
        mean += left.iter().map(|left| left.length()).sum::<f32>() / lips.len() as f32;
    }
    let scale = 1e3 / poses.len() as f32;
    (largest * scale, mean * scale)
}

/// Writes a character to the folder that `TALKIE_CHARACTERS` names, to be looked at.
fn kept(name: &str, glb: &Glb) {
    if let Some(folder) = std::env::var_os("TALKIE_CHARACTERS") {
        let name = name.replace(|letter: char| !letter.is_alphanumeric(), "_");
        std::fs::write(Path::new(&folder).join(format!("{name}.glb")), glb.to_bytes()).unwrap();
    }
}

fn default_glb() -> Glb {
    Glb::parse(&std::fs::read(root().join("assets/characters/ada.glb")).unwrap()).unwrap()
}

/// Mean over the frames of the largest and of the mean distance of a lip vertex from where it is on the default character, in
/// millimetres, and how far the lips of the default character move in the mean; `back` takes the axes of the other file to its.
fn lip_error(other: &mut Head, back: Mat4, poses: &[FacePose]) -> (f32, f32, f32) {
    let mut reference = Head::new(&default_glb().to_bytes());
    let rest = reference.posed(0, &FacePose::REST);
    let lips = LipMesh::from_glb(&default_glb().to_bytes()).unwrap();
    let lips = lips.lip_vertices();
    let (mut largest, mut mean, mut motion) = (0.0, 0.0, 0.0);
    for pose in poses {
        let (wanted, shown) = (reference.posed(0, pose), other.posed(0, pose));
        let distance = |vertex: &usize| wanted[*vertex].distance(back.transform_point3(shown[*vertex]));
        largest += lips.iter().map(distance).fold(0.0, f32::max);
        mean += lips.iter().map(distance).sum::<f32>() / lips.len() as f32;
        motion += lips.iter().map(|v| wanted[*v].distance(rest[*v])).fold(0.0, f32::max);
    }
    let scale = 1e3 / poses.len() as f32;
    (largest * scale, mean * scale, motion * scale)
}

#[test]
fn every_naming_talks_like_the_default_character() {
    let poses = spoken();
    let ada = default_glb();
    let check = |name: &str, glb: &Glb, bound: f32| {
        kept(name, glb);
        let mut head = Head::new(&glb.to_bytes());
        let (largest, mean, motion) = lip_error(&mut head, Mat4::IDENTITY, &poses);
        println!("{name}: {largest:.3} mm largest, {mean:.3} mm mean, of {motion:.1} mm; {:?}", head.report.profiles);
        assert!(motion > 2.0);
        assert!(largest <= bound, "{name}: {largest} mm; {}", head.report);
        // A profile made from how it was bound binds it so again.
        let own = head.report.own_profile("own", &RigProfile::builtin().iter().collect::<Vec<_>>());
        let mut again = Head::with(&glb.to_bytes(), &[&own]);
        for pose in poses.iter().step_by(25) {
            let (before, after) = (head.posed(0, pose), again.posed(0, pose));
            assert!(before.iter().zip(after).all(|(before, after)| before.distance(after) < 1e-5), "{name}");
        }
        if head.report.shapes.iter().any(|shape| shape.fitted) {
            let (best, _) = best_lip_error(&head, &poses);
            println!("    the best that its shapes allow: {best:.3} mm");
            assert!(largest <= 1.25 * best, "{name}: {largest} mm of {best} mm");
        }
    };
    check("as it is", &ada, EXACT);
    let sided = |left: &'static str, right: &'static str| {
        move |channel: FaceChannel| channel.name().replace("Left", left).replace("Right", right)
    };
    check("eyeBlink_L", &variants::renamed(&ada, sided("_L", "_R")), EXACT);
    let capital = |channel: FaceChannel| {
        let name = sided("_Left", "_Right")(channel);
        name[..1].to_uppercase() + &name[1..]
    };
    check("EyeBlink_Left", &variants::renamed(&ada, capital), EXACT);
    check("a prefix", &variants::renamed(&ada, |channel| format!("blendShape2.{channel}")), EXACT);
    check("another order", &variants::shuffled(&ada), EXACT);
    // Lashes, gums and skin on meshes of their own: all of them move.
    let split = variants::split(&ada);
    check("split over meshes", &split, EXACT);
    let meshes = |glb: &Glb| {
        let report = Head::new(&glb.to_bytes()).report;
        report.shapes.iter().map(|bound| bound.mesh.clone()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(meshes(&split), meshes(&ada) + 3, "skin, mouth, lashes; tongue, teeth; eyes");
    for profile in RigProfile::builtin().iter().filter(|profile| !profile.shapes.is_empty()) {
        // Families that lack some shape of the mouth, or have one for what are two channels, and how near they come.
        let bound = match profile.name.as_str() {
            "Oculus visemes and Ready Player Me" => 0.6,
            "VRM expressions" => 0.9,
            "VRoid Studio" => 0.8,
            "MakeHuman and MPFB2" => 0.5,
            "Daz Genesis 8" => 0.45,
            "Faceit (Audio2Face)" => 0.4,
            "Mixamo" => 0.6,
            "Reallusion Character Creator 3" => 2.0,
            _ => EXACT,
        };
        check(&profile.name, &variants::as_family(&ada, profile, |_| true), bound);
    }
}

#[test]
fn avatars_talk_by_their_expressions() {
    let poses = spoken();
    let profile = RigProfile::builtin().iter().find(|profile| profile.name == "VRM expressions").unwrap();
    let family = variants::as_family(&default_glb(), profile, |_| true);
    for version in [0, 1] {
        let glb = variants::as_vrm(&family, version);
        kept(&format!("VRM {version}"), &glb);
        let mut head = Head::new(&glb.to_bytes());
        let (largest, mean, _) = lip_error(&mut head, Mat4::IDENTITY, &poses);
        println!("VRM {version}: {largest:.3} mm largest, {mean:.3} mm mean; {}", head.report);
        assert!(largest <= 0.95, "VRM {version}: {largest} mm");
        let expressions = head.report.shapes.iter().filter(|shape| shape.mesh == "VRM expression").count();
        assert_eq!((expressions, head.report.shapes.len()), (17, 17), "{}", head.report);
    }
}

/// In millimetres: nothing but rounding.
const EXACT: f32 = 1e-3;

#[test]
fn units_axes_and_mirrors_do_not_matter() {
    let poses = spoken();
    for (name, node) in [
        ("centimetres", json!({"name": "root", "scale": [100.0, 100.0, 100.0]})),
        ("Z up", json!({"name": "root", "rotation": Quat::from_rotation_x(1.5707964).to_array()})),
        (
            "turned and moved",
            json!({"name": "root", "rotation": Quat::from_rotation_y(2.0).to_array(), "translation": [3.0, 1.0, -2.0]}),
        ),
        ("mirrored", json!({"name": "root", "scale": [-1.0, 1.0, 1.0]})),
    ] {
        let glb = variants::below(&default_glb(), node.clone());
        let array = |key: &str| node.get(key).and_then(|value| serde_json::from_value::<Vec<f32>>(value.clone()).ok());
        let vector = |key: &str, or: Vec3| array(key).map_or(or, |v| Vec3::new(v[0], v[1], v[2]));
        let rotation = array("rotation").map_or(Quat::IDENTITY, |v| Quat::from_xyzw(v[0], v[1], v[2], v[3]));
        let root = Mat4::from_scale_rotation_translation(
            vector("scale", Vec3::ONE),
            rotation,
            vector("translation", Vec3::ZERO),
        );
        let mut turning = poses.clone();
        turning.iter_mut().for_each(|pose| pose.head_rotation = Quat::from_euler(glam::EulerRot::YXZ, 0.3, 0.1, 0.05));
        let (largest, _, _) = lip_error(&mut Head::new(&glb.to_bytes()), root.inverse(), &turning);
        println!("{name}: {largest:.4} mm");
        assert!(largest < 0.01, "{name}: {largest} mm");
    }
}

/// The default character bent by joints alone, with weights that let it come as close as four joints for each vertex can to what its
/// shapes do in these poses.
fn bent(added: &[variants::Added], poses: &[FacePose]) -> Glb {
    let plain = variants::jointed(&default_glb(), added);
    let head = Head::new(&plain.to_bytes());
    let mut reference = Head::new(&default_glb().to_bytes());
    let moved: Vec<(Vec<Vec3>, Vec<Mat4>)> =
        poses.iter().map(|pose| (reference.posed(0, pose), head.skin_matrices(0, pose))).collect();
    let joints = moved[0].1.len();
    // Joints that move at all, and the one that the head hangs on.
    let moves = |joint: usize| moved.iter().any(|(_, m)| !m[joint].abs_diff_eq(moved[0].1[joint], 1e-6));
    // Nothing but the jaw and what was added: eyes and tongue have meshes of their own.
    let candidates: Vec<usize> =
        (0..joints).filter(|joint| matches!(joint, 2 | 3) || (*joint > 8 && moves(*joint))).collect();
    let bend = |vertex: usize, place: Vec3| -> [(u8, f32); 4] {
        let solve = |candidates: &[usize]| -> Vec<f32> {
            // Weights that sum up to 1 and are not negative, by coordinate descent between pairs with the first candidate.
            let mut weights = vec![0.0_f32; candidates.len()];
            weights[0] = 1.0;
            let columns: Vec<Vec<Vec3>> = candidates
                .iter()
                .map(|joint| moved.iter().map(|(_, m)| m[*joint].transform_point3(place)).collect())
                .collect();
            let mut rest: Vec<Vec3> =
                moved.iter().zip(&columns[0]).map(|((wanted, _), shown)| wanted[vertex] - *shown).collect();
            for _ in 0..60 {
                for from in 0..candidates.len() {
                    for to in 0..candidates.len() {
                        if from == to {
                            continue;
                        }
                        let pairs = || columns[to].iter().zip(&columns[from]).map(|(to, from)| *to - *from);
                        let norm: f32 = pairs().map(|way| way.length_squared()).sum();
                        let along: f32 = pairs().zip(&rest).map(|(way, rest)| way.dot(*rest)).sum();
                        if norm > 1e-12 {
                            let step = (along / norm).clamp(-weights[to], weights[from]);
                            weights[to] += step;
                            weights[from] -= step;
                            rest.iter_mut().zip(pairs()).for_each(|(rest, way)| *rest -= way * step);
                        }
                    }
                }
            }
            weights
        };
        let all = solve(&candidates);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by(|a, b| all[*b].total_cmp(&all[*a]));
        let best: Vec<usize> = order.into_iter().take(4).map(|index| candidates[index]).collect();
        let weights = solve(&best);
        let mut bend = [(0, 0.0); 4];
        for (slot, (joint, weight)) in bend.iter_mut().zip(best.iter().zip(weights)) {
            *slot = (*joint as u8, weight);
        }
        bend
    };
    let bends: Vec<_> = head.places(0).iter().enumerate().map(|(vertex, place)| bend(vertex, *place)).collect();
    let face = 0;
    variants::skinned(&plain, face, &bends)
}

#[test]
fn rigs_of_joints_alone_talk() {
    let poses = spoken();
    let sample: Vec<FacePose> = poses.iter().step_by(3).copied().collect();
    let lips = |names: [&'static str; 8], upper: &'static str, lower: &'static str| {
        let place = |x: f32, y: f32, z: f32| Vec3::new(x, y, z);
        let places = [
            (place(0.0, 0.086, 0.1438), upper),
            (place(0.013, 0.0848, 0.1395), upper),
            (place(-0.013, 0.0848, 0.1395), upper),
            (place(0.0, 0.077, 0.1412), lower),
            (place(0.012, 0.0775, 0.1375), lower),
            (place(-0.012, 0.0775, 0.1375), lower),
            (place(0.0225, 0.0815, 0.13), upper),
            (place(-0.0225, 0.0815, 0.13), upper),
        ];
        names
            .into_iter()
            .zip(places)
            .map(|(name, (place, above))| variants::Added { name, above, place })
            .collect::<Vec<_>>()
    };
    let makehuman = lips(
        ["oris05", "oris03.L", "oris03.R", "oris01", "oris07.L", "oris07.R", "levator05.L", "levator05.R"],
        "head",
        "jaw",
    );
    // A rig whose deforming joints all hang on the head.
    let rigify = lips(
        [
            "DEF-lip.T.L",
            "DEF-lip.T.L.001",
            "DEF-lip.T.R.001",
            "DEF-lip.B.L",
            "DEF-lip.B.L.001",
            "DEF-lip.B.R.001",
            "DEF-cheek.B.L",
            "DEF-cheek.B.R",
        ],
        "head",
        "head",
    );
    for (name, added, bound) in
        [("MakeHuman", makehuman, 2.25), ("Rigify", rigify, 2.1), ("a jaw alone", Vec::new(), 2.8)]
    {
        let glb = bent(&added, &sample);
        kept(&format!("{name} joints"), &glb);
        let mut head = Head::new(&glb.to_bytes());
        let (largest, mean, motion) = lip_error(&mut head, Mat4::IDENTITY, &poses);
        println!("{name}: {largest:.3} mm largest, {mean:.3} mm mean, of {motion:.1} mm; {}", head.report);
        assert!(largest <= bound, "{name}: {largest} mm");
    }
}

/// A small generator of numbers (xorshift).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn files_that_say_anything_are_bound_or_refused_and_never_panic() {
    let sound = variants::as_vrm(&default_glb(), 1);
    let text = sound.json.to_string();
    // Numbers, names and keys of the document, each replaced by something else.
    let marks: Vec<usize> =
        text.char_indices().filter(|(_, c)| c.is_ascii_digit() || *c == '"').map(|(at, _)| at).collect();
    let profiles: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
    let mut state = 7;
    let (mut bound, mut refused) = (0, 0);
    for _ in 0..500 {
        let mut broken = text.clone().into_bytes();
        for _ in 0..1 + random(&mut state) % 4 {
            let at = marks[(random(&mut state) % marks.len() as u64) as usize];
            broken[at] = b"0987-\"x"[(random(&mut state) % 7) as usize];
        }
        let Ok(json) = serde_json::from_slice(&broken) else { continue };
        let glb = Glb { json, blob: sound.blob.clone() };
        match open_gltf(&glb.to_bytes()) {
            Err(reason) => {
                assert!(!reason.is_empty());
                refused += 1;
            }
            Ok(file) => {
                let rig = rig_of(&file);
                let (mut binding, _) = talkie::retarget::bind(&rig, &profiles);
                let mut pose = FacePose::REST;
                pose.weights.fill(0.5);
                binding.follow(&pose);
                let weights =
                    binding.shapes().iter().flat_map(|drive| drive.shapes().map(|r| binding.weight(&drive.targets[r])));
                assert!(weights.into_iter().all(f32::is_finite));
                for drive in binding.joints() {
                    let (turn, shift) = drive.motion(&pose);
                    assert!(turn.is_finite() && shift.is_finite(), "{drive:?}");
                }
                for mesh in &rig.meshes {
                    let _ = mesh.displacements.as_ref().map(|displacements| displacements(0));
                }
                bound += 1;
            }
        }
    }
    println!("{bound} were bound, {refused} refused");
    assert!(bound > 40 && refused > 15);
}

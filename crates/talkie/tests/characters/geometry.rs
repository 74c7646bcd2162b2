//! Characters whose shapes have no names, or that have none: by geometry, from the other default character.

use glam::Mat4;
use serde_json::json;
use talkie::{
    animation::{FaceChannel, FacePose},
    retarget::{Glb, RigProfile, ShapeRule, bind, open_gltf, rig_of},
    transfer::{FaceTemplate, Head as Geometry, TransferError},
};

use super::{Head, default_glb, kept, lip_error, root, spoken, variants};

fn ben() -> FaceTemplate {
    FaceTemplate::from_glb(&std::fs::read(root().join("assets/characters/ben.glb")).unwrap()).unwrap()
}

/// The default character without the names of its shapes.
fn unnamed() -> Glb {
    let mut glb = default_glb();
    let meshes = glb.json["meshes"].as_array_mut().unwrap();
    meshes.iter_mut().for_each(|mesh| drop(mesh.as_object_mut().unwrap().remove("extras")));
    glb
}

/// The default character without its shapes.
fn bare() -> Glb {
    let mut glb = unnamed();
    for mesh in glb.json["meshes"].as_array_mut().unwrap() {
        drop(mesh.as_object_mut().unwrap().remove("weights"));
        for primitive in mesh["primitives"].as_array_mut().unwrap() {
            drop(primitive.as_object_mut().unwrap().remove("targets"));
        }
    }
    glb
}

fn without_joints(glb: &Glb) -> Glb {
    let mut changed = glb.clone();
    for (index, node) in changed.json["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
        node["name"] = json!(format!("n{index}"));
    }
    changed
}

#[test]
fn shapes_without_names_are_told_by_what_they_do() {
    let (template, glb) = (ben(), unnamed());
    let bytes = glb.to_bytes();
    let file = open_gltf(&bytes).unwrap();
    let head = Geometry::read(&file).unwrap();
    let fit = template.fit(&head).unwrap();
    assert!(fit.confidence() > 0.95, "{}", fit.confidence());
    let builtin: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
    let (_, before) = bind(&rig_of(&file), &builtin);
    let found = fit.profile("unnamed", &before, &builtin);
    assert_eq!(found.questions, []);
    let names: Vec<String> = open_gltf(&default_glb().to_bytes())
        .unwrap()
        .meshes()
        .filter_map(|mesh| talkie::retarget::target_names(&mesh))
        .next()
        .unwrap();
    for shape in found.explained.iter().filter(|shape| shape.mesh == "face") {
        let index: usize = shape.shape.strip_prefix("face#").unwrap().parse().unwrap();
        let channel = shape.channel.unwrap_or_else(|| panic!("{} is {:?}", names[index], shape.mix));
        assert_eq!(channel.name(), names[index], "{}", shape.confidence);
    }
    // The profile survives being written, and the character speaks by it as by its names.
    let profile = RigProfile::parse(&found.profile.to_ron().unwrap()).unwrap();
    assert_eq!(profile, found.profile);
    let mut bound = Head::with(&bytes, &[&[&profile], builtin.as_slice()].concat());
    assert_eq!(bound.report.missing, []);
    let (largest, mean, _) = lip_error(&mut bound, Mat4::IDENTITY, &spoken());
    println!("unnamed: {largest:.3} mm, {mean:.3} mm");
    assert!(largest < 1.5, "{largest} mm");
}

#[test]
fn a_head_without_shapes_is_given_those_of_another() {
    let (template, glb) = (ben(), bare());
    let file = open_gltf(&glb.to_bytes()).unwrap();
    let head = Geometry::read(&file).unwrap();
    let fit = template.fit(&head).unwrap();
    let mut given = glb;
    assert!(fit.add_shapes(&mut given) > 52);
    kept("transferred", &given);
    let bytes = given.to_bytes();
    let mut bound = Head::new(&bytes);
    assert_eq!(bound.report.missing, [FaceChannel::TongueOut][..0]);
    assert!(!bound.report.is_broken(), "{}", bound.report);
    let (largest, mean, moved) = lip_error(&mut bound, Mat4::IDENTITY, &spoken());
    println!("transferred: {largest:.3} mm, {mean:.3} mm of {moved:.3} mm");
    assert!(largest < 1.5, "{largest} mm");
    // At rest nothing moves.
    let rest = bound.posed(0, &FacePose::REST);
    let before = bound.places(0).to_vec();
    assert!(rest.iter().zip(before).all(|(after, before)| after.distance(before) < 1e-4));
}

#[test]
fn heads_are_found_however_they_stand() {
    let template = ben();
    let half = core::f32::consts::FRAC_1_SQRT_2;
    let quarter = json!({"name": "turned", "rotation": [-half, 0.0, 0.0, half]});
    let centimetres = json!({"name": "scaled", "scale": [100.0, 100.0, 100.0], "translation": [30.0, -5.0, 12.0]});
    let aside = json!({"name": "aside", "rotation": [0.0, 0.13052619, 0.0, 0.99144486]});
    let aside = variants::below(&variants::below(&unnamed(), centimetres), aside);
    let variants = [
        ("without joints, in centimetres, turned by 15 degrees", without_joints(&aside)),
        ("with Z up", variants::below(&unnamed(), quarter)),
    ];
    for (name, glb) in variants {
        let file = open_gltf(&glb.to_bytes()).unwrap();
        let head = Geometry::read(&file).unwrap();
        let fit = template.fit(&head).unwrap_or_else(|error| panic!("{name}: {error}"));
        let explained = fit.explain();
        assert!(fit.confidence() > 0.9, "{name}: {}", fit.confidence());
        assert!(explained.iter().filter(|shape| shape.confidence > 0.6).count() >= 52, "{name}");
    }
}

#[test]
fn what_is_no_face_is_refused_with_a_reason() {
    let template = ben();
    // Hair and clothes alone.
    let mut glb = bare();
    let named = |name: &str, json: &serde_json::Value| {
        json["meshes"].as_array().unwrap().iter().position(|mesh| mesh["name"] == name)
    };
    let keep = named("body", &glb.json).unwrap();
    for node in glb.json["nodes"].as_array_mut().unwrap() {
        if node["mesh"].as_u64().is_some_and(|mesh| mesh as usize != keep) {
            drop(node.as_object_mut().unwrap().remove("mesh"));
        }
    }
    let file = open_gltf(&glb.to_bytes()).unwrap();
    let head = Geometry::read(&file).unwrap();
    let error = template.fit(&head).expect_err("a body is no face");
    assert!(matches!(error, TransferError::NoFace { .. }), "{error}");
    assert!(error.to_string().contains("no face was found"), "{error}");
    // Nothing at all.
    for node in glb.json["nodes"].as_array_mut().unwrap() {
        drop(node.as_object_mut().unwrap().remove("mesh"));
    }
    let file = open_gltf(&glb.to_bytes()).unwrap();
    assert_eq!(Geometry::read(&file).err(), Some(TransferError::NoTriangles));
    // A template needs names.
    let error = FaceTemplate::from_glb(&bare().to_bytes()).expect_err("it has no shapes");
    assert!(matches!(error, TransferError::NoTemplate(_)), "{error}");
}

#[test]
fn a_line_spoken_silently_says_how_far_the_mouth_opens_and_whether_lips_meet() {
    let template = ben();
    let poses = spoken();
    let builtin: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
    let bytes = default_glb().to_bytes();
    let file = open_gltf(&bytes).unwrap();
    let (head, rig) = (Geometry::read(&file).unwrap(), rig_of(&file));
    let fit = template.fit(&head).unwrap();
    let bound = |profiles: &[&RigProfile]| bind(&rig, profiles).0;
    // The default character opens about as far as the other one, and its lips meet.
    let usual = fit.range(&mut bound(&builtin), &rig, &poses).unwrap();
    println!("{usual:?}");
    assert!((usual.opening_mm / usual.wanted_opening_mm - 1.0).abs() < 0.2, "{usual:?}");
    assert!(usual.closed_mm.abs() < 1.0 && usual.overlap_mm < 1.0 && usual.clipped.is_empty(), "{usual:?}");
    // A jaw that is asked for more than it has is clipped.
    let mut loud = builtin[0].clone();
    loud.shapes.push(ShapeRule { gain: 4.0, ..ShapeRule::channel(FaceChannel::JawOpen) });
    let mut shouted = poses.clone();
    shouted.iter_mut().for_each(|pose| pose.set(FaceChannel::MouthClose, 0.0));
    let clipped = fit.range(&mut bound(&[&[&loud], builtin.as_slice()].concat()), &rig, &shouted).unwrap();
    assert!(clipped.clipped.iter().any(|(name, share)| name == "jawOpen" && *share > 0.01), "{clipped:?}");
    // Without lips that part there is nothing to say.
    shouted.fill(FacePose::REST);
    assert_eq!(fit.range(&mut bound(&builtin), &rig, &shouted), None);
    // One whose shapes move half as far is told so, and once adjusted opens as the default does.
    let timid = variants::reshaped(&default_glb(), |shapes| {
        let half = |(channel, moved): (&FaceChannel, &&Vec<glam::Vec3>)| {
            (channel.name().to_owned(), moved.iter().map(|moved| *moved * 0.5).collect())
        };
        shapes.iter().map(half).collect()
    });
    let bytes = timid.to_bytes();
    let file = open_gltf(&bytes).unwrap();
    let (head, rig) = (Geometry::read(&file).unwrap(), rig_of(&file));
    let fit = template.fit(&head).unwrap();
    let (mut binding, report) = bind(&rig, &builtin);
    let half = fit.range(&mut binding, &rig, &poses).unwrap();
    println!("{half:?}");
    assert!((half.opening_mm / usual.opening_mm - 0.5).abs() < 0.01, "{half:?}");
    assert!((half.jaw_gain / usual.jaw_gain - 2.0).abs() < 0.05, "{half:?}");
    let mut profile = report.own_profile("timid", &builtin);
    half.adjust(&mut profile);
    let profile = RigProfile::parse(&profile.to_ron().unwrap()).unwrap();
    let (mut binding, _) = bind(&rig, &[&[&profile], builtin.as_slice()].concat());
    let adjusted = fit.range(&mut binding, &rig, &poses).unwrap();
    println!("{adjusted:?}");
    assert!((adjusted.opening_mm / adjusted.wanted_opening_mm - 1.0).abs() < 0.15, "{adjusted:?}");
}

#[test]
fn visemes_are_measured_and_what_is_not_certain_is_asked() {
    let template = ben();
    let builtin: Vec<&RigProfile> = RigProfile::builtin().iter().collect();
    let oculus = builtin.iter().find(|profile| profile.name.starts_with("Oculus")).unwrap();
    let family = variants::as_family(&default_glb(), oculus, |_| true);
    // Beside the visemes a shape that is nothing a face does.
    let mut glb = family;
    let file = open_gltf(&glb.to_bytes()).unwrap();
    let mesh = file.meshes().find(|mesh| mesh.name() == Some("face")).unwrap();
    let counts: Vec<usize> =
        mesh.primitives().map(|part| part.get(&gltf::Semantic::Positions).unwrap().count()).collect();
    let index = mesh.index();
    for (part, count) in counts.into_iter().enumerate() {
        let noise = |vertex: usize, axis: usize| ((vertex * 7919 + axis * 104_729) % 1000) as f32 * 1e-5 - 5e-3;
        let moved: Vec<glam::Vec3> =
            (0..count).map(|v| glam::Vec3::new(noise(v, 0), noise(v, 1), noise(v, 2))).collect();
        let target = json!({"POSITION": glb.push_vectors(&moved), "NORMAL": glb.push_vectors(&moved)});
        glb.json["meshes"][index]["primitives"][part]["targets"].as_array_mut().unwrap().push(target);
    }
    glb.json["meshes"][index]["extras"]["targetNames"].as_array_mut().unwrap().push(json!("crumple"));
    glb.json["meshes"][index]["weights"].as_array_mut().unwrap().push(json!(0.0));
    let bytes = glb.to_bytes();
    let file = open_gltf(&bytes).unwrap();
    let head = Geometry::read(&file).unwrap();
    let fit = template.fit(&head).unwrap();
    let (_, report) = bind(&rig_of(&file), &builtin);
    let found = fit.profile("measured", &report, &builtin);
    let [question] = found.questions.as_slice() else { panic!("{:?}", found.questions) };
    assert!(question.what.contains("`crumple`") && question.what.contains("not bound"), "{question}");
    assert!(!found.profile.shapes.iter().any(|rule| rule.names.contains(&"crumple".to_owned())));
    // What a viseme shows here is about what the family says it shows.
    let aa = |profile: &RigProfile| {
        let rule = profile.shapes.iter().find(|rule| rule.names.iter().any(|name| name == "viseme_aa")).unwrap();
        rule.shows.get(&FaceChannel::JawOpen).copied().unwrap_or(0.0)
    };
    let (measured, said) = (aa(&found.profile), aa(oculus));
    assert!(measured != said && (measured - said).abs() < 0.25 * said, "{measured} beside {said}");
    let mut bound = Head::with(&bytes, &[&[&found.profile], builtin.as_slice()].concat());
    assert_eq!(bound.report.profiles[0].1, "measured");
    let (largest, mean, _) = lip_error(&mut bound, Mat4::IDENTITY, &spoken());
    println!("measured visemes: {largest:.3} mm, {mean:.3} mm");
    assert!(largest < 1.5, "{largest} mm");
}

use super::*;
use crate::names::TONGUE_POSES;

#[test]
fn every_pose_moves_in_a_way_of_its_own() {
    let head = Head::procedural();
    for (part, names) in [(&head.skin, &SKIN_POSES[..]), (&head.tongue, &TONGUE_POSES[..])] {
        for part in [part.clone(), part.resized(150)] {
            assert_eq!(part.poses.len(), names.len());
            for (index, pose) in part.poses.iter().enumerate() {
                assert!(pose.iter().any(|moved| length(*moved) > 0.03), "{} is still", names[index]);
                for (other, before) in part.poses[..index].iter().zip(names) {
                    let differs = pose.iter().zip(other).any(|(a, b)| {
                        let difference: Vector = core::array::from_fn(|axis| a[axis] - b[axis]);
                        length(difference) > 0.03
                    });
                    assert!(differs, "{} is {before}", names[index]);
                }
            }
        }
    }
}

#[test]
fn the_sides_mirror_each_other() {
    let skin = Head::procedural().skin;
    let pose = |name: &str| &skin.poses[SKIN_POSES.iter().position(|known| *known == name).expect("a pose")];
    for stem in ["eyeBlink", "mouthSmile", "jaw", "mouth"] {
        let [left, right] = ["Left", "Right"].map(|side| pose(&format!("{stem}{side}")));
        // Rows of 45 vertices from one side to the other.
        for (vertex, [x, y, z]) in left.iter().enumerate() {
            let mirrored = right[vertex / 45 * 45 + 44 - vertex % 45];
            let difference = [x + mirrored[0], y - mirrored[1], z - mirrored[2]];
            assert!(length(difference) < 1e-4, "{stem} at {:?}", skin.neutral[vertex]);
        }
    }
}

#[test]
fn few_vertices_are_chosen_well_and_many_repeat() {
    let skin = Head::procedural().skin;
    let few = skin.resized(200);
    assert_eq!(few.neutral.len(), 200);
    let most =
        |part: &Part, pose: usize| part.poses[pose].iter().fold(0.0, |most: f32, moved| most.max(length(*moved)));
    for (pose, name) in SKIN_POSES.iter().enumerate() {
        assert!(most(&few, pose) > 0.95 * most(&skin, pose), "{name}");
    }
    let many = skin.resized(6000);
    assert_eq!((many.neutral.len(), many.neutral[2700 + 5]), (6000, skin.neutral[5]));
    let mask = many.frontal(1000);
    assert!(mask.len() == 1000 && mask.is_sorted_by(|a, b| a < b) && mask[999] < 6000);
    assert!(few.frontal(1000).len() <= 200);
}

#[test]
fn the_jaw_turns_about_a_hinge_below_the_ear() {
    let jaw = Jaw::new(&Head::procedural().skin);
    let [opened, forward] = ["jawOpen", "jawForward"].map(|pose| jaw.moved(pose));
    let apart = |points: [Vector; JAW_POINTS], a: usize, b: usize| {
        length(core::array::from_fn(|axis| points[a][axis] - points[b][axis]))
    };
    let after: [Vector; JAW_POINTS] =
        core::array::from_fn(|point| core::array::from_fn(|axis| jaw.neutral[point][axis] + opened[point][axis]));
    for (a, b) in [(0, 1), (0, 4), (2, 3)] {
        assert!((apart(after, a, b) - apart(jaw.neutral, a, b)).abs() < 1e-4, "{a} and {b}");
    }
    assert!(opened[0][1] < -2.0 && opened[3][1] > opened[0][1], "{opened:?}");
    assert!(forward[0][2] > 0.5 && jaw.moved("mouthClose") == [[0.0; 3]; JAW_POINTS]);
}

/// A file with a skin and a tongue of three vertices each, where `jawOpen` and `tongueTipUp` move the second one.
fn glb(skin_targets: &str) -> Vec<u8> {
    let floats: [[f32; 9]; 2] =
        [[0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.02, 0.0], [0.0, 0.0, 0.0, 0.0, -0.03, 0.0, 0.0, 0.0, 0.0]];
    let binary: Vec<u8> = floats.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
    let mesh = |name: &str, targets: &str, count: usize| {
        let positions = vec![r#"{"POSITION":1}"#; count].join(",");
        format!(
            r#"{{"name":"{name}","extras":{{"targetNames":[{targets}]}},"primitives":[{{"attributes":{{"POSITION":0}},"targets":[{positions}]}}]}}"#
        )
    };
    let (skin, tongue) = (mesh("face", skin_targets, 2), mesh("tongue", r#""tongueTipUp""#, 1));
    let mut json = format!(
        r#"{{"asset":{{"version":"2.0"}},"buffers":[{{"byteLength":72}}],"bufferViews":[{{"buffer":0,"byteLength":36}},{{"buffer":0,"byteOffset":36,"byteLength":36}}],"accessors":[{{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[0.01,0.02,0]}},{{"bufferView":1,"componentType":5126,"count":3,"type":"VEC3","min":[0,-0.03,0],"max":[0,0,0]}}],"meshes":[{skin},{tongue}]}}"#
    );
    while json.len() % 4 != 0 {
        json.push(' ');
    }
    let mut file = b"glTF".to_vec();
    let total = 12 + 8 + json.len() + 8 + binary.len();
    for number in [2, total, json.len()] {
        file.extend((number as u32).to_le_bytes());
    }
    file.extend(b"JSON");
    file.extend(json.as_bytes());
    file.extend((binary.len() as u32).to_le_bytes());
    file.extend(b"BIN\0");
    file.extend(binary);
    file
}

#[test]
fn a_character_lends_its_head() {
    let head = Head::from_glb(&glb(r#""mouthClose","jawOpen""#)).expect("a head");
    let open = SKIN_POSES.iter().position(|name| *name == "jawOpen").expect("a pose");
    assert_eq!(head.skin.neutral[1], [1.0, 0.0, 0.0]);
    assert_eq!(head.skin.poses[open][1], [0.0, -3.0, 0.0]);
    // What it lacks is a bump, each another one.
    assert!(head.skin.poses.iter().all(|pose| pose.iter().any(|moved| length(*moved) > 0.03)));
    assert_ne!(head.skin.poses[0], head.skin.poses[1]);
    let said = Head::from_glb(&glb(r#""smile","frown""#)).expect_err("no shapes").to_string();
    assert!(said.contains("jawOpen"), "{said}");
    assert!(Head::from_glb(b"no file").is_err());
}

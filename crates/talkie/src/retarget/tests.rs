use glam::{Quat, Vec3};

use super::*;
use crate::animation::{
    FaceChannel::{self, *},
    FacePose, FaceRegion,
};

fn profile(text: &str) -> RigProfile {
    RigProfile::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn mesh(name: &str, shapes: &[&str]) -> RigMesh<'static> {
    RigMesh { name: name.into(), shapes: shapes.iter().map(|shape| (*shape).into()).collect(), displacements: None }
}

fn rig(shapes: &[&str]) -> Rig<'static> {
    Rig { meshes: vec![mesh("face", shapes)], ..Rig::default() }
}

fn node(name: &str, parent: Option<usize>, translation: [f32; 3]) -> RigNode {
    RigNode {
        name: name.into(),
        parent,
        translation: translation.into(),
        rotation: Quat::IDENTITY,
        scale: Vec3::ONE,
        bends_skin: true,
        part: None,
    }
}

fn pose(weights: &[(FaceChannel, f32)]) -> FacePose {
    let mut pose = FacePose::REST;
    weights.iter().for_each(|(channel, weight)| pose.set(*channel, *weight));
    pose
}

/// The weights of all shapes of the first mesh.
fn weights(binding: &mut Binding, count: usize, pose: &FacePose) -> Vec<f32> {
    binding.follow(pose);
    let mut weights = vec![0.0; count];
    for target in binding.shapes().iter().filter(|drive| drive.mesh == 0).flat_map(|drive| &drive.targets) {
        weights[usize::from(target.shape)] += binding.weight(core::slice::from_ref(target));
    }
    weights
}

fn builtin() -> Vec<&'static RigProfile> {
    RigProfile::builtin().iter().collect()
}

fn says(report: &BindingReport, kind: FindingKind, part: &str) -> bool {
    report.findings.iter().any(|finding| finding.kind == kind && finding.what.contains(part))
}

#[test]
fn a_row_is_mixed_gained_offset_bent_and_clamped() {
    let profile = profile(
        r#"(name: "ours", shapes: [
            (names: ["both"], from: {eyeBlinkLeft: 0.5, eyeBlinkRight: 0.5}),
            (names: ["strong"], from: {jawOpen: 1.0, mouthClose: -1.0}, gain: 2.0, offset: 0.1, clamp: (0.0, 0.9)),
            (names: ["bent"], from: {mouthPucker: 1.0}, curve: [(0.2, 0.0), (0.6, 0.5), (0.8, 1.0)]),
        ])"#,
    );
    let (mut binding, _) = bind(&rig(&["both", "strong", "bent", "Both"]), &[&profile]);
    let mut shown = |pairs: &[(FaceChannel, f32)]| weights(&mut binding, 4, &pose(pairs));
    let near = |a: &[f32], b: &[f32]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
    near(&shown(&[]), &[0.0, 0.1, 0.0, 0.0]);
    near(&shown(&[(EyeBlinkLeft, 1.0), (JawOpen, 0.3), (MouthPucker, 0.1)]), &[0.5, 0.7, 0.0, 0.0]);
    near(&shown(&[(JawOpen, 0.7), (MouthClose, 0.5), (MouthPucker, 0.4)]), &[0.0, 0.5, 0.25, 0.0]);
    near(&shown(&[(JawOpen, 1.0), (MouthPucker, 0.7)]), &[0.0, 0.9, 0.75, 0.0]);
    near(&shown(&[(MouthPucker, 2.0)]), &[0.0, 0.1, 1.0, 0.0]);
}

#[test]
fn what_is_wrong_with_a_profile_is_said_with_its_place() {
    for (text, parts) in [
        ("(name: 3)", &["line 1", "column 7"][..]),
        (r#"(name: "x", shape: [])"#, &["line 1", "shape"]),
        (r#"(name: "x", shapes: [(names: ["a"], from: {jawOpened: 1.0})])"#, &["line 1", "jawOpened"]),
        (r#"(name: "x", shapes: [(names: [], from: {jawOpen: 1.0})])"#, &["needs a name"]),
        (r#"(name: "x", shapes: [(names: ["a"])])"#, &["shape a", "`from` or `shows`"]),
        (
            r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: 1.0}, shows: {jawOpen: 1.0})])"#,
            &["`from` or `shows`"],
        ),
        (r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: inf})])"#, &["shape a", "not finite"]),
        (r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: 0.0})])"#, &["shape a", "are 0"]),
        (r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: 1.0}, clamp: (1.0, 0.0))])"#, &["shape a", "clamp"]),
        (
            r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: 1.0}, curve: [(0.5, 0.0), (0.5, 1.0)])])"#,
            &["shape a", "do not rise"],
        ),
        (
            r#"(name: "x", shapes: [(names: ["a"], from: {jawOpen: 1.0}), (names: ["b", "a"], from: {jawLeft: 1.0})])"#,
            &["shape b", "\"a\" is taken"],
        ),
        (r#"(name: "x", joints: [(joint: Elbow, names: ["a"])])"#, &["line 1", "Elbow"]),
        (r#"(name: "x", joints: [(joint: Jaw, names: [])])"#, &["joint jaw", "needs a name"]),
        (r#"(name: "x", joints: [(joint: Jaw, names: ["a"], turn: Some({jawOpen: (NaN, 0, 0)}))])"#, &["not finite"]),
    ] {
        let error = RigProfile::parse(text).expect_err(text).to_string();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn each_region_goes_to_the_profile_that_knows_most_of_it() {
    let (mut binding, report) =
        bind(&rig(&["viseme_aa", "viseme_PP", "viseme_U", "Eye_Blink_L", "Eye_Blink_R", "Eye_L_Look_Up"]), &builtin());
    let by =
        |region: FaceRegion| report.profiles.iter().find(|(other, _)| *other == region).map(|(_, name)| name.as_str());
    assert_eq!(by(FaceRegion::Mouth), Some("Oculus visemes and Ready Player Me"));
    assert_eq!(by(FaceRegion::Eyes), Some("Reallusion Character Creator 4"));
    assert_eq!(by(FaceRegion::Brows), None);
    let shown = weights(&mut binding, 6, &pose(&[(JawOpen, 0.5), (EyeBlinkRight, 0.8)]));
    assert!(shown[0] > 0.5 && shown[1] < 0.1 && shown[2] < 0.1, "{shown:?}");
    assert_eq!(shown[3..], [0.0, 0.8, 0.0]);
}

#[test]
fn visemes_beside_the_channels_stay_at_rest() {
    let mut shapes: Vec<&str> = FaceChannel::ALL.iter().take(52).map(|channel| channel.name()).collect();
    shapes.extend(["viseme_aa", "viseme_PP", "mouthOpen"]);
    let (mut binding, report) = bind(&rig(&shapes), &builtin());
    assert_eq!((report.coverage(), report.shapes.len()), (1.0, 52));
    assert!(report.unknown.is_empty(), "{report}");
    let shown = weights(&mut binding, 55, &pose(&[(JawOpen, 0.7)]));
    assert_eq!((shown[JawOpen.index()], &shown[52..]), (0.7, &[0.0; 3][..]));
}

#[test]
fn a_blink_of_both_eyes_is_fitted_with_its_halves_once() {
    let (mut binding, _) = bind(&rig(&["Fcl_EYE_Close", "Fcl_EYE_Close_L", "Fcl_EYE_Close_R"]), &builtin());
    let shown = weights(&mut binding, 3, &pose(&[(EyeBlinkLeft, 0.8), (EyeBlinkRight, 0.8)]));
    assert!((shown[0] + (shown[1] + shown[2]) / 2.0 - 0.8).abs() < 0.02, "{shown:?}");
    let shown = weights(&mut binding, 3, &pose(&[(EyeBlinkLeft, 0.6)]));
    assert!((shown[0] + shown[1] - 0.6).abs() < 0.02 && shown[0] + shown[2] < 0.02, "{shown:?}");
}

#[test]
fn one_name_on_several_meshes_is_driven_on_all() {
    let rig = Rig {
        meshes: vec![mesh("skin", &["jawOpen", "mouthClose"]), mesh("teeth", &["other", "jawOpen"])],
        ..Rig::default()
    };
    let (mut binding, report) = bind(&rig, &builtin());
    binding.follow(&pose(&[(JawOpen, 0.5)]));
    let driven: Vec<(usize, u16, f32)> = binding
        .shapes()
        .iter()
        .flat_map(|drive| {
            drive.targets.iter().map(|target| (drive.mesh, target.shape, binding.weight(core::slice::from_ref(target))))
        })
        .collect();
    assert_eq!(driven, [(0, 0, 0.5), (0, 1, 0.0), (1, 1, 0.5)]);
    assert_eq!(report.unknown, [("teeth".to_owned(), "other".to_owned())]);
}

#[test]
fn of_two_shapes_for_one_thing_the_better_name_is_driven_and_the_other_reported() {
    let (mut binding, report) = bind(&rig(&["JawOpen", "jawOpen", "mouthClose"]), &builtin());
    let shown = weights(&mut binding, 3, &pose(&[(JawOpen, 0.5)]));
    assert_eq!(shown, [0.0, 0.5, 0.0]);
    assert!(says(&report, FindingKind::Duplicated, "`JawOpen` is left alone"), "{report}");
}

#[test]
fn a_jaw_without_a_shape_to_close_the_lips_closes_itself() {
    let (mut binding, report) = bind(&rig(&["jawOpen", "mouthPucker"]), &builtin());
    let shown = weights(&mut binding, 2, &pose(&[(JawOpen, 0.6), (MouthClose, 0.5)]));
    assert!((shown[0] - 0.1).abs() < 1e-6, "{shown:?}");
    assert!(says(&report, FindingKind::Missing, "no `mouthClose`"), "{report}");
}

#[test]
fn a_mouth_close_that_opens_the_jaw_takes_it_back_from_the_jaw() {
    let with = |close: Vec<Vec3>| {
        let open = vec![Vec3::new(0.0, -0.01, 0.0), Vec3::new(0.0, -0.008, -0.002), Vec3::ZERO];
        let mut rig = rig(&["jawOpen", "mouthClose"]);
        rig.meshes[0].displacements =
            Some(Box::new(move |shape| [&open, &close].get(shape).map(|shape| (*shape).clone())));
        let (mut binding, report) = bind(&rig, &builtin());
        (weights(&mut binding, 2, &pose(&[(JawOpen, 0.6), (MouthClose, 0.5)])), report)
    };
    // Chin down, lips met; and as ARKit has it: the lower lip comes up.
    let (shown, report) = with(vec![Vec3::new(0.0, -0.01, 0.0), Vec3::new(0.0, -0.001, 0.0), Vec3::ZERO]);
    assert!(shown[0] < 0.3 && shown[1] == 0.5, "{shown:?}");
    assert!(says(&report, FindingKind::Doubtful, "opens the jaw by itself"), "{report}");
    let (shown, report) = with(vec![Vec3::ZERO, Vec3::new(0.0, 0.007, 0.002), Vec3::new(0.0, -0.001, 0.0)]);
    assert_eq!(shown, [0.6, 0.5]);
    assert!(!says(&report, FindingKind::Doubtful, "mouthClose"), "{report}");
}

fn vrm(version: u8, expressions: Vec<VrmExpression>) -> Option<Vrm> {
    Some(Vrm { version, expressions, ..Vrm::default() })
}

fn expression(name: &str, targets: &[(usize, usize, f32)]) -> VrmExpression {
    VrmExpression { name: name.into(), preset: true, targets: targets.to_vec(), ..VrmExpression::default() }
}

#[test]
fn expressions_move_several_targets_each_by_its_share() {
    let mut rig = rig(&["shut", "lash", "other"]);
    rig.vrm = vrm(
        1,
        vec![
            expression("blinkLeft", &[(0, 0, 0.8), (0, 1, 0.5)]),
            expression("blinkRight", &[(0, 2, 1.0), (0, 1, 0.5)]),
        ],
    );
    let (mut binding, report) = bind(&rig, &builtin());
    let shown = weights(&mut binding, 3, &pose(&[(EyeBlinkLeft, 1.0), (EyeBlinkRight, 0.5)]));
    assert!(
        (shown[0] - 0.8).abs() < 0.01 && (shown[1] - 0.75).abs() < 0.01 && (shown[2] - 0.5).abs() < 0.01,
        "{shown:?}"
    );
    assert_eq!(report.shapes.len(), 2, "{report}");
}

#[test]
fn eyes_that_the_file_turns_by_bones_are_not_turned_by_expressions_too() {
    let with = |looks_by_bones: bool| {
        let mut rig = rig(&["gaze"]);
        rig.vrm = Some(Vrm {
            looks_by_bones,
            version: 1,
            expressions: vec![expression("lookUp", &[(0, 0, 1.0)])],
            ..Vrm::default()
        });
        bind(&rig, &builtin()).1.shapes.len()
    };
    assert_eq!((with(false), with(true)), (1, 0));
}

#[test]
fn expressions_override_others_as_the_file_says() {
    let shown = |how: VrmOverride, blink: f32| {
        let mut rig = rig(&["shut", "open"]);
        let mut closing = expression("blink", &[(0, 0, 1.0)]);
        closing.overrides[2] = how;
        rig.vrm = vrm(1, vec![closing, expression("aa", &[(0, 1, 1.0)])]);
        let (mut binding, _) = bind(&rig, &builtin());
        weights(&mut binding, 2, &pose(&[(EyeBlinkLeft, blink), (EyeBlinkRight, blink), (JawOpen, 0.4)]))
    };
    let free = shown(VrmOverride::None, 0.5);
    assert!(free[0] > 0.45 && free[1] > 0.4, "{free:?}");
    let blended = shown(VrmOverride::Blend, 0.5);
    assert!((blended[1] - free[1] * (1.0 - free[0])).abs() < 1e-5, "{blended:?}");
    assert_eq!(shown(VrmOverride::Block, 0.5)[1], 0.0);
    assert!((shown(VrmOverride::Block, 0.0)[1] - shown(VrmOverride::None, 0.0)[1]).abs() < 1e-6);
}

#[test]
fn an_emotion_that_would_silence_the_mouth_is_left_out_with_a_reason() {
    let mut rig = rig(&["smile", "open"]);
    let mut happy = expression("happy", &[(0, 0, 1.0)]);
    happy.overrides[2] = VrmOverride::Block;
    rig.vrm = vrm(1, vec![happy, expression("aa", &[(0, 1, 1.0)])]);
    let (mut binding, report) = bind(&rig, &builtin());
    assert!(says(&report, FindingKind::Doubtful, "`happy` is not used"), "{report}");
    let shown = weights(&mut binding, 2, &pose(&[(MouthSmileLeft, 0.9), (MouthSmileRight, 0.9), (JawOpen, 0.4)]));
    assert!(shown[0] == 0.0 && shown[1] > 0.3, "{shown:?}");
}

#[test]
fn joints_are_found_by_words_only_where_no_profile_knows_them_and_said_to_be_doubtful() {
    let rig = Rig {
        nodes: vec![
            node("C_head_jnt", None, [0.0, 1.6, 0.0]),
            node("C_jaw_jnt", Some(0), [0.0, -0.02, 0.02]),
            node("L_eyeball_jnt", Some(0), [0.03, 0.05, 0.08]),
            node("R_eyeball_jnt", Some(0), [-0.03, 0.05, 0.08]),
            node("L_eyelid_upper_jnt", Some(0), [0.03, 0.06, 0.09]),
            node("jawEnd_jnt", Some(1), [0.0, -0.05, 0.06]),
        ],
        ..Rig::default()
    };
    let (binding, report) = bind(&rig, &builtin());
    let found: Vec<(Joint, usize)> = binding.joints().iter().map(|drive| (drive.joint, drive.node)).collect();
    assert_eq!(found, [(Joint::Head, 0), (Joint::Jaw, 1), (Joint::LeftEye, 2), (Joint::RightEye, 3)]);
    assert!(says(&report, FindingKind::Doubtful, "`C_jaw_jnt` is taken for the joint of the jaw"), "{report}");
}

#[test]
fn a_jaw_opens_down_whatever_its_axes_and_the_character_s_are() {
    for (name, root, jaw) in [
        ("straight", Quat::IDENTITY, Quat::IDENTITY),
        ("bone along Y", Quat::IDENTITY, Quat::from_euler(glam::EulerRot::XYZ, 1.9, 0.3, 0.2)),
        ("Z up", Quat::from_rotation_x(-core::f32::consts::FRAC_PI_2), Quat::from_rotation_z(1.0)),
        ("looking back", Quat::from_rotation_y(core::f32::consts::PI), Quat::IDENTITY),
    ] {
        let mut rig = Rig {
            nodes: vec![
                node("neck", None, [0.0, 0.0, 0.0]),
                node("head", Some(0), [0.0, 0.1, 0.0]),
                node("jaw", Some(1), [0.0, -0.01, 0.02]),
                node("eye_L", Some(1), [0.03, 0.05, 0.08]),
                node("eye_R", Some(1), [-0.03, 0.05, 0.08]),
            ],
            ..Rig::default()
        };
        (rig.nodes[0].rotation, rig.nodes[2].rotation) = (root, jaw);
        let (binding, _) = bind(&rig, &builtin());
        let drive = binding.joints().iter().find(|drive| drive.joint == Joint::Jaw).unwrap();
        let (turn, _) = drive.motion(&pose(&[(JawOpen, 1.0)]));
        // The chin, in the axes of the head: forward at rest.
        let chin = jaw * turn * jaw.inverse() * Vec3::Z;
        assert!((chin.y + 24.5_f32.to_radians().sin()).abs() < 1e-3 && chin.x.abs() < 1e-3, "{name}: {chin}");
        let (turn, _) = drive.motion(&pose(&[(JawOpen, 0.6), (MouthClose, 0.6)]));
        assert!(turn.angle_between(Quat::IDENTITY) < 1e-3, "{name}: it closes for P, B and M");
    }
}

#[test]
fn a_jaw_of_several_pieces_turns_about_one_hinge() {
    let rig = Rig {
        nodes: vec![
            node("DEF-spine.006", None, [0.0, 0.0, 0.0]),
            node("DEF-jaw_master", Some(0), [0.0, -0.01, 0.02]),
            node("DEF-chin", Some(0), [0.0, -0.06, 0.09]),
            node("DEF-jaw", Some(1), [0.0, -0.04, 0.05]),
            node("DEF-eye.L", Some(0), [0.03, 0.05, 0.08]),
            node("DEF-eye.R", Some(0), [-0.03, 0.05, 0.08]),
        ],
        ..Rig::default()
    };
    let (binding, _) = bind(&rig, &builtin());
    let open = pose(&[(JawOpen, 1.0)]);
    let motion =
        |node: usize| binding.joints().iter().find(|drive| drive.node == node).map(|drive| drive.motion(&open));
    assert!(motion(3).is_none(), "what hangs on the hinge goes along");
    let (hinge, still) = motion(1).unwrap();
    let (chin, shift) = motion(2).unwrap();
    assert!(still == Vec3::ZERO && hinge.angle_between(chin) < 1e-4);
    let arm = Vec3::new(0.0, -0.05, 0.07);
    assert!((hinge * arm - arm).abs_diff_eq(shift, 1e-5), "{shift}");
}

#[test]
fn eyes_follow_the_gaze_and_the_channels_alike() {
    let mut rig = rig(&["jawOpen", "mouthClose"]);
    rig.nodes = vec![
        node("head", None, [0.0; 3]),
        node("eye_L", Some(0), [0.03, 0.05, 0.08]),
        node("eye_R", Some(0), [-0.03, 0.05, 0.08]),
    ];
    let (binding, _) = bind(&rig, &builtin());
    let turned = |joint: Joint, pose: &FacePose| {
        let drive = binding.joints().iter().find(|drive| drive.joint == joint).unwrap();
        (drive.motion(pose).0 * Vec3::Z).to_array()
    };
    let by_channels =
        pose(&[(EyeLookOutLeft, 0.5), (EyeLookInRight, 0.5), (EyeLookUpLeft, 0.4), (EyeLookUpRight, 0.4)]);
    let mut by_angle = FacePose::REST;
    by_angle.left_eye = glam::Vec2::new(0.5, 0.4) * FULL_LOOK;
    by_angle.right_eye = by_angle.left_eye;
    for joint in [Joint::LeftEye, Joint::RightEye] {
        let shown = turned(joint, &by_channels);
        assert!(shown[0] > 0.1 && shown[1] > 0.1, "{joint}: {shown:?}");
        assert_eq!(shown, turned(joint, &by_angle));
        let mut both = by_channels;
        (both.left_eye, both.right_eye) = (by_angle.left_eye, by_angle.right_eye);
        assert_eq!(shown, turned(joint, &both));
    }
}

#[test]
fn a_joint_moves_beside_shapes_only_where_its_profile_says_so() {
    let with = |beside: &str| {
        let ours = profile(&format!(
            r#"(name: "ours", shapes: [(names: ["open"], from: {{jawOpen: 1.0}})],
                joints: [(joint: Jaw, names: ["jawbone"]{beside})])"#
        ));
        let mut rig = rig(&["open"]);
        rig.nodes = vec![node("jawbone", None, [0.0; 3])];
        bind(&rig, &[&ours]).0.joints().len()
    };
    assert_eq!((with(""), with(", beside_shapes: true")), (0, 1));
}

#[test]
fn shapes_without_names_and_files_without_anything_are_said() {
    let (_, report) = bind(&rig(&["", "", "jawOpen"]), &builtin());
    assert!(says(&report, FindingKind::Broken, "2 of the 3 shapes of `face` have no names"), "{report}");
    let (binding, report) = bind(&Rig::default(), &builtin());
    assert!(binding.shapes().is_empty() && report.is_broken() && !report.can_speak());
    assert!(report.findings.iter().all(|finding| !finding.what.is_empty()));
}

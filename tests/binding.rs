//! Binding characters of all kinds, and what the report says of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::{mesh::morph::MorphWeights, prelude::*};
use bevy_talkie::{
    prelude::*,
    talkie::retarget::{self, Joint},
};
use common::{add_tiny_model, glb::Character, spawn_face, talking_app, until, weights};
use serde_json::json;

const STRAIGHT: [f32; 4] = [0.0, 0.0, 0.0, 1.0];

/// Binds a character and gives the app, the face and its report in words.
fn bind(character: &Character) -> (tempfile::TempDir, App, Entity, String) {
    let folder = tempfile::tempdir().unwrap();
    character.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    let report = app.world().get::<BindingReport>(face).unwrap().0.to_string();
    (folder, app, face, report)
}

#[track_caller]
fn says(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "expected {part:?} in: {report}");
    }
}

fn pose(app: &mut App, face: Entity, weights: &[(FaceChannel, f32)]) {
    *app.world_mut().get_mut::<Expression>(face).unwrap() = Expression::new(weights.iter().copied());
    app.update();
}

#[test]
fn a_character_without_shapes_is_reported_not_moved() {
    let (_f, _app, _, report) = bind(&Character::default());
    says(&report, &["0 of 52", "nothing opens the mouth", "jawOpen", "no morph targets with known names"]);
}

#[test]
fn three_of_the_names_are_bound_and_the_rest_is_listed() {
    let (_f, mut app, face, report) =
        bind(&Character { shapes: &["jawOpen", "mouthFunnel", "mouthPucker"], ..default() });
    says(&report, &["3 of 52", "missing:", "mouthClose", "eyeBlinkLeft"]);
    pose(&mut app, face, &[(FaceChannel::MouthFunnel, 0.5), (FaceChannel::MouthClose, 1.0)]);
    assert_eq!(weights(app.world(), face), [0.0, 0.5, 0.0]);
}

#[test]
fn names_in_another_case_are_bound_and_said() {
    let (_f, mut app, face, report) =
        bind(&Character { shapes: &["JawOpen", "mouth_smile_left", "eyeBlink_R"], ..default() });
    says(&report, &["JawOpen = jawOpen", "mouth_smile_left = mouthSmileLeft", "eyeBlink_R = eyeBlinkRight"]);
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.25), (FaceChannel::EyeBlinkRight, 0.75)]);
    assert_eq!(weights(app.world(), face), [0.25, 0.0, 0.75]);
}

#[test]
fn shapes_with_foreign_names_stay_as_they_are() {
    let (_f, mut app, face, report) = bind(&Character { shapes: &["Muscles", "jawOpen", "jawOpenWide"], ..default() });
    says(&report, &["2 shapes have unknown names", "Muscles", "jawOpenWide"]);
    let node = app.world().get::<FaceRig>(face).unwrap().shape_nodes().next().unwrap();
    app.world_mut().get_mut::<MorphWeights>(node).unwrap().weights_mut()[0] = 0.9;
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.4)]);
    assert_eq!(weights(app.world(), face), [0.9, 0.4, 0.0]);
}

#[test]
fn more_shapes_than_bevy_can_carry_are_reported_with_the_reason() {
    let names: Vec<String> = (0..257).map(|i| format!("shape{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_f, _app, _, report) = bind(&Character { shapes: &names, ..default() });
    says(&report, &["the scene cannot be loaded", "256", "257"]);
}

#[test]
fn a_missing_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "nobody.glb");
    says(&app.world().get::<BindingReport>(face).unwrap().0.to_string(), &["cannot be loaded", "nobody.glb"]);
}

#[test]
fn fewer_names_than_shapes_bind_the_common_part() {
    let (_f, _app, _, report) = bind(&Character { shapes: &["jawOpen"], targets: Some(3), ..default() });
    says(&report, &["1 of 52", "3 shapes but 1 names"]);
}

#[test]
fn a_file_without_normals_is_not_torn() {
    let (_f, _app, _, report) = bind(&Character { shapes: &["jawOpen"], without_normals: true, ..default() });
    says(&report, &["do not fit its vertices"]);
}

#[test]
fn joints_move_what_no_shape_moves() {
    let joints = [
        ("head", None, STRAIGHT),
        ("jaw", Some(0), STRAIGHT),
        ("LeftEye", Some(0), STRAIGHT),
        ("RightEye", Some(0), STRAIGHT),
    ];
    let (_f, mut app, face, report) = bind(&Character { joints: &joints, ..default() });
    says(&report, &["joint jaw is `jaw`", "joint left eye is `LeftEye`", "13 of 52"]);
    pose(&mut app, face, &[(FaceChannel::JawOpen, 1.0)]);
    app.world_mut().get_mut::<FaceLife>(face).unwrap().look = Vec2::new(0.2, 0.0);
    app.update();
    let rotation = |joint: Joint| {
        let (_, entity) =
            app.world().get::<FaceRig>(face).unwrap().joints().find(|(found, _)| *found == joint).unwrap();
        app.world().get::<Transform>(entity).unwrap().rotation
    };
    let jaw = rotation(Joint::Jaw).to_scaled_axis();
    assert!((jaw.x.to_degrees() - 24.5).abs() < 0.1 && jaw.y == 0.0, "{jaw}");
    let eye = rotation(Joint::LeftEye).to_scaled_axis();
    assert!((eye.y - 0.2).abs() < 1e-3 && eye.x.abs() < 1e-3, "{eye}");
}

#[test]
fn a_joint_with_a_turned_rest_pose_still_opens_downwards() {
    // The jaw's own axes are turned by 90 degrees about Z: its local Y points where the character's X does, reversed.
    let turned = Quat::from_rotation_z(core::f32::consts::FRAC_PI_2).to_array();
    let (_f, mut app, face, _) = bind(&Character { joints: &[("jaw", None, turned)], ..default() });
    pose(&mut app, face, &[(FaceChannel::JawOpen, 1.0)]);
    app.update();
    let (_, entity) = app.world().get::<FaceRig>(face).unwrap().joints().next().unwrap();
    let chin =
        app.world().get::<GlobalTransform>(entity).unwrap().rotation() * Quat::from_array(turned).inverse() * Vec3::Z;
    assert!(chin.y < -0.3 && chin.x.abs() < 1e-3, "the chin points to {chin}");
}

#[test]
fn a_shape_beats_a_joint_never_both() {
    let (_f, mut app, face, report) =
        bind(&Character { shapes: &["jawOpen"], joints: &[("jaw", None, STRAIGHT)], ..default() });
    says(&report, &["joint jaw is `jaw` (not driven: the shape jawOpen moves the jaw)"]);
    pose(&mut app, face, &[(FaceChannel::JawOpen, 1.0)]);
    assert_eq!(app.world().get::<FaceRig>(face).unwrap().joints().count(), 0);
}

#[test]
fn a_joint_that_is_not_bound_any_more_is_left_alone() {
    let joints = [("head", None, STRAIGHT), ("jaw", Some(0), STRAIGHT)];
    let (_f, mut app, face, _) = bind(&Character { joints: &joints, ..default() });
    let joint = |app: &App, joint: Joint| {
        app.world()
            .get::<FaceRig>(face)
            .unwrap()
            .joints()
            .find_map(|(found, entity)| (found == joint).then_some(entity))
    };
    let (head, jaw) = (joint(&app, Joint::Head).unwrap(), joint(&app, Joint::Jaw).unwrap());
    // The jaw is all that is bound then, in the place that the head had.
    app.world_mut().entity_mut(head).insert(Name::new("something"));
    app.world_mut().entity_mut(face).remove::<FaceRig>();
    app.update();
    assert_eq!((joint(&app, Joint::Head), joint(&app, Joint::Jaw)), (None, Some(jaw)));
    let before = *app.world().get::<Transform>(head).unwrap();
    pose(&mut app, face, &[(FaceChannel::JawOpen, 1.0)]);
    let turned = |entity| app.world().get::<Transform>(entity).unwrap().rotation.angle_between(Quat::IDENTITY);
    assert!(turned(jaw) > 0.3, "{}", turned(jaw));
    assert_eq!(*app.world().get::<Transform>(head).unwrap(), before);
}

#[test]
fn the_head_moves_on_top_of_its_animation_and_does_not_run_away() {
    let (_f, mut app, face, _) = bind(&Character { joints: &[("head", None, STRAIGHT)], ..default() });
    let (_, head) = app.world().get::<FaceRig>(face).unwrap().joints().next().unwrap();
    app.world_mut().get_mut::<FaceLife>(face).unwrap().head = true;
    let turned = Quat::from_rotation_y(1.0);
    for frame in 0..600 {
        if frame == 300 {
            // Some animation turns the head once and leaves it there.
            app.world_mut().get_mut::<Transform>(head).unwrap().rotation = turned;
        }
        app.update();
        let rotation = app.world().get::<Transform>(head).unwrap().rotation;
        let base = if frame < 300 { Quat::IDENTITY } else { turned };
        assert!(rotation.angle_between(base) < 0.1, "frame {frame}: {}", rotation.angle_between(base));
    }
}

#[test]
fn an_animation_that_overwrites_the_weights_does_not_silence_the_face() {
    let (_f, mut app, face, _) = bind(&Character { shapes: &["jawOpen", "other"], ..default() });
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.7)]);
    let node = app.world().get::<FaceRig>(face).unwrap().shape_nodes().next().unwrap();
    for _ in 0..3 {
        app.world_mut().get_mut::<MorphWeights>(node).unwrap().weights_mut().copy_from_slice(&[0.1, 0.2]);
        app.update();
        assert_eq!(weights(app.world(), face), [0.7, 0.2]);
    }
}

#[test]
fn what_the_game_writes_to_one_shape_is_told_from_what_the_face_wrote_to_others() {
    let (_f, mut app, face, _) = bind(&Character { shapes: &["jawOpen", "browInnerUp"], ..default() });
    let mut declared = app.world_mut().get_mut::<FaceAuthority>(face).unwrap();
    (declared.mouth, declared.brows) = (Authority::Both, Authority::Both);
    (0..30).for_each(|_| app.update());
    let node = app.world().get::<FaceRig>(face).unwrap().shape_nodes().next().unwrap();
    for jaw in [0.3, 0.3, 0.4, 0.2, 0.2] {
        app.world_mut().get_mut::<MorphWeights>(node).unwrap().weights_mut()[1] = 0.5;
        pose(&mut app, face, &[(FaceChannel::JawOpen, jaw), (FaceChannel::BrowInnerUp, 0.2)]);
        let shown = weights(app.world(), face);
        assert!((shown[0] - jaw).abs() < 1e-5 && (shown[1] - 0.7).abs() < 1e-5, "{shown:?} for {jaw}");
    }
}

#[test]
fn weights_are_written_only_when_they_differ() {
    #[derive(Resource, Default)]
    struct Writes(usize);
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["jawOpen"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    app.init_resource::<Writes>().add_systems(
        Last,
        |changed: Query<(), Changed<MorphWeights>>, mut writes: ResMut<Writes>| {
            writes.0 += changed.iter().count();
        },
    );
    let face = spawn_face(&mut app, "face.glb");
    app.update();
    app.world_mut().resource_mut::<Writes>().0 = 0;
    (0..20).for_each(|_| app.update());
    assert_eq!(app.world().resource::<Writes>().0, 0, "a face at rest is left alone");
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.3)]);
    (0..20).for_each(|_| app.update());
    assert_eq!(app.world().resource::<Writes>().0, 1);
}

#[test]
fn values_that_are_not_numbers_never_reach_the_character() {
    let (_f, mut app, face, _) = bind(&Character {
        shapes: &["jawOpen", "eyeLookUpLeft"],
        joints: &[("head", None, STRAIGHT), ("eye_R", None, STRAIGHT)],
        ..default()
    });
    app.world_mut().get_mut::<FaceLife>(face).unwrap().look = Vec2::new(f32::NAN, f32::INFINITY);
    pose(&mut app, face, &[(FaceChannel::JawOpen, f32::NAN)]);
    app.world_mut().get_mut::<LivePose>(face).unwrap().0.head_rotation = Quat::from_xyzw(f32::NAN, 0.0, 0.0, 0.0);
    app.update();
    assert!(weights(app.world(), face).iter().all(|weight| weight.is_finite()));
    for (_, entity) in app.world().get::<FaceRig>(face).unwrap().joints() {
        assert!(app.world().get::<Transform>(entity).unwrap().is_finite());
    }
}

#[test]
fn a_scene_that_is_spawned_anew_is_bound_anew() {
    let (_f, mut app, face, _) = bind(&Character { shapes: &["jawOpen"], ..default() });
    let before = app.world().get::<FaceRig>(face).unwrap().shape_nodes().next().unwrap();
    // Bevy ignores changes of a scene that was only just added.
    (0..5).for_each(|_| app.update());
    let scene = app.world().get::<WorldAssetRoot>(face).unwrap().0.id();
    app.world_mut().write_message(AssetEvent::Modified { id: scene });
    until(&mut app, "another node", |world| {
        world.get::<FaceRig>(face).and_then(|rig| rig.shape_nodes().next()).is_some_and(|node| node != before)
    });
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.6)]);
    assert_eq!(weights(app.world(), face), [0.6]);
}

#[test]
fn a_face_added_to_a_scene_that_is_already_there_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["jawOpen"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let scene = app.world().resource::<AssetServer>().load("face.glb#Scene0");
    let root = app.world_mut().spawn(WorldAssetRoot(scene)).id();
    until(&mut app, "the scene", |world| world.query::<&MorphWeights>().iter(world).count() == 1);
    let model = add_tiny_model(&mut app);
    app.world_mut().entity_mut(root).insert(TalkingFace { model, ..default() });
    until(&mut app, "the binding", |world| world.get::<FaceRig>(root).is_some());
    assert_eq!(app.world().get::<FaceRig>(root).unwrap().shape_nodes().count(), 1);
}

/// Binds `face.glb` by a profile of the game.
fn bind_by(profile: &str, character: &Character) -> (tempfile::TempDir, App, Entity, Handle<RigProfile>) {
    let folder = tempfile::tempdir().unwrap();
    character.write(folder.path(), "face.glb");
    std::fs::write(folder.path().join("ours.rig.ron"), profile).unwrap();
    let mut app = talking_app(folder.path());
    let server = app.world().resource::<AssetServer>().clone();
    let handle = server.load("ours.rig.ron");
    let scene = server.load("face.glb#Scene0");
    let model = add_tiny_model(&mut app);
    let profile = Some(handle.clone());
    let talking = TalkingFace { model, profile, ..default() };
    let face = app.world_mut().spawn((WorldAssetRoot(scene), talking, FaceLife::none())).id();
    until(&mut app, "the face to be bound", |world| world.get::<BindingReport>(face).is_some());
    (folder, app, face, handle)
}

const OURS: &str = r#"(name: "ours", shapes: [(names: ["Gob"], from: {jawOpen: 1.0, mouthClose: -1.0}, gain: 0.5)])"#;

#[test]
fn a_profile_of_the_game_names_the_shapes_and_a_change_of_it_binds_anew() {
    let (_f, mut app, face, handle) = bind_by(OURS, &Character { shapes: &["Gob", "jawOpen"], ..default() });
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.8)]);
    assert_eq!(weights(app.world(), face), [0.4, 0.0]);
    // While the mouth is open, the profile turns to the other shape: the first one rests.
    let mut profiles = app.world_mut().resource_mut::<Assets<RigProfile>>();
    profiles.get_mut(&handle).unwrap().0.shapes[0].names[0] = "jawOpen".into();
    (0..3).for_each(|_| app.update());
    assert_eq!(weights(app.world(), face), [0.0, 0.4]);
}

#[test]
fn a_profile_that_cannot_be_read_is_reported_and_the_built_in_ones_serve() {
    let (_f, mut app, face, _) = bind_by("(name: 3)", &Character { shapes: &["jawOpen", "mouthClose"], ..default() });
    let report = app.world().get::<BindingReport>(face).unwrap().0.to_string();
    says(&report, &["its profile is not used", "ours.rig.ron", "line 1, column 7", "Expected string"]);
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.8)]);
    assert_eq!(weights(app.world(), face), [0.8, 0.0]);
}

#[test]
fn listed_profiles_are_tried_for_every_face() {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["Gob"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    assert!(!app.world().get::<BindingReport>(face).unwrap().0.can_speak());
    let profile = RigProfile(retarget::RigProfile::parse(OURS).unwrap());
    let handle = app.world_mut().resource_mut::<Assets<RigProfile>>().add(profile);
    app.world_mut().resource_mut::<RigProfiles>().0.push(handle);
    (0..3).for_each(|_| app.update());
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.8)]);
    assert_eq!(weights(app.world(), face), [0.4]);
}

#[test]
fn avatars_are_bound_by_what_their_file_says() {
    let version_1 = json!({"VRMC_vrm": {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {"head": {"node": 1}, "jaw": {"node": 2}}},
        "expressions": {
            "preset": {"blinkLeft": {"morphTargetBinds": [{"node": 0, "index": 1, "weight": 0.5}]}},
            "custom": {"MouthPucker": {"morphTargetBinds": [{"node": 0, "index": 0, "weight": 1.0}]}},
        },
    }});
    let version_0 = json!({"VRM": {
        "humanoid": {"humanBones": [{"bone": "head", "node": 1}, {"bone": "jaw", "node": 2}]},
        "blendShapeMaster": {"blendShapeGroups": [
            {"name": "Blink_L", "presetName": "blink_l", "binds": [{"mesh": 0, "index": 1, "weight": 50}]},
            {"name": "MouthPucker", "presetName": "unknown", "binds": [{"mesh": 0, "index": 0, "weight": 100}]},
        ]},
    }});
    for extensions in [version_1, version_0] {
        let folder = tempfile::tempdir().unwrap();
        let joints = [("Kopf", None, STRAIGHT), ("Kiefer", Some(0), STRAIGHT)];
        Character { shapes: &["x1", "x2"], joints: &joints, extensions: Some(extensions), ..default() }
            .write(folder.path(), "avatar.vrm");
        let mut app = talking_app(folder.path());
        let face = spawn_face(&mut app, "avatar.vrm");
        let report = app.world().get::<BindingReport>(face).unwrap().0.to_string();
        says(&report, &["joint head is `Kopf`", "joint jaw is `Kiefer`"]);
        let shown = [(FaceChannel::JawOpen, 1.0), (FaceChannel::MouthPucker, 0.4), (FaceChannel::EyeBlinkLeft, 1.0)];
        pose(&mut app, face, &shown);
        let shown = weights(app.world(), face);
        assert!((shown[0] - 0.4).abs() < 0.01 && (shown[1] - 0.5).abs() < 0.01, "{shown:?}");
        let (_, jaw) = app.world().get::<FaceRig>(face).unwrap().joints().find(|(j, _)| *j == Joint::Jaw).unwrap();
        let turned = app.world().get::<Transform>(jaw).unwrap().rotation.to_scaled_axis().x;
        assert!((turned.abs().to_degrees() - 24.5).abs() < 0.1, "{turned}");
    }
}

#[test]
fn a_clip_of_the_character_and_the_face_share_it_as_declared() {
    let folder = tempfile::tempdir().unwrap();
    let character = Character {
        shapes: &["jawOpen", "mouthClose", "browInnerUp", "other"],
        joints: &[("head", None, STRAIGHT)],
        clip: true,
        ..default()
    };
    character.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    let clip = app.world().resource::<AssetServer>().load(GltfAssetLabel::Animation(0).from_asset("face.glb"));
    let (graph, playing) = AnimationGraph::from_clip(clip);
    let graph = app.world_mut().resource_mut::<Assets<AnimationGraph>>().add(graph);
    let mut players = app.world_mut().query::<(Entity, &mut AnimationPlayer)>();
    let mut entities = Vec::new();
    for (entity, mut player) in players.iter_mut(app.world_mut()) {
        player.play(playing).repeat();
        entities.push(entity);
    }
    assert!(!entities.is_empty());
    for entity in entities {
        app.world_mut().entity_mut(entity).insert(AnimationGraphHandle(graph.clone()));
    }
    let (_, head) = app.world().get::<FaceRig>(face).unwrap().joints().next().unwrap();
    let yaw = |app: &App| app.world().get::<Transform>(head).unwrap().rotation.to_scaled_axis().y;
    pose(&mut app, face, &[(FaceChannel::JawOpen, 0.8), (FaceChannel::BrowInnerUp, 0.3)]);
    until(&mut app, "the clip", |world| weights(world, face)[3] == 0.5);
    (0..3).for_each(|_| app.update());
    let near = |app: &App, expected: [f32; 4]| {
        let shown = weights(app.world(), face);
        assert!(shown.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{shown:?}, expected {expected:?}");
    };
    // The face covers the clip, but for what it does not drive; the head is held by the clip.
    near(&app, [0.8, 0.0, 0.3, 0.5]);
    assert!((yaw(&app) - 0.3).abs() < 1e-3, "{}", yaw(&app));
    let mut declared = app.world_mut().get_mut::<FaceAuthority>(face).unwrap();
    (declared.mouth, declared.brows, declared.head) = (Authority::Clip, Authority::Both, Authority::Face);
    app.update();
    let jaw = weights(app.world(), face)[0];
    assert!(jaw > 0.7 && jaw < 0.8, "eased: {jaw}");
    (0..20).for_each(|_| app.update());
    near(&app, [0.5, 0.5, 0.8, 0.5]);
    assert!(yaw(&app).abs() < 1e-3, "{}", yaw(&app));
    // Both never run away, whoever writes last.
    let mut declared = app.world_mut().get_mut::<FaceAuthority>(face).unwrap();
    (declared.mouth, declared.head) = (Authority::Both, Authority::Both);
    (0..200).for_each(|_| app.update());
    near(&app, [1.0, 0.5, 0.8, 0.5]);
    assert!((yaw(&app) - 0.3).abs() < 1e-3, "{}", yaw(&app));
}

#[test]
fn equal_characters_share_what_was_found_until_a_mesh_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = talking_app(folder.path());
    let named = |names: [&str; 2]| names.map(String::from).to_vec();
    let mut mesh = Mesh::new(bevy::mesh::PrimitiveTopology::TriangleList, default());
    mesh.set_morph_target_names(named(["jawOpen", "mouthClose"]));
    let mesh = app.world_mut().resource_mut::<Assets<Mesh>>().add(mesh);
    let spawn = |app: &mut App, name: &'static str| {
        let face = app.world_mut().spawn((TalkingFace::default(), FaceLife::none())).id();
        let weights = MorphWeights::new(vec![0.0; 2], Some(mesh.clone())).unwrap();
        app.world_mut().spawn((weights, Transform::default(), Name::new(name), ChildOf(face)));
        until(app, "the face", |world| world.get::<FaceRig>(face).is_some());
        face
    };
    let show = |app: &mut App, face: Entity| {
        app.world_mut().entity_mut(face).insert(Expression::new([(FaceChannel::JawOpen, 0.5)]));
        app.update();
        weights(app.world(), face)
    };
    let (first, second) = (spawn(&mut app, "head"), spawn(&mut app, "head"));
    assert_eq!(show(&mut app, first), [0.5, 0.0]);
    assert_eq!(weights(app.world(), second), [0.0, 0.0], "each has its own pose");
    let other = spawn(&mut app, "another head");
    assert!(app.world().get::<BindingReport>(other).unwrap().0.shapes[0].mesh.contains("another"));
    app.world_mut()
        .resource_mut::<Assets<Mesh>>()
        .get_mut(&mesh)
        .unwrap()
        .set_morph_target_names(named(["mouthClose", "jawOpen"]));
    app.update();
    let third = spawn(&mut app, "head");
    assert_eq!(show(&mut app, third), [0.0, 0.5], "its shapes have other names now");
}

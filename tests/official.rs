//! Bundles of the official layout in the plugin: loaded as assets, felt, changed and swapped while they speak.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::{asset::RenderAssetUsages, mesh::PrimitiveTopology, prelude::*};
use bevy_talkie::{
    inference::{Audio2FaceSettings, EmotionModel, wait_for_batches},
    prelude::*,
    rig::BundleMeshes,
    talkie::{animation::geometry::GeometryParameters, model::EmotionModelOptions},
};
use common::{add_clip, add_tiny_model, bursts, glb::Character, record_events, talking_app, until};
use talkie_standin::{Family, Size, StandIn};
use tempfile::TempDir;

const SHAPES: [&str; 4] = ["jawOpen", "mouthSmileLeft", "eyeBlinkLeft", "mouthClose"];

/// An app with a character file and bundles of all families.
fn stage() -> (TempDir, App) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &SHAPES, ..default() }.write(folder.path(), "face.glb");
    for (name, family) in
        [("regression", Family::Regression), ("diffusion", Family::Diffusion), ("emotion", Family::Emotion)]
    {
        StandIn::new(family, Size::Tiny).write(&folder.path().join(name)).unwrap();
    }
    let app = talking_app(folder.path());
    (folder, app)
}

/// Spawns a face with this model and waits until it is bound.
fn spawn(app: &mut App, model: Handle<FaceModel>, emotion_model: Option<Handle<EmotionModel>>) -> Entity {
    let scene = app.world().resource::<AssetServer>().load("face.glb#Scene0");
    let face = TalkingFace { model, emotion_model, ..default() };
    let face = app.world_mut().spawn((WorldAssetRoot(scene), face, FaceLife::none())).id();
    until(app, "the face to be bound", |world| world.get::<BindingReport>(face).is_some());
    face
}

fn load(app: &App, folder: &str) -> Handle<FaceModel> {
    app.world().resource::<AssetServer>().load(format!("{folder}/model.json"))
}

fn say(app: &mut App, face: Entity, seconds: f32) {
    let clip = add_clip(app, bursts(seconds));
    app.world_mut().commands().entity(face).say(clip);
}

fn speaking(world: &World, face: Entity) -> bool {
    world.get::<Voice>(face).unwrap().is_speaking()
}

fn shown(app: &App, face: Entity, channel: FaceChannel) -> f32 {
    app.world().get::<LivePose>(face).unwrap().0.weight(channel)
}

/// Runs until the speech ends, and tells the most that was shown of some channels from a moment on.
fn most_of<const N: usize>(app: &mut App, face: Entity, after: f64, channels: [FaceChannel; N]) -> [f32; N] {
    let mut most = [0.0_f32; N];
    until(app, "speech to start", |world| speaking(world, face));
    while speaking(app.world(), face) {
        if app.world().get::<Voice>(face).unwrap().heard_seconds() >= after {
            for (most, channel) in most.iter_mut().zip(channels) {
                *most = most.max(shown(app, face, channel));
            }
        }
        app.update();
        wait_for_batches(app.world());
    }
    most
}

#[test]
fn bundles_load_as_assets_and_move_a_face() {
    let (_folder, mut app) = stage();
    let log = record_events(&mut app);
    for name in ["regression", "diffusion"] {
        let model = load(&app, name);
        let face = spawn(&mut app, model.clone(), None);
        say(&mut app, face, 2.0);
        let [jaw] = most_of(&mut app, face, 0.0, [FaceChannel::JawOpen]);
        assert!(jaw > 0.2, "{name}: {jaw}");
        assert_eq!(log.of(face), ["started", "finished"], "{name}");
        let model = app.world().resource::<Assets<FaceModel>>().get(&model).unwrap();
        assert!(model.is_official() && model.hears_emotions() && model.manifest().is_none());
        assert!(model.name().contains(name), "{}", model.name());
    }
}

#[test]
fn the_game_changes_emotion_and_parameters_in_mid_line() {
    let (_folder, mut app) = stage();
    for name in ["regression", "diffusion"] {
        let model = load(&app, name);
        let face = spawn(&mut app, model, None);
        let channels = [FaceChannel::MouthSmileLeft, FaceChannel::EyeBlinkLeft];
        say(&mut app, face, 3.0);
        let calm = most_of(&mut app, face, 2.0, channels);
        // The layer over the face is not what shows it here: the network itself does.
        say(&mut app, face, 6.0);
        until(&mut app, "half a second of speech", |world| world.get::<Voice>(face).unwrap().heard_seconds() > 0.5);
        app.world_mut().get_mut::<Emotions>(face).unwrap().feel(Emotion::Joy, 1.0);
        let parameters = app.world().get::<Audio2FaceSettings>(face).and_then(|settings| settings.parameters);
        assert_eq!(parameters, None);
        let mut parameters = GeometryParameters::default();
        parameters.skin.blink_offset = 1.0;
        let settings = Audio2FaceSettings { parameters: Some(parameters), ..default() };
        app.world_mut().entity_mut(face).insert(settings);
        let glad = most_of(&mut app, face, 3.0, channels);
        println!("{name}: smile and lid {calm:?} before, {glad:?} after");
        assert!(glad[0] > calm[0] + 0.2 && glad[1] > calm[1] + 0.4, "{name}: {calm:?} {glad:?}");
    }
}

#[test]
fn an_emotion_network_is_waited_for_and_heard() {
    let (_folder, mut app) = stage();
    let model = load(&app, "regression");
    let emotions: Handle<EmotionModel> = {
        let server = app.world().resource::<AssetServer>();
        let load = server.load_builder().with_settings(|options: &mut EmotionModelOptions| options.window = 16_000);
        load.load("emotion/model.json")
    };
    let face = spawn(&mut app, model, Some(emotions));
    say(&mut app, face, 3.0);
    let [jaw] = most_of(&mut app, face, 0.0, [FaceChannel::JawOpen]);
    assert!(jaw > 0.2, "{jaw}");
    // One that does not exist is no reason to be silent.
    let nowhere = app.world().resource::<AssetServer>().load("nowhere/model.json");
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().emotion_model = Some(nowhere);
    say(&mut app, face, 1.0);
    let [jaw] = most_of(&mut app, face, 0.0, [FaceChannel::JawOpen]);
    assert!(jaw > 0.2, "{jaw}");
}

#[test]
fn a_bundle_swapped_in_mid_line_speaks_from_the_next_line_on() {
    let (_folder, mut app) = stage();
    let log = record_events(&mut app);
    let model = load(&app, "regression");
    let face = spawn(&mut app, model.clone(), None);
    let other = spawn(&mut app, model.clone(), None);
    say(&mut app, face, 4.0);
    say(&mut app, other, 4.0);
    until(&mut app, "half a second of speech", |world| world.get::<Voice>(face).unwrap().heard_seconds() > 0.5);
    // Another handle for one; for both, another model behind the handle they share.
    let tiny = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().model = tiny;
    let swapped = load(&app, "diffusion");
    until(&mut app, "the other bundle", |world| world.resource::<Assets<FaceModel>>().contains(&swapped));
    let mut models = app.world_mut().resource_mut::<Assets<FaceModel>>();
    let diffusion = models.get(&swapped).unwrap().clone();
    models.insert(model.id(), diffusion).unwrap();
    let [jaw] = most_of(&mut app, face, 1.0, [FaceChannel::JawOpen]);
    until(&mut app, "the other to end", |world| !speaking(world, other));
    assert!(jaw > 0.2, "{jaw}");
    assert_eq!(
        (log.of(face), log.of(other)),
        (vec!["started".into(), "finished".into()], vec!["started".into(), "finished".into()])
    );
    say(&mut app, other, 1.0);
    let [jaw] = most_of(&mut app, other, 0.0, [FaceChannel::JawOpen]);
    assert!(jaw > 0.2, "{jaw}");
}

#[test]
fn a_mesh_with_the_vertices_of_the_bundle_is_driven_itself() {
    let (_folder, mut app) = stage();
    for name in ["regression", "diffusion"] {
        let mesh = |app: &mut App, vertices: usize| {
            let mesh = Mesh::new(PrimitiveTopology::PointList, RenderAssetUsages::default())
                .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, vec![[0.0_f32; 3]; vertices]);
            app.world_mut().resource_mut::<Assets<Mesh>>().add(mesh)
        };
        let (skin, tongue, other) = (mesh(&mut app, 300), mesh(&mut app, 60), mesh(&mut app, 7));
        let model = load(&app, name);
        let face = spawn(&mut app, model.clone(), None);
        let wrong = spawn(&mut app, model, None);
        app.world_mut().entity_mut(face).insert(BundleMeshes::new(skin.clone()).with_tongue(tongue.clone()));
        app.world_mut().entity_mut(wrong).insert(BundleMeshes::new(other.clone()));
        say(&mut app, face, 1.5);
        say(&mut app, wrong, 1.5);
        let positions = |world: &World, mesh: &Handle<Mesh>| {
            let mesh = world.resource::<Assets<Mesh>>().get(mesh).unwrap();
            mesh.attribute(Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap().to_vec()
        };
        until(&mut app, "speech to start", |world| speaking(world, face));
        app.update();
        let first = positions(app.world(), &skin);
        let (mut furthest, mut step): (f32, f32) = (0.0, 0.0);
        let mut before = first.clone();
        while speaking(app.world(), face) {
            app.update();
            wait_for_batches(app.world());
            let now = positions(app.world(), &skin);
            let most = |a: &[[f32; 3]], b: &[[f32; 3]]| {
                a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            furthest = furthest.max(most(&now, &first));
            step = step.max(most(&now, &before));
            before = now;
        }
        println!("{name}: the skin moves by {:.1} mm, {:.1} mm at once", furthest * 1e3, step * 1e3);
        // A head of some decimetres, in metres, whose chin goes down by centimetres, between poses as well.
        let size = first.iter().map(|[_, y, _]| y.abs()).fold(0.0, f32::max);
        assert!((0.05..0.5).contains(&size), "{name}: {size} m");
        assert!((0.003..0.1).contains(&furthest) && step < 0.6 * furthest, "{name}: {furthest} m, {step} m");
        assert!(positions(app.world(), &tongue).iter().any(|position| *position != [0.0; 3]));
        assert_eq!(positions(app.world(), &other), [[0.0; 3]; 7], "a mesh that does not fit is left alone");
    }
}

#[test]
fn what_is_wrong_is_told_and_the_others_go_on() {
    let (folder, mut app) = stage();
    let log = record_events(&mut app);
    std::fs::write(folder.path().join("diffusion/bs_skin_James.npz"), b"nothing").unwrap();
    let (good, bad) = (load(&app, "regression"), load(&app, "diffusion"));
    let good = spawn(&mut app, good, None);
    let broken = spawn(&mut app, bad, None);
    let model = app.world().get::<TalkingFace>(good).unwrap().model.clone();
    let nobody = spawn(&mut app, model.clone(), None);
    let settings = Audio2FaceSettings { identity: Some("Anna".into()), ..default() };
    app.world_mut().entity_mut(nobody).insert(settings);
    let beyond = spawn(&mut app, model, None);
    let mut parameters = GeometryParameters::default();
    parameters.tongue.tongue_strength = 9.0;
    app.world_mut().entity_mut(beyond).insert(Audio2FaceSettings { parameters: Some(parameters), ..default() });
    for face in [good, broken, nobody, beyond] {
        say(&mut app, face, 1.5);
    }
    let [jaw] = most_of(&mut app, good, 0.0, [FaceChannel::JawOpen]);
    assert!(jaw > 0.2, "{jaw}");
    let failed = |face: Entity| log.of(face).into_iter().find(|what| what.starts_with("failed")).unwrap_or_default();
    assert!(failed(broken).contains("bs_skin_James.npz"), "{:?}", log.of(broken));
    assert!(failed(nobody).contains("\"Anna\""), "{:?}", log.of(nobody));
    assert!(failed(beyond).contains("tongue_strength is 9"), "{:?}", log.of(beyond));
    assert_eq!(log.of(good), ["started", "finished"]);
}

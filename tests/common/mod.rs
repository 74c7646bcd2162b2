//! What the integration tests share: an app without window and device, small models, small characters.
#![allow(dead_code, reason = "every test file uses its own part")]

pub mod glb;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bevy::{
    animation::AnimationPlugin,
    asset::AssetPlugin,
    gltf::GltfPlugin,
    image::ImagePlugin,
    mesh::{MeshPlugin, morph::MorphWeights},
    prelude::*,
    time::TimeUpdateStrategy,
    world_serialization::WorldSerializationPlugin,
};
use bevy_talkie::{
    prelude::*,
    talkie::{audio::AudioClip, inference::Runtime, model},
};

pub const FRAME: Duration = Duration::from_micros(16_667);

/// An app that loads glTF and talks, in manual time; assets come from `folder`.
pub fn app_in(folder: &Path) -> App {
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins.build().disable::<bevy::app::ScheduleRunnerPlugin>(),
        AssetPlugin { file_path: folder.to_str().unwrap().to_owned(), ..default() },
        TransformPlugin,
        ImagePlugin::default(),
        MeshPlugin,
        WorldSerializationPlugin,
        AnimationPlugin,
        GltfPlugin::default(),
    ));
    app.insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
    app
}

pub fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// [`app_in`] with the plugins of this crate, ready to run.
pub fn talking_app(folder: &Path) -> App {
    let mut app = app_in(folder);
    app.add_plugins(TalkiePlugins);
    app.finish();
    app.cleanup();
    app
}

/// Updates until something holds; says what it waited for if it does not.
#[track_caller]
pub fn until(app: &mut App, what: &str, mut holds: impl FnMut(&mut World) -> bool) -> usize {
    for frame in 0..4_000 {
        if holds(app.world_mut()) {
            return frame;
        }
        app.update();
        // Batches and loads run on other threads in their own time.
        std::thread::sleep(Duration::from_micros(300));
    }
    panic!("waited in vain: {what}");
}

/// The network of the SDK's tests: jawOpen follows loudness.
pub fn tiny_model() -> model::FaceModel {
    model::FaceModel::load_dir(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/talkie/tests/data/tiny"),
        Runtime::global(),
    )
    .unwrap()
}

pub fn add_tiny_model(app: &mut App) -> Handle<FaceModel> {
    app.world_mut().resource_mut::<Assets<FaceModel>>().add(FaceModel::new(tiny_model()))
}

/// Syllables of a buzz that fills the whole band, so that the mouth has something to do.
pub fn bursts(seconds: f32) -> AudioClip {
    let samples = (0..(24_000.0 * seconds) as usize)
        .map(|i| {
            let t = i as f32 / 24_000.0;
            ((t * 150.0).fract() * 2.0 - 1.0) * (0.5 + 0.5 * (t * 17.0).sin()) * 0.6
        })
        .collect();
    AudioClip::from_samples(24_000, 1, samples).unwrap()
}

pub fn add_clip(app: &mut App, sound: AudioClip) -> Handle<VoiceClip> {
    app.world_mut().resource_mut::<Assets<VoiceClip>>().add(VoiceClip::new(sound))
}

/// Spawns a face on a scene file, with the tiny model and no life of its own, and waits until it is bound.
pub fn spawn_face(app: &mut App, scene: &str) -> Entity {
    let model = add_tiny_model(app);
    let scene = app.world().resource::<AssetServer>().load(format!("{scene}#Scene0"));
    let face =
        app.world_mut().spawn((WorldAssetRoot(scene), TalkingFace { model, ..default() }, FaceLife::none())).id();
    until(app, "the face to be bound", |world| world.get::<BindingReport>(face).is_some());
    face
}

/// All weights of the nodes a face drives, in order.
pub fn weights(world: &World, face: Entity) -> Vec<f32> {
    let rig = world.get::<FaceRig>(face).unwrap();
    rig.shape_nodes().flat_map(|node| world.get::<MorphWeights>(node).unwrap().weights().to_vec()).collect()
}

/// Names of the speech events so far, with what they say.
#[derive(Resource, Clone, Default)]
pub struct Log(pub Arc<Mutex<Vec<(Entity, String)>>>);

impl Log {
    pub fn of(&self, entity: Entity) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|(of, _)| *of == entity).map(|(_, what)| what.clone()).collect()
    }
}

pub fn record_events(app: &mut App) -> Log {
    let log = Log::default();
    let (a, b, c, d) = (log.clone(), log.clone(), log.clone(), log.clone());
    let push = |log: &Log, entity, what: String| {
        log.0.lock().unwrap().push((entity, what));
    };
    app.add_observer(move |e: On<SpeechStarted>| push(&a, e.entity, "started".into()))
        .add_observer(move |e: On<SpeechFinished>| push(&b, e.entity, "finished".into()))
        .add_observer(move |e: On<SpeechInterrupted>| {
            push(&c, e.entity, format!("interrupted at {:.1}", e.heard_seconds));
        })
        .add_observer(move |e: On<SpeechFailed>| push(&d, e.entity, format!("failed: {}", e.reason)));
    log
}

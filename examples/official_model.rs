//! Ada speaks with a network of NVIDIA's Audio2Face-3D.
//!
//! `cargo run --release --example official_model -- FOLDER [EMOTION_FOLDER]`, where `FOLDER` is a downloaded bundle, as it is, and
//! `EMOTION_FOLDER` one of Audio2Emotion (docs/official-models.md says where to get them). Without a folder a stand-in of the same
//! layout is written to `target/standin` first: its mouth only follows loudness, but everything else is real.
//!
//! Space says the line again, the keys 1 to 9 and 0 ask for one of the ten emotions, N for none, I for the next identity.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy_talkie::{
    inference::{Audio2FaceSettings, EmotionModel},
    prelude::*,
    talkie::{
        inference::Runtime,
        model::{self, EmotionModelOptions, ModelOptions},
    },
};
use talkie_standin::{Family, Head, Size, StandIn};

const USAGE: &str = "usage: official_model [FOLDER [EMOTION_FOLDER]]";

#[derive(Resource)]
struct Folders {
    face: PathBuf,
    emotions: Option<PathBuf>,
}

fn main() -> AppExit {
    let mut arguments = std::env::args().skip(1);
    let (face, emotions) = (arguments.next(), arguments.next());
    if arguments.next().is_some() || face.as_deref().is_some_and(|face| face.starts_with('-')) {
        eprintln!("{USAGE}");
        return AppExit::from_code(2);
    }
    let face = match face.map_or_else(stand_in, |folder| Ok(folder.into())) {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("official_model: {error}");
            return AppExit::error();
        }
    };
    App::new()
        .add_plugins((DefaultPlugins, TalkiePlugins))
        .insert_resource(Folders { face, emotions: emotions.map(PathBuf::from) })
        .add_systems(Startup, setup)
        .add_systems(Update, control)
        .add_observer(|failed: On<SpeechFailed>| error!("no face for this voice: {}", failed.reason))
        .run()
}

/// A bundle of the official layout with a small network of our own.
fn stand_in() -> Result<PathBuf, talkie_standin::Error> {
    let folder = PathBuf::from("target/standin/regression");
    println!("no bundle was named; a stand-in is written to {}", folder.display());
    let bundle = StandIn::new(Family::Regression, Size::Tiny);
    let head = std::fs::read("assets/characters/ada.glb").ok().and_then(|bytes| Head::from_glb(&bytes).ok());
    let bundle = head.into_iter().fold(bundle, StandIn::with_head);
    bundle.write(&folder)?;
    Ok(folder)
}

fn setup(mut commands: Commands, assets: Res<AssetServer>, folders: Res<Folders>) {
    let face = folders.face.clone();
    let face_model = assets.add_async(async move {
        let options = ModelOptions { threads: 2, ..default() };
        model::FaceModel::load_dir_with(face, &options, Runtime::global()).map(FaceModel::new)
    });
    let emotion_model = folders.emotions.clone().map(|folder| {
        assets.add_async(async move {
            let options = EmotionModelOptions::default();
            model::EmotionModel::load_dir(folder, options, Runtime::global()).map(EmotionModel::new)
        })
    });
    commands.spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.12, 0.75).looking_at(Vec3::Y * 0.09, Vec3::Y)));
    commands.spawn((
        DirectionalLight { illuminance: 6_000.0, ..default() },
        Transform::from_xyz(1.0, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands
        .spawn((
            WorldAssetRoot(assets.load("characters/ada.glb#Scene0")),
            TalkingFace { model: face_model, emotion_model, ..default() },
            Audio2FaceSettings::default(),
        ))
        .say(assets.load("voices/01_ada.ogg"));
}

fn control(
    keys: Res<ButtonInput<KeyCode>>,
    face: Single<(Entity, &mut Emotions, &mut Audio2FaceSettings), With<TalkingFace>>,
    assets: Res<AssetServer>,
    mut commands: Commands,
) {
    let (entity, mut emotions, mut settings) = face.into_inner();
    if keys.just_pressed(KeyCode::Space) {
        commands.entity(entity).say(assets.load("voices/01_ada.ogg"));
    }
    let digits = [
        KeyCode::Digit1,
        KeyCode::Digit2,
        KeyCode::Digit3,
        KeyCode::Digit4,
        KeyCode::Digit5,
        KeyCode::Digit6,
        KeyCode::Digit7,
        KeyCode::Digit8,
        KeyCode::Digit9,
        KeyCode::Digit0,
    ];
    for (key, emotion) in digits.into_iter().zip(Emotion::ALL) {
        if keys.just_pressed(key) {
            info!("{emotion:?}");
            emotions.feel(emotion, 1.0);
        }
    }
    if keys.just_pressed(KeyCode::KeyN) {
        emotions.calm();
    }
    if keys.just_pressed(KeyCode::KeyI) {
        // The three of the multi-identity bundle; the line that is being said keeps its face.
        let names = ["Claire", "James", "Mark"];
        let next = names.iter().position(|name| settings.identity.as_deref() == Some(name)).map_or(0, |at| at + 1);
        settings.identity = names.get(next).map(|name| (*name).to_owned());
        info!("identity: {}", settings.identity.as_deref().unwrap_or("the first"));
    }
}

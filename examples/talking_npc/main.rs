//! Two characters talk to each other: spatial voices, subtitles, listeners that look and react.
//!
//! Shows Ada and Ben in conversation. Space, Enter or a click starts it again; Escape cuts the speaker off in mid-word.
//!
//! `--headless FOLDER [LINES [FPS]]` draws the same conversation off-screen, without window, GPU or sound card: numbered pictures, 25
//! or FPS for each second, the mixed sound, and a line of figures; of the first LINES lines, if not of all. `--model BUNDLE` lets
//! another model speak, such as one of Audio2Face-3D, and `--emotion-model BUNDLE` one of Audio2Emotion hear what it feels.

use std::{path::PathBuf, time::Duration};

use bevy::prelude::*;
use bevy_talkie::{
    inference::EmotionModel,
    prelude::*,
    talkie::{
        inference::Runtime,
        model::{self, EmotionModelOptions, ModelOptions},
    },
};
use serde::Deserialize;

mod headless;
#[path = "../off_screen/mod.rs"]
mod off_screen;
mod stage;

/// One line of the script.
#[derive(Deserialize)]
struct Line {
    file: String,
    speaker: String,
    text: String,
}

/// The conversation and where it is.
#[derive(Resource)]
struct Script {
    lines: Vec<(String, String, Handle<VoiceClip>)>,
    next: usize,
    /// Waits before the next line begins.
    pause: Timer,
    running: bool,
}

/// Name of a character in the script.
#[derive(Component)]
struct Actor(&'static str);

#[derive(Component)]
struct Subtitle;

/// The bundle that speaks instead of the default one, and one that hears emotions in the voices.
#[derive(Resource, Default)]
struct Bundles {
    face: Option<PathBuf>,
    emotions: Option<PathBuf>,
}

/// What has to be there before anybody speaks.
#[derive(Resource)]
struct Models {
    face: Handle<FaceModel>,
    emotions: Option<Handle<EmotionModel>>,
}

fn main() -> AppExit {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut app = App::new();
    let mut bundles = Bundles::default();
    for (option, folder) in [("--model", &mut bundles.face), ("--emotion-model", &mut bundles.emotions)] {
        let Some(at) = arguments.iter().position(|argument| argument == option) else { continue };
        *folder = arguments.drain(at..(at + 2).min(arguments.len())).nth(1).map(PathBuf::from);
        if folder.is_none() {
            eprintln!("talking_npc: {option} needs the folder of a bundle");
            return AppExit::from_code(2);
        }
    }
    app.insert_resource(bundles);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--headless", folder, ref numbers @ ..] if numbers.len() <= 2 => {
            let number = |at: usize| numbers.get(at).map(|text| text.parse::<u32>()).transpose();
            let (Ok(lines), Ok(fps @ (None | Some(1..=60)))) = (number(0), number(1)) else { return usage() };
            let lines = lines.map_or(usize::MAX, |lines| lines as usize);
            headless::prepare(&mut app, PathBuf::from(folder), lines, fps.unwrap_or(headless::FRAMES_PER_SECOND));
        }
        [] => {
            app.add_plugins(DefaultPlugins);
        }
        _ => return usage(),
    }
    app.add_plugins(TalkiePlugins)
        .add_systems(Startup, ((load_models, stage::build).chain(), load_script))
        .add_systems(Update, (begin_when_ready, speak_next, control, react).chain())
        .add_observer(show_subtitle)
        .add_observer(|_: On<SpeechFinished>, mut script: ResMut<Script>| script.pause.reset())
        .add_observer(|failed: On<SpeechFailed>, mut script: ResMut<Script>| {
            error!("{} cannot be spoken: {}", failed.entity, failed.reason);
            script.pause.reset();
        });
    headless::run(app)
}

fn usage() -> AppExit {
    eprintln!("usage: talking_npc [--headless FOLDER [LINES [FPS]]] [--model BUNDLE] [--emotion-model BUNDLE]");
    AppExit::from_code(2)
}

fn load_script(mut commands: Commands, assets: Res<AssetServer>, picture: Option<Res<headless::Picture>>) {
    let lines: Vec<Line> = serde_json::from_str(include_str!("../../assets/voices/lines.json"))
        .expect("the script that comes with the crate");
    let count = picture.map_or(usize::MAX, |picture| picture.lines);
    let lines = lines
        .into_iter()
        .take(count)
        .map(|line| (line.speaker, line.text, assets.load(format!("voices/{}", line.file))))
        .collect();
    commands.insert_resource(Script {
        lines,
        next: 0,
        pause: Timer::from_seconds(0.45, TimerMode::Once),
        running: false,
    });
}

fn load_models(mut commands: Commands, assets: Res<AssetServer>, bundles: Res<Bundles>) {
    // The whole machine is for the show.
    let threads = 2;
    let face = bundles.face.clone().map(|folder| {
        assets.add_async(async move {
            let options = ModelOptions { threads, ..default() };
            model::FaceModel::load_dir_with(folder, &options, Runtime::global()).map(FaceModel::new)
        })
    });
    let emotions = bundles.emotions.clone().map(|folder| {
        assets.add_async(async move {
            let options = EmotionModelOptions { threads, ..default() };
            model::EmotionModel::load_dir(folder, options, Runtime::global()).map(EmotionModel::new)
        })
    });
    commands.insert_resource(Models { face: face.unwrap_or_default(), emotions });
}

/// The curtain rises when both characters are bound and can speak.
fn begin_when_ready(
    mut script: ResMut<Script>,
    bound: Query<(), With<FaceRig>>,
    (models, faces): (Res<Models>, Res<Assets<FaceModel>>),
    assets: Res<AssetServer>,
    mut begun: Local<bool>,
) {
    // A model that cannot be loaded is told about where it is asked to speak.
    let is_there = faces.contains(&models.face) || assets.load_state(&models.face).is_failed();
    if !*begun && is_there && bound.iter().len() == 2 {
        (*begun, script.running) = (true, true);
    }
}

fn speak_next(
    mut script: ResMut<Script>,
    actors: Query<(Entity, &Actor, &Voice)>,
    time: Res<Time>,
    mut commands: Commands,
) {
    if !script.running || actors.iter().any(|(_, _, voice)| !voice.is_idle()) {
        return;
    }
    if !script.pause.tick(time.delta()).is_finished() {
        return;
    }
    let Some((speaker, _, clip)) = script.lines.get(script.next).cloned() else {
        script.running = false;
        return;
    };
    script.next += 1;
    if let Some((entity, ..)) = actors.iter().find(|(_, actor, _)| actor.0.eq_ignore_ascii_case(&speaker)) {
        commands.entity(entity).say(clip);
    }
}

fn control(
    keys: Option<Res<ButtonInput<KeyCode>>>,
    mouse: Option<Res<ButtonInput<MouseButton>>>,
    actors: Query<Entity, With<Actor>>,
    mut script: ResMut<Script>,
    mut commands: Commands,
) {
    let (Some(keys), Some(mouse)) = (keys, mouse) else { return };
    let mut silence = || {
        for actor in &actors {
            commands.entity(actor).interrupt(Duration::from_millis(250));
        }
    };
    if keys.just_pressed(KeyCode::Escape) {
        script.running = false;
        silence();
    }
    if keys.any_just_pressed([KeyCode::Space, KeyCode::Enter]) || mouse.just_pressed(MouseButton::Left) {
        (script.next, script.running) = (0, true);
        silence();
    }
}

/// Whoever listens looks at the speaker and is pleased; the speaker looks back.
fn react(mut actors: Query<(&Actor, &Voice, &mut Emotions, &mut FaceLife)>, time: Res<Time>) {
    let somebody_speaks = actors.iter().any(|(_, voice, ..)| voice.is_speaking());
    let ease = 1.0 - (-time.delta_secs() / 0.3).exp();
    for (actor, voice, mut emotions, mut life) in &mut actors {
        let listens = somebody_speaks && !voice.is_speaking();
        emotions.feel(Emotion::Joy, if listens { 0.55 } else { 0.2 });
        // Each stands turned half to the camera: the partner is further to the side.
        let side = if actor.0 == stage::LEFT_ACTOR { 1.0 } else { -1.0 };
        let goal = if somebody_speaks { Vec2::new(side * 0.16, 0.0) } else { Vec2::ZERO };
        life.look = life.look.lerp(goal, ease);
    }
}

fn show_subtitle(started: On<SpeechStarted>, script: Res<Script>, subtitle: Single<&mut Text, With<Subtitle>>) {
    if let Some((speaker, text, _)) = script.lines.iter().find(|(.., clip)| *clip == started.clip) {
        subtitle.into_inner().0 = format!("{speaker}: {text}");
    }
}

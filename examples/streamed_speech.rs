//! Ada speaks what a text-to-speech server delivers, and can be interrupted.
//!
//! The server is a thread that sends the voice lines in pieces of random size, with pauses as a network has them, and says where
//! words begin. Space or Enter asks for the next sentence, Escape cuts her off in mid-word. Now and then the server is late on
//! purpose: sound and face wait together.

use std::{sync::mpsc, thread, time::Duration};

use bevy::prelude::*;
use bevy_talkie::{
    prelude::*,
    talkie::{
        animation::{HintKind, SpeechHint},
        audio::AudioClip,
    },
};

const LINES: [(&str, &[u8]); 2] = [
    ("the first line", include_bytes!("../assets/voices/01_ada.ogg")),
    ("the third line", include_bytes!("../assets/voices/03_ada.ogg")),
];

/// Asks the server.
#[derive(Resource)]
struct Server(mpsc::Sender<VoiceStream>);

#[derive(Component)]
struct Status;

fn main() -> AppExit {
    App::new()
        .add_plugins((DefaultPlugins, TalkiePlugins))
        .add_systems(Startup, setup)
        .add_systems(Update, control)
        .add_observer(|_: On<SpeechStarted>, mut text: Single<&mut Text, With<Status>>| text.0 = "she speaks".into())
        .add_observer(|dry: On<SpeechUnderrun>, mut text: Single<&mut Text, With<Status>>| {
            text.0 = format!("the server is late: waiting at {:.2} s", dry.heard_seconds);
        })
        .add_observer(|_: On<SpeechFinished>, mut text: Single<&mut Text, With<Status>>| text.0 = "done".into())
        .add_observer(|cut: On<SpeechInterrupted>, mut text: Single<&mut Text, With<Status>>| {
            text.0 = format!("interrupted after {:.2} s", cut.heard_seconds);
        })
        .add_observer(|failed: On<SpeechFailed>, mut text: Single<&mut Text, With<Status>>| {
            text.0.clone_from(&failed.reason);
        })
        .run()
}

/// Answers every stream with a sentence, piece by piece.
fn serve(asked: &mpsc::Receiver<VoiceStream>, lines: &[AudioClip]) {
    let mut random = 1_u32;
    let mut chance = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random as f32 / u32::MAX as f32
    };
    for (number, stream) in asked.iter().enumerate() {
        let line = &lines[number % lines.len()];
        // Engines say this beside the sound; the lips close for it whatever the network hears.
        let word = SpeechHint { start_seconds: 0.0, end_seconds: 0.3, kind: HintKind::Word("hello".into()) };
        if let Err(error) = stream.hint(word) {
            warn!("{error}");
        }
        let mut rest = line.samples();
        // Nobody pays for a sentence that nobody hears.
        while !rest.is_empty() && !stream.is_closed() {
            let size = (f64::from(line.sample_rate()) * f64::from(0.02 + 0.2 * chance())) as usize;
            let (piece, later) = rest.split_at(size.min(rest.len()));
            stream.push(piece);
            rest = later;
            let late = if chance() < 0.06 { 0.9 } else { 0.0 };
            thread::sleep(Duration::from_secs_f32(0.04 + 0.12 * chance() + late));
        }
        stream.finish();
    }
}

fn setup(mut commands: Commands, assets: Res<AssetServer>) {
    let (sender, asked) = mpsc::channel();
    let lines: Vec<AudioClip> = LINES
        .iter()
        .filter_map(|(name, bytes)| AudioClip::decode(*bytes).inspect_err(|error| error!("{name}: {error}")).ok())
        .collect();
    commands.insert_resource(Server(sender));
    thread::spawn(move || serve(&asked, &lines));
    commands.spawn((
        WorldAssetRoot(assets.load("characters/ada.glb#Scene0")),
        TalkingFace::default(),
        VoiceSettings { spatial: false, ..default() },
    ));
    commands.spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.12, 0.75).looking_at(Vec3::Y * 0.09, Vec3::Y)));
    commands.spawn((
        DirectionalLight { illuminance: 6_000.0, ..default() },
        Transform::from_xyz(1.0, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands.spawn((
        Status,
        Text::new("Space: speak    Escape: interrupt"),
        TextFont { font_size: FontSize::Px(18.0), ..default() },
        Node { position_type: PositionType::Absolute, bottom: px(16), left: px(20), ..default() },
    ));
}

fn control(
    keys: Res<ButtonInput<KeyCode>>,
    face: Single<Entity, With<TalkingFace>>,
    server: Res<Server>,
    mut commands: Commands,
) {
    if keys.just_pressed(KeyCode::Escape) {
        commands.entity(*face).interrupt(Duration::from_millis(80));
    }
    if keys.any_just_pressed([KeyCode::Space, KeyCode::Enter]) {
        let stream = VoiceStream::speech(24_000, 1);
        commands.entity(*face).start(&stream);
        if server.0.send(stream).is_err() {
            error!("the server is gone");
        }
    }
}

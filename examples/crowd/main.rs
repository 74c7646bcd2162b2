//! A square of characters that talk, and a live table of what it costs.
//!
//! `+` and `-` let a dozen come or go, `L` takes the level of detail away and gives it back (then everybody has a network), `B`
//! halves the budget of the networks, and the mouse wheel takes the camera nearer. The ring around a pedestal shows how much is done for a
//! face: green all of it, down to grey for nothing.
//!
//! `--speakers 100` lets so many stand there at first. `--headless PICTURE.png` draws one picture off-screen, when
//! most of those in front have their mouths open.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy_talkie::prelude::*;

mod headless;
#[path = "../off_screen/mod.rs"]
mod off_screen;
mod square;
mod table;

/// Everybody says lines at random, with pauses.
#[derive(Component)]
pub(crate) struct Chatter {
    pause: Timer,
    random: u64,
}

impl Chatter {
    fn new(seed: u64) -> Self {
        let mut chatter = Self { pause: Timer::default(), random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 };
        chatter.pause = Timer::from_seconds(chatter.below(300) as f32 / 100.0, TimerMode::Once);
        chatter
    }

    /// A number below another (xorshift).
    fn below(&mut self, count: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % count.max(1)
    }
}

/// The lines that are spoken, by who says them.
#[derive(Resource)]
struct Lines {
    ada: Vec<Handle<VoiceClip>>,
    ben: Vec<Handle<VoiceClip>>,
}

/// Who stands on the square.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    Ada,
    Ben,
}

/// How many shall stand there.
#[derive(Resource)]
pub(crate) struct Speakers(usize);

fn main() -> AppExit {
    let mut picture = None;
    let mut speakers = 100;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        match (argument.as_str(), value) {
            ("--headless", Some(path)) => picture = Some(PathBuf::from(path)),
            ("--speakers", Some(count)) if count.parse::<usize>().is_ok() => {
                speakers = count.parse().unwrap_or(speakers);
            }
            _ => {
                eprintln!("usage: crowd [--speakers COUNT] [--headless PICTURE.png]");
                return AppExit::from_code(2);
            }
        }
    }
    let mut app = App::new();
    match &picture {
        Some(_) => headless::prepare(&mut app),
        None => {
            app.add_plugins(DefaultPlugins);
        }
    }
    app.add_plugins(TalkiePlugins)
        .insert_resource(Speakers(speakers))
        .add_systems(Startup, (load_lines, square::build, table::build).chain())
        .add_systems(Update, (square::fill, talk, square::show_detail, table::show));
    if picture.is_none() {
        app.add_systems(Update, (control, square::zoom));
    }
    match picture {
        Some(path) => headless::run(app, path),
        None => app.run(),
    }
}

fn load_lines(mut commands: Commands, assets: Res<AssetServer>) {
    let load = |name: &str, numbers: &[u32]| {
        numbers.iter().map(|number| assets.load(format!("voices/{number:02}_{name}.ogg"))).collect()
    };
    commands.insert_resource(Lines { ada: load("ada", &[1, 3, 5]), ben: load("ben", &[2, 4]) });
}

fn talk(
    mut people: Query<(Entity, &Person, &mut Chatter, &Voice), With<FaceRig>>,
    lines: Res<Lines>,
    time: Res<Time>,
    mut commands: Commands,
) {
    for (entity, person, mut chatter, voice) in &mut people {
        if !voice.is_idle() || !chatter.pause.tick(time.delta()).is_finished() {
            continue;
        }
        let lines = match person {
            Person::Ada => &lines.ada,
            Person::Ben => &lines.ben,
        };
        let line = chatter.below(lines.len() as u64) as usize;
        let pause = 0.5 + chatter.below(200) as f32 / 100.0;
        chatter.pause = Timer::from_seconds(pause, TimerMode::Once);
        if let Some(line) = lines.get(line) {
            commands.entity(entity).say(line.clone());
        }
    }
}

fn control(
    keys: Res<ButtonInput<KeyCode>>,
    mut speakers: ResMut<Speakers>,
    mut budget: ResMut<InferenceBudget>,
    mut people: Query<(Entity, Has<AutoDetail>, &mut FaceDetail), With<Person>>,
    mut commands: Commands,
) {
    if keys.any_just_pressed([KeyCode::Equal, KeyCode::NumpadAdd]) {
        speakers.0 = (speakers.0 + 12).min(square::PLACES);
    }
    if keys.any_just_pressed([KeyCode::Minus, KeyCode::NumpadSubtract]) {
        speakers.0 = speakers.0.saturating_sub(12);
    }
    if keys.just_pressed(KeyCode::KeyB) {
        budget.load = if budget.load > 0.1 { budget.load / 2.0 } else { InferenceBudget::default().load };
    }
    if keys.just_pressed(KeyCode::KeyL) {
        for (entity, is_auto, mut detail) in &mut people {
            if is_auto {
                *detail = FaceDetail::Full;
                commands.entity(entity).remove::<AutoDetail>();
            } else {
                commands.entity(entity).insert(AutoDetail::default());
            }
        }
    }
}

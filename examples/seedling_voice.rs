//! A face whose voice `bevy_seedling` plays, in space: the character turns around the listener.
//!
//! Space says a line, S lets a stream speak, Escape interrupts.

use std::time::Duration;

use bevy::prelude::*;
use bevy_seedling::{SeedlingPlugins, prelude::SpatialListener3D};
use bevy_talkie::{
    prelude::*,
    talkie::audio::AudioClip,
    voice::{SeedlingVoicePlugin, VoiceOutput},
};

const LINE: &[u8] = include_bytes!("../assets/voices/03_ada.ogg");

fn main() -> AppExit {
    App::new()
        // Bevy's own audio is not needed.
        .add_plugins(DefaultPlugins.build().disable::<bevy::audio::AudioPlugin>())
        .add_plugins((SeedlingPlugins, TalkiePlugins, SeedlingVoicePlugin))
        .add_systems(Startup, setup)
        .add_systems(Update, (control, sway))
        .run()
}

fn setup(mut commands: Commands, assets: Res<AssetServer>) {
    commands.spawn((
        Camera3d::default(),
        Transform::from_xyz(0.0, 0.12, 0.9).looking_at(Vec3::Y * 0.09, Vec3::Y),
        SpatialListener3D,
    ));
    commands.spawn((
        DirectionalLight { illuminance: 6_000.0, ..default() },
        Transform::from_xyz(1.0, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands
        .spawn((
            WorldAssetRoot(assets.load("characters/ada.glb#Scene0")),
            TalkingFace::default(),
            VoiceSettings { output: VoiceOutput::External, spatial: true, ..default() },
        ))
        .say(assets.load("voices/01_ada.ogg"));
}

fn control(
    keys: Res<ButtonInput<KeyCode>>,
    face: Single<Entity, With<TalkingFace>>,
    assets: Res<AssetServer>,
    mut commands: Commands,
) {
    if keys.just_pressed(KeyCode::Space) {
        commands.entity(*face).say(assets.load("voices/01_ada.ogg"));
    }
    if keys.just_pressed(KeyCode::KeyS) {
        // All of it at once: a server would push piece by piece.
        match AudioClip::decode(LINE) {
            Ok(line) => {
                let stream = VoiceStream::speech(line.sample_rate(), line.channels());
                stream.push(line.samples());
                stream.finish();
                commands.entity(*face).start(&stream);
            }
            Err(error) => error!("{error}"),
        }
    }
    if keys.just_pressed(KeyCode::Escape) {
        commands.entity(*face).interrupt(Duration::from_millis(80));
    }
}

fn sway(time: Res<Time>, mut face: Single<&mut Transform, With<TalkingFace>>) {
    face.translation.x = 0.25 * (0.8 * time.elapsed_secs()).sin();
}

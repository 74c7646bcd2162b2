//! A face whose voice `bevy_kira_audio` plays.
//!
//! Space says a line, P pauses and goes on, the left arrow goes back one second, Escape interrupts.

use std::time::Duration;

use bevy::prelude::*;
use bevy_kira_audio::AudioPlugin;
use bevy_talkie::{
    prelude::*,
    voice::{KiraVoicePlugin, VoiceOutput},
};

fn main() -> AppExit {
    App::new()
        // Bevy's own audio is not needed.
        .add_plugins(DefaultPlugins.build().disable::<bevy::audio::AudioPlugin>())
        .add_plugins((AudioPlugin, TalkiePlugins, KiraVoicePlugin))
        .add_systems(Startup, setup)
        .add_systems(Update, control)
        .run()
}

fn setup(mut commands: Commands, assets: Res<AssetServer>) {
    commands.spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.12, 0.75).looking_at(Vec3::Y * 0.09, Vec3::Y)));
    commands.spawn((
        DirectionalLight { illuminance: 6_000.0, ..default() },
        Transform::from_xyz(1.0, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands
        .spawn((
            WorldAssetRoot(assets.load("characters/ben.glb#Scene0")),
            TalkingFace::default(),
            VoiceSettings { output: VoiceOutput::External, ..default() },
        ))
        .say(assets.load("voices/02_ben.ogg"));
}

fn control(
    keys: Res<ButtonInput<KeyCode>>,
    mut face: Single<(Entity, &mut Voice)>,
    assets: Res<AssetServer>,
    mut commands: Commands,
) {
    let (entity, voice) = &mut *face;
    if keys.just_pressed(KeyCode::Space) {
        commands.entity(*entity).say(assets.load("voices/02_ben.ogg"));
    }
    if keys.just_pressed(KeyCode::KeyP) {
        if voice.is_paused() {
            voice.resume();
        } else {
            voice.pause();
        }
    }
    if keys.just_pressed(KeyCode::ArrowLeft) {
        let back = (voice.heard_seconds() - 1.0).max(0.0);
        voice.seek(back);
    }
    if keys.just_pressed(KeyCode::Escape) {
        commands.entity(*entity).interrupt(Duration::from_millis(80));
    }
}

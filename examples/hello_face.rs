//! A face says a line: the shortest program that talks.
//!
//! Shows Ada, who speaks once when her character is there and again at every press of the space bar.

use bevy::prelude::*;
use bevy_talkie::prelude::*;

fn main() {
    App::new()
        .add_plugins((DefaultPlugins, TalkiePlugins))
        .add_systems(Startup, setup)
        .add_systems(Update, speak_again)
        .run();
}

fn setup(mut commands: Commands, assets: Res<AssetServer>) {
    commands.spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.12, 0.75).looking_at(Vec3::Y * 0.09, Vec3::Y)));
    commands.spawn((
        DirectionalLight { illuminance: 6_000.0, ..default() },
        Transform::from_xyz(1.0, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    commands
        .spawn((WorldAssetRoot(assets.load("characters/ada.glb#Scene0")), TalkingFace::default()))
        .say(assets.load("voices/01_ada.ogg"));
}

fn speak_again(
    keys: Res<ButtonInput<KeyCode>>,
    face: Single<Entity, With<TalkingFace>>,
    assets: Res<AssetServer>,
    mut commands: Commands,
) {
    if keys.just_pressed(KeyCode::Space) {
        commands.entity(*face).say(assets.load("voices/01_ada.ogg"));
    }
}

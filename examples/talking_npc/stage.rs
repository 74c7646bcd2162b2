//! The set: two characters, light, camera, a line for subtitles.

use bevy::{anti_alias::fxaa::Fxaa, prelude::*};
use bevy_talkie::prelude::*;

use crate::{Actor, Models, Subtitle};

/// Who stands on the left of the picture.
pub const LEFT_ACTOR: &str = "Ada";

pub fn build(
    mut commands: Commands,
    assets: Res<AssetServer>,
    models: Res<Models>,
    target: Option<Res<crate::headless::Picture>>,
) {
    let voice = VoiceSettings { spatial: true, spatial_scale: Some(3.0), ..default() };
    for (name, file, side, seed) in
        [(LEFT_ACTOR, "characters/ada.glb#Scene0", -1.0, 11), ("Ben", "characters/ben.glb#Scene0", 1.0, 23)]
    {
        commands.spawn((
            Name::new(name),
            Actor(name),
            WorldAssetRoot(assets.load(file)),
            // Clear speech, as on a stage, with the tongue behind the teeth.
            TalkingFace {
                model: models.face.clone(),
                emotion_model: models.emotions.clone(),
                animator: Animator { lower_face_strength: 1.3, tongue_strength: 0.7, ..default() },
                ..default()
            },
            FaceLife { seed, ..default() },
            voice,
            Transform::from_xyz(side * 0.185, 0.0, 0.0).with_rotation(Quat::from_rotation_y(-side * 0.42)),
        ));
    }

    let off_screen = target.is_some();
    let camera = commands
        .spawn((
            Camera3d::default(),
            Projection::Perspective(PerspectiveProjection { fov: 0.44, ..default() }),
            Transform::from_xyz(0.0, 0.12, 0.9).looking_at(Vec3::new(0.0, 0.088, 0.0), Vec3::Y),
            SpatialListener::new(0.18),
            // Without a GPU every sample and every shadow costs seconds.
            if off_screen { Msaa::Off } else { Msaa::Sample4 },
            // Hair is cut out of its texture: only this smooths its edges.
            Fxaa::default(),
        ))
        .id();
    if let Some(target) = target {
        commands.entity(camera).insert(target.target());
    }
    commands.insert_resource(ClearColor(Color::srgb(0.075, 0.09, 0.115)));
    commands.insert_resource(GlobalAmbientLight {
        brightness: 140.0,
        color: Color::srgb(0.75, 0.85, 1.0),
        ..default()
    });
    // Key from the front left, warm; fill from the right, cool; rim from behind.
    for (from, color, illuminance, shadows) in [
        (Vec3::new(-1.2, 1.4, 2.2), Color::srgb(1.0, 0.93, 0.85), 5_200.0, !off_screen),
        (Vec3::new(2.0, 0.5, 1.6), Color::srgb(0.72, 0.82, 1.0), 1_700.0, false),
    ] {
        commands.spawn((
            DirectionalLight { color, illuminance, shadow_maps_enabled: shadows, ..default() },
            bevy::light::CascadeShadowConfigBuilder { num_cascades: 1, maximum_distance: 2.2, ..default() }.build(),
            Transform::from_translation(from).looking_at(Vec3::ZERO, Vec3::Y),
        ));
    }
    commands.spawn((
        Subtitle,
        Text::new(""),
        TextFont { font_size: FontSize::Px(20.0), ..default() },
        TextLayout::justify(Justify::Center),
        Node {
            position_type: PositionType::Absolute,
            bottom: px(18),
            left: percent(8),
            width: percent(84),
            ..default()
        },
        UiTargetCamera(camera),
    ));
}

//! A camera that goes around a face.

use bevy::{
    input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll, MouseScrollUnit},
    prelude::*,
};
use bevy_egui::input::EguiWantsInput;

/// Where a camera is about what it looks at: drag turns it, the right button moves it, the wheel takes it nearer.
#[derive(Component)]
pub struct Orbit {
    /// What it looks at, in metres.
    center: Vec3,
    /// From the front, in radians: to the character's left, and up.
    yaw: f32,
    pitch: f32,
    /// In metres.
    distance: f32,
}

impl Default for Orbit {
    fn default() -> Self {
        // The inspector is on the left of the picture.
        Self { center: Vec3::new(-0.03, 0.085, 0.03), yaw: 0.12, pitch: 0.06, distance: 1.1 }
    }
}

pub fn build(app: &mut App) {
    app.add_systems(Update, orbit);
}

fn orbit(
    cameras: Query<(&mut Orbit, &mut Transform)>,
    buttons: Res<ButtonInput<MouseButton>>,
    moved: Res<AccumulatedMouseMotion>,
    scrolled: Res<AccumulatedMouseScroll>,
    wants: Res<EguiWantsInput>,
) {
    for (mut orbit, mut transform) in cameras {
        if !wants.wants_any_pointer_input() {
            if buttons.pressed(MouseButton::Left) {
                orbit.yaw -= moved.delta.x * 0.006;
                orbit.pitch = (orbit.pitch + moved.delta.y * 0.006).clamp(-1.4, 1.4);
            }
            if buttons.any_pressed([MouseButton::Right, MouseButton::Middle]) {
                let step = orbit.distance * 0.0008;
                let sideways = transform.right() * -moved.delta.x + transform.up() * moved.delta.y;
                orbit.center += sideways * step;
            }
            let lines = match scrolled.unit {
                MouseScrollUnit::Line => scrolled.delta.y,
                MouseScrollUnit::Pixel => scrolled.delta.y / 40.0,
            };
            orbit.distance = (orbit.distance * 0.9_f32.powf(lines)).clamp(0.15, 8.0);
        }
        let turn = Quat::from_euler(EulerRot::YXZ, orbit.yaw, -orbit.pitch, 0.0);
        let from = orbit.center + turn * Vec3::Z * orbit.distance;
        *transform = Transform::from_translation(from).looking_at(orbit.center, Vec3::Y);
    }
}

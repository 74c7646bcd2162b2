//! Writing a pose to weights and joints.

use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut},
    system::Query,
    world::Ref,
};
use bevy_math::{EulerRot, Quat, Vec2};
use bevy_mesh::morph::MorphWeights;
use bevy_transform::components::Transform;
use talkie::{
    animation::{FaceChannel, FacePose},
    retarget::{JAW_OPEN_RADIANS, Joint},
};

use super::FaceRig;
use crate::face::LivePose;

/// Weights below this are written as exactly 0: Bevy's shader skips those.
const NOTHING: f32 = 1e-4;

pub(super) fn write(
    mut faces: Query<(Ref<LivePose>, &mut FaceRig)>,
    mut weights: Query<&mut MorphWeights>,
    mut transforms: Query<&mut Transform>,
) {
    for (live, mut rig) in &mut faces {
        let moved = live.is_changed() || rig.is_changed();
        let pose = &live.0;
        for shapes in &rig.shapes {
            // A character's own animation overwrites all weights of a node: then ours are due again.
            let Ok(mut morph) = weights.get_mut(shapes.node) else { continue };
            if !moved && !morph.is_changed() {
                continue;
            }
            let due = |values: &[f32], (index, channel): (u16, u8)| {
                let weight = pose.weights[usize::from(channel)];
                let weight = if weight.abs() < NOTHING { 0.0 } else { weight };
                let current = values.get(usize::from(index)).copied()?;
                (current != weight).then_some((usize::from(index), weight))
            };
            if shapes.targets.iter().any(|target| due(morph.weights(), *target).is_some()) {
                let values = morph.weights_mut();
                for target in &shapes.targets {
                    if let Some((index, weight)) = due(values, *target) {
                        values[index] = weight;
                    }
                }
            }
        }
        for drive in &mut rig.bypass_change_detection().joints {
            let Ok(mut transform) = transforms.get_mut(drive.entity) else { continue };
            if drive.written != Some(transform.rotation) {
                drive.base = transform.rotation;
            }
            let turn = rotation(drive.joint, pose);
            let local = drive.base * (drive.orientation.inverse() * turn * drive.orientation);
            let local = local.normalize();
            if local.is_finite() && local != transform.rotation {
                transform.rotation = local;
            }
            drive.written = Some(transform.rotation);
        }
    }
}

/// How a pose turns a joint, in the frame of the character.
fn rotation(joint: Joint, pose: &FacePose) -> Quat {
    let eye = |gaze: Vec2| Quat::from_euler(EulerRot::YXZ, gaze.x, -gaze.y, 0.0);
    match joint {
        Joint::Jaw => pose.jaw_rotation * Quat::from_rotation_x(pose.weight(FaceChannel::JawOpen) * JAW_OPEN_RADIANS),
        Joint::LeftEye => eye(pose.left_eye),
        Joint::RightEye => eye(pose.right_eye),
        Joint::Head => pose.head_rotation,
        _ => Quat::IDENTITY,
    }
}

//! Writing a pose to weights and joints.

use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut},
    system::{Query, Res},
    world::Ref,
};
use bevy_math::{Quat, Vec3};
use bevy_mesh::morph::MorphWeights;
use bevy_time::Time;
use bevy_transform::components::Transform;

use super::{FaceAuthority, FaceRig, ShapeState};
use crate::face::LivePose;

/// Weights below this are written as exactly 0: Bevy's shader skips those.
const NOTHING: f32 = 1e-4;

pub(super) fn write(
    mut faces: Query<(Ref<LivePose>, &FaceAuthority, &mut FaceRig)>,
    mut weights: Query<&mut MorphWeights>,
    mut transforms: Query<&mut Transform>,
    time: Res<Time>,
) {
    for (live, authority, mut rig) in &mut faces {
        let mut moved = live.is_changed() || rig.is_changed();
        let pose = &live.0;
        let FaceRig { binding, nodes, shapes, joints, shares, profile: _ } = rig.bypass_change_detection();
        if moved {
            binding.follow(pose);
        }
        moved |= shares.advance(authority, time.delta_secs());
        for ((node, drive), shapes) in nodes.iter().zip(&binding.shapes).zip(shapes) {
            // A clip of the character overwrites all weights of a node: then ours are due again.
            let Ok(mut morph) = weights.get_mut(*node) else { continue };
            if !moved && !morph.is_changed() {
                continue;
            }
            let current = morph.weights();
            let mut differs = false;
            for shape in shapes.iter_mut() {
                let Some(found) = current.get(usize::from(shape.index)) else { continue };
                if shape.written != Some(*found) {
                    shape.base = if found.is_finite() { *found } else { 0.0 };
                }
                let (face, clip) = shares.of(shape.region);
                let ours = binding.weight(&drive.targets[shape.targets.clone()]);
                let weight = if clip == 0.0 && face == 1.0 { ours } else { both(ours * face, shape.base * clip) };
                let weight = if weight.abs() < NOTHING { 0.0 } else { weight };
                differs |= *found != weight;
                shape.written = Some(weight);
            }
            if differs {
                let values = morph.weights_mut();
                for ShapeState { index, written, .. } in shapes.iter() {
                    if let (Some(value), Some(written)) = (values.get_mut(usize::from(*index)), written) {
                        *value = *written;
                    }
                }
            }
        }
        for (drive, state) in binding.joints.iter().zip(joints) {
            let Ok(mut transform) = transforms.get_mut(state.entity) else { continue };
            let found = (transform.rotation, transform.translation);
            if state.written != Some(found) {
                state.base = found;
            } else if !moved {
                continue;
            }
            let (face, clip) = shares.of(drive.joint.region());
            let (turn, shift) = drive.motion(pose);
            let part = |of: Quat, share: f32| match share {
                0.0 => Quat::IDENTITY,
                1.0 => of,
                _ => Quat::IDENTITY.slerp(of, share),
            };
            let (base, rest) = (state.base, state.rest);
            let held = if clip == 1.0 { base.0 } else { rest.0 * part(rest.0.inverse() * base.0, clip) };
            let rotation = (held * part(turn, face)).normalize();
            let translation: Vec3 = rest.1 + (base.1 - rest.1) * clip + shift * face;
            if rotation.is_finite() && rotation != transform.rotation {
                transform.rotation = rotation;
            }
            if translation.is_finite() && translation != transform.translation {
                transform.translation = translation;
            }
            state.written = Some((transform.rotation, transform.translation));
        }
    }
}

/// The sum of what the face and what a clip says: never beyond 0..=1 but where one of them is.
fn both(face: f32, clip: f32) -> f32 {
    (face + clip).clamp(face.min(clip).min(0.0), face.max(clip).max(1.0))
}

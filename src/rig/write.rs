//! Writing a pose to weights and joints.

use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut},
    system::Query,
    world::Ref,
};
use bevy_mesh::morph::MorphWeights;
use bevy_transform::components::Transform;
use talkie::retarget::{Binding, TargetDrive};

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
        let rig = rig.bypass_change_detection();
        if moved {
            rig.binding.follow(pose);
        }
        for (node, shapes) in rig.nodes.iter().zip(&rig.binding.shapes) {
            // A character's own animation overwrites all weights of a node: then ours are due again.
            let Ok(mut morph) = weights.get_mut(*node) else { continue };
            if !moved && !morph.is_changed() {
                continue;
            }
            let current = morph.weights();
            if due(&rig.binding, &shapes.targets)
                .any(|(index, weight)| current.get(index).is_some_and(|w| *w != weight))
            {
                let values = morph.weights_mut();
                for (index, weight) in due(&rig.binding, &shapes.targets) {
                    if let Some(value) = values.get_mut(index) {
                        *value = weight;
                    }
                }
            }
        }
        for (drive, state) in rig.binding.joints.iter().zip(&mut rig.joints) {
            let Ok(mut transform) = transforms.get_mut(state.entity) else { continue };
            let found = (transform.rotation, transform.translation);
            if state.written != Some(found) {
                state.base = found;
            }
            let (turn, shift) = drive.motion(pose);
            let rotation = (state.base.0 * turn).normalize();
            let translation = state.base.1 + shift;
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

/// Index and weight of every target of a mesh.
fn due<'a>(binding: &'a Binding, targets: &'a [TargetDrive]) -> impl Iterator<Item = (usize, f32)> + 'a {
    targets.chunk_by(|a, b| a.shape == b.shape).map(|same| {
        let weight: f32 = same.iter().map(|target| binding.weight(target)).sum();
        (usize::from(same[0].shape), if weight.abs() < NOTHING { 0.0 } else { weight })
    })
}

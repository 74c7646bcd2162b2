//! Writing a pose to weights and joints.

use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut},
    query::QueryItem,
    system::{Query, Res},
    world::Ref,
};
use bevy_math::{Quat, Vec3};
use bevy_mesh::morph::MorphWeights;
use bevy_time::Time;
use bevy_transform::components::Transform;

use super::{FaceAuthority, FaceRig};
use crate::face::{LivePose, MANY_FACES};

/// Weights below this are written as exactly 0: Bevy's shader skips those.
const NOTHING: f32 = 1e-4;

/// A face whose binding is asked.
type Follower = (Ref<'static, LivePose>, &'static FaceAuthority, &'static mut FaceRig);

/// Asks the binding of every face whose pose is another one.
pub(super) fn follow(mut faces: Query<Follower>, time: Res<Time>) {
    let delta = time.delta_secs();
    if faces.iter().len() < MANY_FACES {
        faces.iter_mut().for_each(|face| follow_face(face, delta));
    } else {
        faces.par_iter_mut().for_each(|face| follow_face(face, delta));
    }
}

fn follow_face((live, authority, mut rig): QueryItem<'_, '_, Follower>, delta: f32) {
    let moved = live.is_changed() || rig.is_changed();
    let rig = rig.bypass_change_detection();
    if moved {
        rig.binding.follow(&live.0);
    }
    rig.moved = rig.shares.advance(authority, delta) || moved;
}

/// Writes what the bindings say.
pub(super) fn write(
    mut faces: Query<(&LivePose, &mut FaceRig)>,
    mut weights: Query<&mut MorphWeights>,
    mut transforms: Query<&mut Transform>,
) {
    for (live, mut rig) in &mut faces {
        let pose = &live.0;
        let FaceRig { binding, nodes, shapes, written, base, joints, shares, moved, profile: _ } =
            rig.bypass_change_detection();
        let moved = *moved;
        let nodes = nodes.iter().zip(binding.shapes()).zip(&**shapes).zip(written).zip(base);
        for ((((node, drive), shapes), written), base) in nodes {
            let Ok(mut morph) = weights.get_mut(*node) else { continue };
            // A clip of the character overwrites all weights of a node: then ours are due again.
            let others = morph.is_changed();
            if !moved && !others {
                continue;
            }
            let current = morph.bypass_change_detection().weights_mut();
            let mut differs = false;
            for ((shape, written), base) in shapes.iter().zip(written).zip(base) {
                let Some(found) = current.get_mut(shape.index) else { continue };
                if others && *written != *found {
                    *base = if found.is_finite() { *found } else { 0.0 };
                }
                let (face, clip) = shares.of(shape.region);
                let ours = binding.weight(&drive.targets[shape.targets.clone()]);
                let weight = if clip == 0.0 && face == 1.0 { ours } else { both(ours * face, *base * clip) };
                let weight = if weight.abs() < NOTHING { 0.0 } else { weight };
                if *found != weight {
                    *found = weight;
                    differs = true;
                }
                *written = weight;
            }
            if differs {
                morph.set_changed();
            }
        }
        for (drive, state) in binding.joints().iter().zip(joints) {
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

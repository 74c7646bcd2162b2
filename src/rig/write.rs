//! Writing a pose to weights and joints.

use std::sync::Arc;

use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut, Tick},
    component::Component,
    entity::Entity,
    query::QueryItem,
    system::{Query, Res},
    world::Ref,
};
use bevy_math::{Quat, Vec3};
use bevy_mesh::morph::MorphWeights;
use bevy_time::Time;
use bevy_transform::components::Transform;
use talkie::animation::{FacePose, FaceRegion};

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

/// Morph targets that a face moves, on the entity that has their weights.
#[derive(Component, Debug)]
pub(super) struct DrivenShapes {
    face: Entity,
    /// Its place in the binding of the face.
    drive: usize,
    /// The morph targets, the same for equal characters.
    shapes: Arc<[Shape]>,
    /// What a clip of the character says of each, or 0.
    base: Vec<f32>,
    /// When the weights changed by our doing: at any other time it was by somebody else's. None before.
    written: Option<Tick>,
}

/// A morph target that is moved.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) index: usize,
    pub(super) region: FaceRegion,
}

impl DrivenShapes {
    pub(super) fn new(face: Entity, drive: usize, shapes: Arc<[Shape]>) -> Self {
        Self { face, drive, base: vec![0.0; shapes.len()], shapes, written: None }
    }

    /// Leaves the weights as a clip of the character says.
    pub(super) fn release(&self, weights: &mut MorphWeights) {
        let values = weights.weights_mut();
        for (shape, base) in self.shapes.iter().zip(&self.base) {
            if let Some(value) = values.get_mut(shape.index) {
                *value = *base;
            }
        }
    }
}

/// A joint that a face moves.
#[derive(Component, Debug)]
pub(super) struct DrivenJoint {
    face: Entity,
    /// Its place in the binding of the face.
    drive: usize,
    /// Rotation and translation when it was bound.
    rest: (Quat, Vec3),
    /// Those of a clip of the character where there is one, else of the rest.
    base: (Quat, Vec3),
    /// What was written last: anything else found there was written by somebody else.
    written: Option<(Quat, Vec3)>,
}

impl DrivenJoint {
    pub(super) fn new(face: Entity, drive: usize, rest: &Transform) -> Self {
        let rest = (rest.rotation, rest.translation);
        Self { face, drive, rest, base: rest, written: None }
    }

    /// Leaves the joint as a clip of the character says.
    pub(super) fn release(&self, transform: &mut Transform) {
        if self.written == Some((transform.rotation, transform.translation)) {
            (transform.rotation, transform.translation) = self.base;
        }
    }
}

/// Weights that a face drives.
type Weights = (&'static mut MorphWeights, &'static mut DrivenShapes);

/// Weights that a face drives and that others may have written.
type Written = (Ref<'static, MorphWeights>, &'static mut DrivenShapes);

/// Notes what clips of the character wrote since the last frame: a clip overwrites all weights of a node. Before bindings are asked, while
/// they still say what was written.
pub(super) fn note_clips(mut nodes: Query<Written>, faces: Query<&FaceRig>) {
    let note = |node: QueryItem<'_, '_, Written>| {
        if node.1.written == Some(node.0.last_changed()) {
            return;
        }
        if let Ok(rig) = faces.get(node.1.face) {
            note_clip_of(node, rig);
        }
    };
    if faces.iter().len() < MANY_FACES {
        nodes.iter_mut().for_each(note);
    } else {
        nodes.par_iter_mut().for_each(note);
    }
}

fn note_clip_of((morph, mut driven): QueryItem<'_, '_, Written>, rig: &FaceRig) {
    let DrivenShapes { drive, shapes, base, written, .. } = driven.bypass_change_detection();
    let shares = FaceRegion::ALL.map(|region| rig.shares.of(region));
    for ((shape, base), ours) in shapes.iter().zip(base).zip(rig.binding.weights(*drive)) {
        let Some(found) = morph.weights().get(shape.index) else { continue };
        if written.is_none() || *found != shown(*ours, *base, shares[shape.region as usize]) {
            *base = if found.is_finite() { *found } else { 0.0 };
        }
    }
    // Ours are due again.
    *written = None;
}

/// Writes what the bindings say to weights.
pub(super) fn write_weights(mut nodes: Query<Weights>, faces: Query<&FaceRig>) {
    let write = |node: QueryItem<'_, '_, Weights>| {
        if let Ok(rig) = faces.get(node.1.face) {
            write_weights_of(node, rig);
        }
    };
    if faces.iter().len() < MANY_FACES {
        nodes.iter_mut().for_each(write);
    } else {
        nodes.par_iter_mut().for_each(write);
    }
}

fn write_weights_of((mut morph, mut driven): QueryItem<'_, '_, Weights>, rig: &FaceRig) {
    if !rig.moved && driven.written.is_some() {
        return;
    }
    let DrivenShapes { drive, shapes, base, written, .. } = driven.bypass_change_detection();
    let current = morph.bypass_change_detection().weights_mut();
    let shares = FaceRegion::ALL.map(|region| rig.shares.of(region));
    let mut differs = false;
    for ((shape, base), ours) in shapes.iter().zip(base).zip(rig.binding.weights(*drive)) {
        let Some(found) = current.get_mut(shape.index) else { continue };
        let weight = shown(*ours, *base, shares[shape.region as usize]);
        differs |= *found != weight;
        *found = weight;
    }
    if differs {
        morph.set_changed();
    }
    *written = Some(morph.last_changed());
}

/// What is seen of a weight of the face and of what a clip says of it.
#[inline]
fn shown(ours: f32, base: f32, (face, clip): (f32, f32)) -> f32 {
    let weight = if clip == 0.0 && face == 1.0 { ours } else { both(ours * face, base * clip) };
    if weight.abs() < NOTHING { 0.0 } else { weight }
}

/// A joint that a face drives.
type Joint = (&'static mut Transform, &'static mut DrivenJoint);

/// Writes what the bindings say to joints.
pub(super) fn write_joints(mut joints: Query<Joint>, faces: Query<(&LivePose, &FaceRig)>) {
    let write = |joint: QueryItem<'_, '_, Joint>| {
        if let Ok((live, rig)) = faces.get(joint.1.face) {
            write_joint(joint, &live.0, rig);
        }
    };
    if faces.iter().len() < MANY_FACES {
        joints.iter_mut().for_each(write);
    } else {
        joints.par_iter_mut().for_each(write);
    }
}

fn write_joint((mut transform, mut driven): QueryItem<'_, '_, Joint>, pose: &FacePose, rig: &FaceRig) {
    let Some(drive) = rig.binding.joints().get(driven.drive) else { return };
    let state = driven.bypass_change_detection();
    let found = (transform.rotation, transform.translation);
    if state.written != Some(found) {
        state.base = found;
    } else if !rig.moved {
        return;
    }
    let (face, clip) = rig.shares.of(drive.joint.region());
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

/// The sum of what the face and what a clip says: never beyond 0..=1 but where one of them is.
fn both(face: f32, clip: f32) -> f32 {
    (face + clip).clamp(face.min(clip).min(0.0), face.max(clip).max(1.0))
}

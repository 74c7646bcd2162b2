//! From the channels of a pose to the weights of shapes and the turns of joints.

use core::ops::Range;
use std::sync::Arc;

use glam::{Mat3, Quat, Vec2, Vec3};

use super::{FULL_LOOK, Joint, ShapeRule, VrmOverride};
use crate::animation::{
    CHANNEL_COUNT, FaceChannel, FacePose, FaceRegion,
    blendshapes::{ActiveSet, BoundedSolver, Objective},
};

/// How a character follows a pose: made by [`bind`](super::bind), asked in every frame.
///
/// Clones share what is the same for equal characters and have their own values: for a crowd, bind once and clone.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    rules: Arc<Rules>,
    /// Elsewhere, since most have none: a crowd is gone through in every frame.
    fit: Option<Box<Fit>>,
    /// What the controls are at, in their order, and after them the weights of the morph targets of all meshes.
    values: Vec<f32>,
}

/// What does not change from pose to pose.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) controls: Vec<Control>,
    /// Is at rest, and taken out when the rules are complete.
    pub(super) fit: Option<Fit>,
    pub(super) overrides: Vec<Override>,
    pub(super) shapes: Vec<ShapeDrive>,
    pub(super) joints: Vec<JointDrive>,
    /// Made when the rules are complete.
    lists: Lists,
}

/// The rules as they are gone through in every frame.
#[derive(Debug, Default)]
struct Lists {
    /// Control, channel and factor of every term.
    terms: Vec<(u16, u8, f32)>,
    /// Place among all weights, control and factor of every target.
    targets: Vec<(u32, u16, f32)>,
    /// Where the weights of every mesh are.
    meshes: Vec<Range<usize>>,
}

impl Lists {
    fn of(rules: &Rules) -> Self {
        let mut lists = Self::default();
        for (index, control) in (0..).zip(&rules.controls) {
            lists.terms.extend(control.terms.iter().map(|(channel, factor)| (index, *channel, *factor)));
        }
        let mut place = 0_u32;
        for drive in &rules.shapes {
            let start = place as usize;
            for same in drive.targets.chunk_by(|a, b| a.shape == b.shape) {
                lists.targets.extend(same.iter().map(|target| (place, target.control, target.factor)));
                place += 1;
            }
            lists.meshes.push(start..place as usize);
        }
        lists
    }
}

/// The morph targets of a mesh that follow.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeDrive {
    /// Index of the mesh in the [`Rig`](super::Rig).
    pub mesh: usize,
    /// Its targets, by rising index. One that follows several controls occurs several times and takes their sum.
    pub targets: Vec<TargetDrive>,
}

impl ShapeDrive {
    /// The places in [`targets`](Self::targets) that belong to one morph target each.
    pub fn shapes(&self) -> impl Iterator<Item = Range<usize>> {
        let mut end = 0;
        self.targets.chunk_by(|a, b| a.shape == b.shape).map(move |same| {
            let start = end;
            end += same.len();
            start..end
        })
    }
}

/// A morph target that follows a control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetDrive {
    /// Index of the target in its mesh.
    pub shape: u16,
    pub(super) control: u16,
    pub(super) factor: f32,
}

/// A number that follows the pose: the weight of all shapes of a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Control {
    pub(super) terms: Vec<(u8, f32)>,
    pub(super) gain: f32,
    pub(super) offset: f32,
    pub(super) clamp: (f32, f32),
    pub(super) curve: Vec<(f32, f32)>,
    pub(super) binary: bool,
    pub(super) region: FaceRegion,
}

impl Control {
    pub(super) fn new(rule: &ShapeRule, binary: bool, region: FaceRegion) -> Self {
        let terms = rule.from.iter().map(|(channel, factor)| (channel.index() as u8, *factor)).collect();
        let ShapeRule { gain, offset, clamp, curve, .. } = rule.clone();
        Self { terms, gain, offset, clamp, curve, binary, region }
    }

    /// What becomes of a mix.
    #[inline]
    fn value(&self, mix: f32) -> f32 {
        let value = self.wanted(mix);
        if value.is_nan() { 0.0 } else { value.max(self.clamp.0).min(self.clamp.1) }
    }

    /// The same without its range.
    #[inline]
    fn wanted(&self, mix: f32) -> f32 {
        let value = self.gain * mix + self.offset;
        let value = if self.curve.is_empty() { value } else { curved(&self.curve, value) };
        if self.binary { f32::from(u8::from(value >= 0.5)) } else { value }
    }

    /// Whether its range has less, or more, than is wanted of it.
    fn clips(&self, mix: f32) -> bool {
        let value = self.wanted(mix);
        value < self.clamp.0 - CLIPPED || value > self.clamp.1 + CLIPPED
    }
}

/// What is so little beyond a range is within it.
const CLIPPED: f32 = 1e-3;

/// A piecewise linear curve, level beyond its ends.
pub(super) fn curved(points: &[(f32, f32)], input: f32) -> f32 {
    let after = points.partition_point(|point| point.0 <= input);
    match (after.checked_sub(1).map(|before| points[before]), points.get(after)) {
        (None, None) => input,
        (Some(before), None) => before.1,
        (None, Some(first)) => first.1,
        (Some(before), Some(next)) => before.1 + (next.1 - before.1) * (input - before.0) / (next.0 - before.0),
    }
}

/// Controls whose mixes are found together: the postures they show, least squares from what is wanted.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    controls: Arc<[u16]>,
    /// From channels to the right-hand side: a row for every control.
    cross: Arc<[f64]>,
    solver: BoundedSolver,
    active: ActiveSet,
    /// What a unit of each weight costs.
    cost: Vec<f64>,
    right: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    found: Vec<f64>,
}

/// What one unit of a weight costs beside the squared error it saves, in shares of what the posture itself is worth: of two ways
/// to show the same, the one with fewer shapes.
const COST: f64 = 0.0002;

impl Fit {
    /// `postures` are what the controls show, `wanted` the channels that they are to show (the others shall rest); `likeness` says how
    /// much two channels look the same (a symmetric matrix over all channels without negative eigenvalues). None without postures.
    pub(super) fn new(
        postures: &[(u16, [f32; CHANNEL_COUNT])],
        wanted: impl Fn(FaceChannel) -> bool,
        likeness: impl Fn(FaceChannel, FaceChannel) -> f64,
    ) -> Option<Self> {
        let count = postures.len();
        let mut cross = vec![0.0; count * CHANNEL_COUNT];
        for (row, (_, posture)) in cross.chunks_exact_mut(CHANNEL_COUNT).zip(postures) {
            for (value, channel) in row.iter_mut().zip(FaceChannel::ALL) {
                let shown = FaceChannel::ALL.into_iter().zip(posture).filter(|(_, weight)| **weight != 0.0);
                *value = shown.map(|(other, weight)| f64::from(*weight) * likeness(other, channel)).sum();
            }
        }
        let mut matrix = vec![0.0; count * count];
        for (row, line) in cross.chunks_exact(CHANNEL_COUNT).enumerate() {
            for (column, (_, posture)) in postures.iter().enumerate() {
                matrix[row * count + column] =
                    line.iter().zip(posture).map(|(value, weight)| value * f64::from(*weight)).sum();
            }
        }
        for row in cross.chunks_exact_mut(CHANNEL_COUNT) {
            row.iter_mut()
                .zip(FaceChannel::ALL)
                .filter(|(_, channel)| !wanted(*channel))
                .for_each(|(value, _)| *value = 0.0);
        }
        for index in 0..count {
            // What is alike to the last digit shares the work.
            matrix[index * count + index] = matrix[index * count + index] * 1.0002 + 1e-9;
        }
        let cost: Vec<f64> = (0..count).map(|index| COST * matrix[index * count + index]).collect();
        Some(Self {
            controls: postures.iter().map(|(control, _)| *control).collect(),
            cross: cross.into(),
            solver: BoundedSolver::new(&matrix, count, Objective::Energy).ok()?,
            active: ActiveSet::all_free(count),
            cost,
            right: vec![0.0; count],
            lower: vec![0.0; count],
            upper: vec![1.0; count],
            found: vec![0.0; count],
        })
    }

    /// Finds the mixes of its controls.
    fn solve(&mut self, pose: &FacePose) {
        for ((right, row), cost) in self.right.iter_mut().zip(self.cross.chunks_exact(CHANNEL_COUNT)).zip(&self.cost) {
            let wanted: f64 = row.iter().zip(&pose.weights).map(|(factor, weight)| factor * f64::from(*weight)).sum();
            *right = wanted - cost;
        }
        // It fails only on what is not finite: then the shapes rest.
        if self.solver.solve(&self.right, &self.lower, &self.upper, &mut self.active, &mut self.found).is_err() {
            self.found.fill(0.0);
        }
    }
}

/// What an expression of a VRM file does to others while it shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Override {
    pub(super) by: u16,
    pub(super) how: VrmOverride,
    pub(super) over: Vec<u16>,
}

/// A joint that follows.
#[derive(Debug, Clone, PartialEq)]
pub struct JointDrive {
    /// Index of the node in the [`Rig`](super::Rig).
    pub node: usize,
    /// Its part.
    pub joint: Joint,
    /// From the axes of the face (left, up, forward) to those of the joint at rest.
    pub(super) frame: Quat,
    /// From the axes of the face, in distances between the eyes, to those of the node above.
    pub(super) shift_frame: Mat3,
    pub(super) terms: Vec<JointTerm>,
    /// Whether it follows the rigid part of the pose that its part is named after, and how much.
    pub(super) rigid: f32,
    pub(super) gain: f32,
}

/// What a channel does to a joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct JointTerm {
    pub(super) channel: FaceChannel,
    /// Radians about the axes of the face.
    pub(super) turn: Vec3,
    /// Distances between the eyes.
    pub(super) shift: Vec3,
}

impl Binding {
    pub(super) fn new(mut rules: Rules) -> Self {
        let fit = rules.fit.take();
        rules.lists = Lists::of(&rules);
        let (count, weights) = (rules.controls.len(), rules.lists.meshes.last().map_or(0, |last| last.end));
        Self { fit: fit.map(Box::new), values: vec![0.0; count + weights], rules: Arc::new(rules) }
    }

    /// Which morph targets follow.
    pub fn shapes(&self) -> &[ShapeDrive] {
        &self.rules.shapes
    }

    /// Which joints follow.
    pub fn joints(&self) -> &[JointDrive] {
        &self.rules.joints
    }

    /// Computes all weights for a pose; ask for [`weights`](Self::weights) afterwards. Allocates nothing.
    pub fn follow(&mut self, pose: &FacePose) {
        let Rules { controls, overrides, lists, .. } = &*self.rules;
        let (values, weights) = self.values.split_at_mut(controls.len());
        values.fill(0.0);
        for (control, channel, factor) in &lists.terms {
            values[usize::from(*control)] += pose.weights[usize::from(*channel)] * factor;
        }
        for (value, control) in values.iter_mut().zip(controls) {
            *value = control.value(*value);
        }
        if let Some(fit) = &mut self.fit {
            fit.solve(pose);
            for (control, mix) in fit.controls.iter().zip(&fit.found) {
                let control = usize::from(*control);
                values[control] = controls[control].value(*mix as f32);
            }
        }
        for rule in overrides {
            let shown = values[usize::from(rule.by)];
            let left = match rule.how {
                VrmOverride::None => continue,
                VrmOverride::Block if shown > 0.0 => 0.0,
                VrmOverride::Block => 1.0,
                VrmOverride::Blend => 1.0 - shown.clamp(0.0, 1.0),
            };
            for over in &rule.over {
                values[usize::from(*over)] *= left;
            }
        }
        weights.fill(0.0);
        for (place, control, factor) in &lists.targets {
            weights[*place as usize] += values[usize::from(*control)] * factor;
        }
    }

    /// The weights of the morph targets of a mesh as of the last [`follow`](Self::follow), in the order of
    /// [`ShapeDrive::shapes`]; `drive` is its place in [`shapes`](Self::shapes).
    #[inline]
    pub fn weights(&self, drive: usize) -> &[f32] {
        let weights = &self.values[self.rules.controls.len()..];
        self.rules.lists.meshes.get(drive).map_or(&[], |places| &weights[places.clone()])
    }

    /// The weight of a morph target as of the last [`follow`](Self::follow), given all of its [`ShapeDrive::targets`].
    #[inline]
    pub fn weight(&self, targets: &[TargetDrive]) -> f32 {
        targets.iter().map(|target| self.values[usize::from(target.control)] * target.factor).sum()
    }

    /// Whether the pose that was [followed](Self::follow) last wanted more, or less, of it than its range has.
    pub fn is_clipped(&self, target: &TargetDrive, pose: &FacePose) -> bool {
        let control = &self.rules.controls[usize::from(target.control)];
        let fitted = self.fit.as_ref().and_then(|fit| {
            let place = fit.controls.iter().position(|fitted| *fitted == target.control)?;
            Some(fit.found[place] as f32)
        });
        let mixed = || control.terms.iter().map(|(channel, factor)| pose.weights[usize::from(*channel)] * factor).sum();
        control.clips(fitted.unwrap_or_else(mixed))
    }

    /// The region of the face that a morph target belongs to.
    pub fn region(&self, target: &TargetDrive) -> FaceRegion {
        self.rules.controls[usize::from(target.control)].region
    }
}

impl JointDrive {
    /// How the joint is to be turned (after its rest rotation, about its own axes) and shifted (in the axes of the node above it).
    pub fn motion(&self, pose: &FacePose) -> (Quat, Vec3) {
        let (mut turn, mut shift) = (Vec3::ZERO, Vec3::ZERO);
        for term in &self.terms {
            let weight = pose.weight(term.channel) * self.gain;
            turn += term.turn * weight;
            shift += term.shift * weight;
        }
        if self.joint == Joint::Jaw {
            // Closing the lips of a rig that has only a jaw never shuts it further than it was.
            turn.x = turn.x.max(0.0);
        }
        let rigid = match self.joint {
            _ if self.rigid == 0.0 => Quat::IDENTITY,
            Joint::Jaw => pose.jaw_rotation,
            Joint::LeftEye => eye(pose, pose.left_eye, self.joint.gaze()),
            Joint::RightEye => eye(pose, pose.right_eye, self.joint.gaze()),
            Joint::Head | Joint::Neck => pose.head_rotation,
            _ => Quat::IDENTITY,
        };
        let rigid = if self.rigid == 1.0 { rigid } else { Quat::IDENTITY.slerp(rigid, self.rigid) };
        let turn = rigid * Quat::from_scaled_axis(turn);
        (self.frame * turn * self.frame.inverse(), self.shift_frame * shift)
    }
}

/// The rotation of an eye that looks so far to the left and up: the gaze of the pose in radians, or what its channels (left, right,
/// up, down) say if that is more. Where a pose has both they say the same.
fn eye(pose: &FacePose, gaze: Vec2, channels: Option<[FaceChannel; 4]>) -> Quat {
    let [left, right, up, down] = channels.map_or([0.0; 4], |channels| channels.map(|channel| pose.weight(channel)));
    let shown = Vec2::new(left - right, up - down) * FULL_LOOK;
    let more = |a: f32, b: f32| if b.abs() > a.abs() { b } else { a };
    Quat::from_euler(glam::EulerRot::YXZ, more(gaze.x, shown.x), -more(gaze.y, shown.y), 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_may_have_more_shapes_together_than_16_bits_can_count() {
        let control = Control {
            terms: vec![(FaceChannel::JawOpen.index() as u8, 1.0)],
            gain: 1.0,
            offset: 0.0,
            clamp: (0.0, 1.0),
            curve: Vec::new(),
            binary: false,
            region: FaceRegion::Mouth,
        };
        let targets: Vec<TargetDrive> =
            (0..40_000).map(|shape| TargetDrive { shape, control: 0, factor: 1.0 }).collect();
        let shapes = (0..2).map(|mesh| ShapeDrive { mesh, targets: targets.clone() }).collect();
        let mut binding = Binding::new(Rules { controls: vec![control], shapes, ..Rules::default() });
        let mut pose = FacePose::REST;
        pose.set(FaceChannel::JawOpen, 0.5);
        binding.follow(&pose);
        for drive in 0..2 {
            assert!(binding.weights(drive).iter().all(|weight| *weight == 0.5));
            assert_eq!(binding.weights(drive).len(), 40_000);
        }
        assert!(binding.weights(2).is_empty());
    }
}

//! How far a character really opens its mouth, and whether its lips meet.

use glam::{Mat4, Quat, Vec3};

use super::FaceFit;
use crate::{
    animation::{FaceChannel, FacePose},
    retarget::{Binding, Joint, JointRule, Rig, RigProfile, ShapeRule, unnamed_shape},
};

/// What a spoken line does to the lips of a character, beside what it does to those of the template, and what would bring them closer
/// together. Distances are in millimetres of a head whose eyes are 62 mm apart.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RangeFit {
    /// The widest opening of the inner lips on the middle line, beyond that at rest.
    pub opening_mm: f32,
    /// The same on the template.
    pub wanted_opening_mm: f32,
    /// By how much the lips are further apart than the template's, in the mean, where those are closed over an open jaw; below 0 they
    /// are pressed harder.
    pub closed_mm: f32,
    /// The most that the lips are nearer than at rest, and than the template's, at any time: so deep is one in the other at worst.
    pub overlap_mm: f32,
    /// What the jaw should be multiplied by, 0.5..=2.
    pub jaw_gain: f32,
    /// What `mouthClose` should be multiplied by besides, 0.5..=1.5.
    pub close_gain: f32,
    /// Shapes that were to be moved beyond their range, and in what share of the frames.
    pub clipped: Vec<(String, f32)>,
}

/// Distance between the eyes of a person in millimetres, by which measures are given.
const EYES_MM: f32 = 62.0;
/// The template's lips are closed below this, in distances between the eyes (1.2 mm).
const CLOSED: f32 = 0.02;
/// And the jaw is open above this.
const JAW_OPEN: f32 = 0.08;
/// A shape is clipped that is beyond its range in more than this share of the frames.
const CLIPPED: f32 = 0.01;

impl FaceFit<'_> {
    /// Speaks a line silently: `binding`, of the `rig` of the same file, follows each pose, and the inner lips are looked at on both heads. `None` where nothing opens the
    /// mouth, or the line never does.
    pub fn range(&self, binding: &mut Binding, rig: &Rig<'_>, poses: &[FacePose]) -> Option<RangeFit> {
        let [upper, lower] = self.lips;
        let apart = self.template_opening(FaceChannel::JawOpen).normalize_or_zero();
        let mut frames = Vec::with_capacity(poses.len());
        let mut beyond: std::collections::BTreeMap<(usize, u16), usize> = std::collections::BTreeMap::new();
        let rest = self.lips_of(binding, &FacePose::REST, [upper, lower]);
        for pose in poses {
            let wanted: Vec3 = FaceChannel::ALL
                .into_iter()
                .filter(|channel| pose.weight(*channel) != 0.0)
                .map(|channel| self.template_opening(channel) * pose.weight(channel))
                .sum();
            let opening = (self.lips_of(binding, pose, [upper, lower]) - rest).dot(apart);
            for drive in binding.shapes() {
                for target in drive.targets.iter().filter(|target| binding.is_clipped(target, pose)) {
                    *beyond.entry((drive.mesh, target.shape)).or_default() += 1;
                }
            }
            let mut unclosed = *pose;
            unclosed.set(FaceChannel::MouthClose, 0.0);
            let open = (self.lips_of(binding, &unclosed, [upper, lower]) - rest).dot(apart);
            frames.push((wanted.dot(apart), opening, open, pose.weight(FaceChannel::JawOpen)));
        }
        let peak = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
        let wanted_opening = peak(&mut frames.iter().map(|frame| frame.0));
        let opening = peak(&mut frames.iter().map(|frame| frame.1));
        if opening < 1e-3 || wanted_opening < 1e-3 {
            return None;
        }
        let closed: Vec<_> = frames.iter().filter(|frame| frame.0 < CLOSED && frame.3 > JAW_OPEN).collect();
        let count = closed.len().max(1) as f32;
        let closed_mm = closed.iter().map(|frame| frame.1 - frame.0).sum::<f32>() / count * EYES_MM;
        // How much of what opens the lips `mouthClose` takes back, and how much it should.
        let (taken, open): (f32, f32) = closed.iter().fold((0.0, 0.0), |sum, f| (sum.0 + f.2 - f.1, sum.1 + f.2 - f.0));
        let overlap = peak(&mut frames.iter().map(|frame| -frame.1 - f32::max(0.0, -frame.0)));
        let clipped = beyond.into_iter().map(|((mesh, shape), count)| {
            let mesh = &rig.meshes[mesh];
            let name = mesh.shapes.get(usize::from(shape)).filter(|name| !name.is_empty()).cloned();
            let name = name.unwrap_or_else(|| unnamed_shape(&mesh.name, usize::from(shape)));
            (name, count as f32 / poses.len() as f32)
        });
        Some(RangeFit {
            opening_mm: opening * EYES_MM,
            wanted_opening_mm: wanted_opening * EYES_MM,
            closed_mm,
            overlap_mm: overlap * EYES_MM,
            jaw_gain: (wanted_opening / opening).clamp(0.5, 2.0),
            close_gain: if taken > 1e-4 { (open / taken).clamp(0.5, 1.5) } else { 1.0 },
            clipped: clipped.filter(|(_, share)| *share > CLIPPED).collect(),
        })
    }

    /// How a channel at 1 moves the template's lower inner lip from the upper one.
    fn template_opening(&self, channel: FaceChannel) -> Vec3 {
        let known = self.template.channels.iter().find(|(other, _)| *other == channel);
        let [upper, lower] = self.template.lips.map(|lip| lip as usize);
        known.map_or(Vec3::ZERO, |(_, moved)| moved[lower] - moved[upper])
    }

    /// From the upper to the lower inner lip of the head in a pose, in the axes of the template.
    fn lips_of(&self, binding: &mut Binding, pose: &FacePose, [upper, lower]: [u32; 2]) -> Vec3 {
        binding.follow(pose);
        let world = self.head.posed(binding, pose);
        let at = |point: u32| self.place.apply(self.head.posed_point(binding, &world, point));
        at(lower) - at(upper)
    }
}

impl RangeFit {
    /// Puts the gains into the profile of the character, at the rules of the shapes that are `jawOpen` and `mouthClose` and at the joint of
    /// the jaw; ranges grow as far. Postures (visemes) are left as they are.
    pub fn adjust(&self, profile: &mut RigProfile) {
        for (channel, gain) in
            [(FaceChannel::JawOpen, self.jaw_gain), (FaceChannel::MouthClose, self.jaw_gain * self.close_gain)]
        {
            let is_it = |rule: &&mut ShapeRule| rule.from.len() == 1 && rule.from.contains_key(&channel);
            for rule in profile.shapes.iter_mut().filter(is_it) {
                rule.gain *= gain;
                rule.clamp.1 *= gain.max(1.0);
            }
        }
        for rule in profile.joints.iter_mut().filter(|rule: &&mut JointRule| rule.joint == Joint::Jaw) {
            rule.gain *= self.jaw_gain;
        }
    }
}

impl super::Head {
    /// Where all of its nodes are while it shows a pose.
    fn posed(&self, binding: &Binding, pose: &FacePose) -> Vec<Mat4> {
        let mut world: Vec<Mat4> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let (mut rotation, mut translation): (Quat, Vec3) = (node.rotation, node.translation);
            for drive in binding.joints().iter().filter(|drive| drive.node == index) {
                let (turn, shift) = drive.motion(pose);
                rotation *= turn;
                translation += shift;
            }
            let local = Mat4::from_scale_rotation_translation(node.scale, rotation, translation);
            world.push(node.parent.and_then(|parent| world.get(parent)).map_or(local, |above| *above * local));
        }
        world
    }

    /// Where a point is while the head shows the pose that the binding last followed.
    fn posed_point(&self, binding: &Binding, world: &[Mat4], point: u32) -> Vec3 {
        let found =
            self.parts.iter().find_map(|part| Some((part, part.points.iter().position(|other| *other == point)?)));
        let Some((part, vertex)) = found else { return self.points[point as usize] };
        let mut place = part.places[vertex];
        for drive in binding.shapes().iter().filter(|drive| Some(drive.mesh) == part.rig_mesh) {
            for targets in drive.shapes() {
                let targets = &drive.targets[targets];
                if let Some(Some(moved)) = part.shapes.get(usize::from(targets[0].shape)) {
                    // Shapes are kept in the axes of the character.
                    place += part.inverse[vertex] * moved[vertex] * binding.weight(targets);
                }
            }
        }
        part.bend.matrix(world, vertex).transform_point3(place)
    }
}

//! One pose of a face.

use glam::{Quat, Vec2, Vec3};

use super::{CHANNEL_COUNT, FaceChannel};

/// Names of the numbers that [`FacePose::joint_values`] gives, in order: the joint columns of an exported track.
pub const JOINT_COLUMNS: [&str; 15] = [
    "jawRotationX",
    "jawRotationY",
    "jawRotationZ",
    "jawRotationW",
    "jawTranslationX",
    "jawTranslationY",
    "jawTranslationZ",
    "leftEyeYaw",
    "leftEyePitch",
    "rightEyeYaw",
    "rightEyePitch",
    "headRotationX",
    "headRotationY",
    "headRotationZ",
    "headRotationW",
];

/// The whole state of a face at one moment: 68 channel weights and the rigid parts.
///
/// Everything is relative to the rest pose of the character, in a frame with +X to the character's left, +Y up and +Z out
/// of the face (glTF's own for a character that looks along +Z). [`FacePose::default`] is the rest pose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FacePose {
    /// Weight of every [`FaceChannel`], by its index. 0 is rest, 1 the full shape; networks stay within 0..=1.
    pub weights: [f32; CHANNEL_COUNT],
    /// Rotation of the jaw about its hinge. +X opens. For rigs that move the jaw by a joint.
    pub jaw_rotation: Quat,
    /// Displacement of the jaw in metres.
    pub jaw_translation: Vec3,
    /// Gaze of the left eye in radians: x is yaw to the character's left, y is pitch up.
    pub left_eye: Vec2,
    /// Gaze of the right eye in radians, as [`left_eye`](Self::left_eye).
    pub right_eye: Vec2,
    /// Rotation of the head on the neck.
    pub head_rotation: Quat,
}

impl Default for FacePose {
    fn default() -> Self {
        Self::REST
    }
}

impl FacePose {
    /// The face at rest.
    pub const REST: Self = Self {
        weights: [0.0; CHANNEL_COUNT],
        jaw_rotation: Quat::IDENTITY,
        jaw_translation: Vec3::ZERO,
        left_eye: Vec2::ZERO,
        right_eye: Vec2::ZERO,
        head_rotation: Quat::IDENTITY,
    };

    /// Weight of one channel.
    #[inline]
    pub fn weight(&self, channel: FaceChannel) -> f32 {
        self.weights[channel.index()]
    }

    /// Sets the weight of one channel.
    #[inline]
    pub fn set(&mut self, channel: FaceChannel, weight: f32) {
        self.weights[channel.index()] = weight;
    }

    /// The pose between this one (`amount` 0) and another (`amount` 1): weights and angles linearly, rotations along the
    /// shorter arc.
    pub fn lerp(&self, other: &Self, amount: f32) -> Self {
        let mut between = *self;
        for (weight, to) in between.weights.iter_mut().zip(&other.weights) {
            *weight += (to - *weight) * amount;
        }
        between.jaw_rotation = self.jaw_rotation.lerp(other.jaw_rotation, amount);
        between.jaw_translation = self.jaw_translation.lerp(other.jaw_translation, amount);
        between.left_eye = self.left_eye.lerp(other.left_eye, amount);
        between.right_eye = self.right_eye.lerp(other.right_eye, amount);
        between.head_rotation = self.head_rotation.lerp(other.head_rotation, amount);
        between
    }

    /// Whether every number is finite. Only such poses may reach a rig.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
            && self.joint_values().iter().all(|value| value.is_finite())
    }

    /// The rigid parts as plain numbers, named by [`JOINT_COLUMNS`]: quaternions x y z w, metres, radians.
    pub fn joint_values(&self) -> [f32; 15] {
        let (jaw, moved, head) = (self.jaw_rotation, self.jaw_translation, self.head_rotation);
        [
            jaw.x,
            jaw.y,
            jaw.z,
            jaw.w,
            moved.x,
            moved.y,
            moved.z,
            self.left_eye.x,
            self.left_eye.y,
            self.right_eye.x,
            self.right_eye.y,
            head.x,
            head.y,
            head.z,
            head.w,
        ]
    }

    /// The reverse of [`joint_values`](Self::joint_values).
    pub fn set_joint_values(&mut self, values: &[f32; 15]) {
        let v = values;
        self.jaw_rotation = Quat::from_xyzw(v[0], v[1], v[2], v[3]);
        self.jaw_translation = Vec3::new(v[4], v[5], v[6]);
        self.left_eye = Vec2::new(v[7], v[8]);
        self.right_eye = Vec2::new(v[9], v[10]);
        self.head_rotation = Quat::from_xyzw(v[11], v[12], v[13], v[14]);
    }
}

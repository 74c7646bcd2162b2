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

/// What parts the lips whatever the jaw does, besides the upper lip.
const PART_LIPS: [FaceChannel; 3] =
    [FaceChannel::MouthFunnel, FaceChannel::MouthLowerDownLeft, FaceChannel::MouthLowerDownRight];

/// An amount within 0..=1; what is not a number is 0.
fn share(amount: f32) -> f32 {
    if amount.is_nan() { 0.0 } else { amount.clamp(0.0, 1.0) }
}

/// Exactly `from` at 0 and exactly `to` at 1.
fn between(from: f32, to: f32, amount: f32) -> f32 {
    from * (1.0 - amount) + to * amount
}

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

    /// Closes the lips by `amount`: 0 leaves them as they are, 1 lets them meet whatever the pose is.
    ///
    /// By the rule that is inside the crate's own networks: `mouthClose` goes to `jawOpen`, and what else parts the lips
    /// (`mouthFunnel`, `mouthLowerDown`, `mouthUpperUp`) is multiplied by `1 - amount`. What the jaw does is left to it. Closing
    /// by `a` and by `b` is closing by `1 - (1 - a) (1 - b)`. What is not a number counts as 0.
    pub fn close_lips(&mut self, amount: f32) {
        let amount = share(amount);
        if amount == 0.0 {
            return;
        }
        self.narrow_jaw(amount, 0.0);
        self.scale(&PART_LIPS, 1.0 - amount);
        self.scale(&[FaceChannel::MouthUpperUpLeft, FaceChannel::MouthUpperUpRight], 1.0 - amount);
    }

    /// Brings the lower lip to the upper teeth by `amount`, as for F and V: 0 leaves it as it is, 1 puts it there.
    ///
    /// The opening of the jaw is cancelled but for 0.11, the lower lip rolls in to at least 0.6, the upper lip shows the teeth
    /// (`mouthUpperUp` at least 0.4), and what would take the lips elsewhere goes: the pose that the crate's own networks learned
    /// for F. What is not a number counts as 0.
    pub fn lip_to_teeth(&mut self, amount: f32) {
        use FaceChannel::{
            MouthPressLeft, MouthPressRight, MouthRollLower, MouthRollUpper, MouthShrugLower, MouthUpperUpLeft,
            MouthUpperUpRight,
        };
        let amount = share(amount);
        if amount == 0.0 {
            return;
        }
        self.narrow_jaw(amount, 0.11);
        self.scale(&PART_LIPS, 1.0 - amount);
        self.scale(&[MouthPressLeft, MouthPressRight, MouthRollUpper], 1.0 - amount);
        for (channel, least) in
            [(MouthRollLower, 0.6), (MouthUpperUpLeft, 0.4), (MouthUpperUpRight, 0.4), (MouthShrugLower, 0.12)]
        {
            let weight = self.weight(channel);
            self.set(channel, between(weight, weight.max(least), amount));
        }
    }

    /// Lets `mouthClose` cancel the jaw but for an opening. It never takes closing away.
    fn narrow_jaw(&mut self, amount: f32, opening: f32) {
        let close = self.weight(FaceChannel::MouthClose);
        let closed = close.max(self.weight(FaceChannel::JawOpen) - opening);
        self.set(FaceChannel::MouthClose, between(close, closed, amount));
    }

    fn scale(&mut self, channels: &[FaceChannel], factor: f32) {
        channels.iter().for_each(|channel| self.weights[channel.index()] *= factor);
    }

    /// Whether every number is finite. Only such poses may reach a rig.
    pub fn is_finite(&self) -> bool {
        // Without a branch for each.
        let all = |values: &[f32]| values.iter().fold(true, |all, value| all & value.is_finite());
        all(&self.weights) && all(&self.joint_values())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use FaceChannel as C;

    fn pose() -> impl Strategy<Value = FacePose> {
        prop::collection::vec(0.0_f32..=1.0, CHANNEL_COUNT).prop_map(|weights| {
            let mut pose = FacePose::REST;
            pose.weights.copy_from_slice(&weights);
            pose
        })
    }

    #[test]
    fn nothing_is_done_by_nothing() {
        let mut pose = FacePose::REST;
        pose.set(C::JawOpen, 0.5);
        pose.set(C::MouthFunnel, -0.0);
        for amount in [0.0, -1.0, f32::NAN, f32::NEG_INFINITY] {
            let mut same = pose;
            same.close_lips(amount);
            same.lip_to_teeth(amount);
            assert_eq!(same.weights.map(f32::to_bits), pose.weights.map(f32::to_bits), "{amount}");
        }
    }

    #[test]
    fn the_lip_at_the_teeth_is_the_lesson_for_f() {
        let mut pose = FacePose::REST;
        for (channel, weight) in [
            (C::JawOpen, 0.5),
            (C::MouthLowerDownLeft, 0.3),
            (C::MouthFunnel, 0.4),
            (C::MouthPressRight, 0.3),
            (C::BrowInnerUp, 0.7),
        ] {
            pose.set(channel, weight);
        }
        pose.lip_to_teeth(1.0);
        for (channel, weight) in [
            (C::JawOpen, 0.5),
            (C::MouthClose, 0.39),
            (C::MouthRollLower, 0.6),
            (C::MouthUpperUpLeft, 0.4),
            (C::MouthUpperUpRight, 0.4),
            (C::MouthShrugLower, 0.12),
            (C::MouthLowerDownLeft, 0.0),
            (C::MouthFunnel, 0.0),
            (C::MouthPressRight, 0.0),
            (C::BrowInnerUp, 0.7),
        ] {
            assert!((pose.weight(channel) - weight).abs() < 1e-6, "{channel} is {}", pose.weight(channel));
        }
    }

    proptest! {
        #[test]
        fn closing_is_the_rule_of_the_networks(pose in pose(), amount in 0.0_f32..=1.0, more in 0.0_f32..=1.0) {
            let mut open = pose;
            open.set(C::MouthClose, 0.0);
            let mut closed = open;
            closed.close_lips(amount);
            let parts = [
                C::MouthFunnel,
                C::MouthLowerDownLeft,
                C::MouthLowerDownRight,
                C::MouthUpperUpLeft,
                C::MouthUpperUpRight,
            ];
            for channel in C::ALL {
                let was = open.weight(channel);
                let wanted = match channel {
                    C::MouthClose => amount * open.weight(C::JawOpen),
                    _ if parts.contains(&channel) => (1.0 - amount) * was,
                    _ => was,
                };
                prop_assert!((closed.weight(channel) - wanted).abs() < 1e-6, "{channel}");
            }
            // Twice is once, by more.
            closed.close_lips(more);
            open.close_lips(1.0 - (1.0 - amount) * (1.0 - more));
            prop_assert!(closed.weights.iter().zip(&open.weights).all(|(a, b)| (a - b).abs() < 1e-6));
        }

        #[test]
        fn closing_never_opens(pose in pose(), amount in 0.0_f32..=1.0) {
            let mut closed = pose;
            closed.close_lips(amount);
            prop_assert!(closed.weight(C::MouthClose) >= pose.weight(C::MouthClose) - 1e-6);
        }
    }
}

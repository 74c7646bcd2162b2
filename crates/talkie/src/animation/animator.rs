//! The settings by which a character performs what the network gives.

use super::{CHANNEL_COUNT, FaceChannel, FacePose};

/// How strongly a face performs speech. The strengths are named as the Audio2Face-3D parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Animator {
    /// How clearly it speaks: factor on what opens and shapes the mouth (jaw, rounding, spreading, lifting and lowering of the lips). Lips
    /// that meet still do: what closes them is scaled like the jaw, what presses them together is not. Smiles and frowns stay as they are.
    /// 0..=2, default 1; a mumble is about 0.5.
    pub articulation: f32,
    /// Factor on everything from the nose down but the tongue: lips, jaw, cheeks. 0..=2, default 1.
    pub lower_face_strength: f32,
    /// Factor on everything above: brows, lids, gaze. 0..=2, default 1.
    pub upper_face_strength: f32,
    /// Factor on the tongue. 0..=2, default 1.
    pub tongue_strength: f32,
}

/// What opens and shapes the mouth in speech.
const ARTICULATED: [FaceChannel; 14] = [
    FaceChannel::JawOpen,
    FaceChannel::JawLeft,
    FaceChannel::JawRight,
    FaceChannel::MouthClose,
    FaceChannel::MouthFunnel,
    FaceChannel::MouthPucker,
    FaceChannel::MouthStretchLeft,
    FaceChannel::MouthStretchRight,
    FaceChannel::MouthLowerDownLeft,
    FaceChannel::MouthLowerDownRight,
    FaceChannel::MouthUpperUpLeft,
    FaceChannel::MouthUpperUpRight,
    FaceChannel::MouthShrugLower,
    FaceChannel::MouthShrugUpper,
];

/// Which channels belong to the upper face, the tongue, what is articulated, and the rest of the lower face: 1 for those that do.
const PARTS: [[f32; CHANNEL_COUNT]; 4] = {
    let mut parts = [[0.0; CHANNEL_COUNT]; 4];
    let mut index = 0;
    while index < CHANNEL_COUNT {
        let channel = FaceChannel::ALL[index];
        let part = if channel.is_upper_face() {
            0
        } else if channel.is_tongue_shape() || index == FaceChannel::TongueOut.index() {
            1
        } else if is_articulated(index) {
            2
        } else {
            3
        };
        parts[part][index] = 1.0;
        index += 1;
    }
    parts
};

const fn is_articulated(channel: usize) -> bool {
    let mut index = 0;
    while index < ARTICULATED.len() {
        if ARTICULATED[index].index() == channel {
            return true;
        }
        index += 1;
    }
    false
}

impl Default for Animator {
    fn default() -> Self {
        Self { articulation: 1.0, lower_face_strength: 1.0, upper_face_strength: 1.0, tongue_strength: 1.0 }
    }
}

impl Animator {
    /// Applies the settings; weights end up within 0..=1. Values that are not numbers become rest.
    ///
    /// `mouthClose` ends up at most as large as `jawOpen`: by the ARKit convention it closes the lips over an open jaw,
    /// and more of it than there is to close would push the chin through the lips.
    pub fn apply(&self, pose: &mut FacePose) {
        let strength = |value: f32| if value.is_finite() { value.clamp(0.0, 2.0) } else { 1.0 };
        let (lower, upper) = (strength(self.lower_face_strength), strength(self.upper_face_strength));
        let (tongue, articulation) = (strength(self.tongue_strength), strength(self.articulation));
        let articulated = lower * articulation;
        for (index, weight) in pose.weights.iter_mut().enumerate() {
            let of = |part: usize| PARTS[part][index];
            let scaled = *weight * (of(0) * upper + of(1) * tongue + of(2) * articulated + of(3) * lower);
            *weight = if scaled.is_finite() { scaled.clamp(0.0, 1.0) } else { 0.0 };
        }
        let jaw = pose.weight(FaceChannel::JawOpen);
        pose.set(FaceChannel::MouthClose, pose.weight(FaceChannel::MouthClose).min(jaw));
        if pose.is_finite() {
            let jaw = lower * articulation;
            pose.jaw_rotation = glam::Quat::IDENTITY.lerp(pose.jaw_rotation, jaw.min(1.0));
            pose.jaw_translation *= jaw;
        } else {
            *pose = FacePose { weights: pose.weights, ..FacePose::REST };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_scales_its_part_and_clamps() {
        let mut pose = FacePose::REST;
        pose.set(FaceChannel::TongueOut, 0.4);
        pose.set(FaceChannel::TongueTipUp, 0.4);
        pose.set(FaceChannel::JawOpen, 0.8);
        pose.set(FaceChannel::BrowInnerUp, 0.4);
        Animator { lower_face_strength: 1.5, upper_face_strength: 0.5, tongue_strength: 2.0, ..Animator::default() }
            .apply(&mut pose);
        assert_eq!(pose.weight(FaceChannel::JawOpen), 1.0);
        assert_eq!(pose.weight(FaceChannel::BrowInnerUp), 0.2);
        assert_eq!((pose.weight(FaceChannel::TongueOut), pose.weight(FaceChannel::TongueTipUp)), (0.8, 0.8));
    }

    #[test]
    fn lips_close_over_an_open_jaw_and_no_further() {
        let mut pose = FacePose::REST;
        pose.set(FaceChannel::MouthClose, 0.5);
        pose.set(FaceChannel::JawOpen, 0.2);
        Animator::default().apply(&mut pose);
        assert_eq!(pose.weight(FaceChannel::MouthClose), 0.2);
    }

    #[test]
    fn who_mumbles_opens_less_and_still_closes() {
        use FaceChannel::{JawOpen, MouthClose, MouthFunnel, MouthPressLeft, MouthSmileLeft};
        let mut pose = FacePose::REST;
        for (channel, weight) in [(JawOpen, 0.6), (MouthFunnel, 0.4), (MouthPressLeft, 0.5), (MouthSmileLeft, 0.3)] {
            pose.set(channel, weight);
        }
        let mumble = Animator { articulation: 0.5, ..Animator::default() };
        let mut open = pose;
        mumble.apply(&mut open);
        assert_eq!((open.weight(JawOpen), open.weight(MouthFunnel), open.weight(MouthSmileLeft)), (0.3, 0.2, 0.3));
        pose.set(MouthClose, 0.6);
        mumble.apply(&mut pose);
        assert_eq!((pose.weight(MouthClose), pose.weight(JawOpen), pose.weight(MouthPressLeft)), (0.3, 0.3, 0.5));
    }

    #[test]
    fn nothing_that_is_not_a_number_passes() {
        let mut pose = FacePose::REST;
        pose.set(FaceChannel::JawOpen, f32::NAN);
        pose.set(FaceChannel::MouthClose, f32::INFINITY);
        pose.head_rotation.x = f32::NAN;
        Animator {
            articulation: f32::NAN,
            lower_face_strength: f32::NAN,
            upper_face_strength: -3.0,
            tongue_strength: f32::INFINITY,
        }
        .apply(&mut pose);
        assert!(pose.is_finite());
        assert_eq!(pose.weight(FaceChannel::JawOpen), 0.0);
    }
}

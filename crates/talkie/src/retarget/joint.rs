//! Joints of a face and how they move.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::animation::{
    FaceChannel::{self, *},
    FaceRegion,
};

/// The part that a joint plays in a face. Left and right are the character's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants say it")]
#[non_exhaustive]
pub enum Joint {
    /// The head on its neck.
    Head,
    Neck,
    /// The hinge of the lower jaw.
    Jaw,
    LeftEye,
    RightEye,
    LeftUpperLid,
    LeftLowerLid,
    RightUpperLid,
    RightLowerLid,
    /// The middle of the upper lip.
    UpperLip,
    LeftUpperLip,
    RightUpperLip,
    /// The middle of the lower lip.
    LowerLip,
    LeftLowerLip,
    RightLowerLip,
    LeftLipCorner,
    RightLipCorner,
    /// The root of the tongue.
    Tongue,
    TongueMiddle,
    TongueTip,
    LeftInnerBrow,
    LeftOuterBrow,
    RightInnerBrow,
    RightOuterBrow,
}

/// How far a jaw joint turns where a rig has no `jawOpen` shape and the channel is at 1: 24.5 degrees, the opening of
/// the ARKit shape as measured on the default characters.
pub const JAW_OPEN_RADIANS: f32 = 0.4276;

/// How far an eye turns, in radians, where its `eyeLook` channel is at 1: about 20 degrees.
pub const FULL_LOOK: f32 = 0.35;

/// What one channel does to a joint at 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointMotion {
    /// The channel.
    pub channel: FaceChannel,
    /// Turn in degrees about the character's left, up and forward axes.
    pub turn: [f32; 3],
    /// Shift to the character's left, up and forwards, in distances between the eyes.
    pub shift: [f32; 3],
}

/// A turn.
const fn turn(channel: FaceChannel, turn: [f32; 3]) -> JointMotion {
    JointMotion { channel, turn, shift: [0.0; 3] }
}

/// A shift.
const fn shift(channel: FaceChannel, shift: [f32; 3]) -> JointMotion {
    JointMotion { channel, turn: [0.0; 3], shift }
}

impl Joint {
    /// All joints.
    pub const ALL: [Self; 24] = [
        Self::Head,
        Self::Neck,
        Self::Jaw,
        Self::LeftEye,
        Self::RightEye,
        Self::LeftUpperLid,
        Self::LeftLowerLid,
        Self::RightUpperLid,
        Self::RightLowerLid,
        Self::UpperLip,
        Self::LeftUpperLip,
        Self::RightUpperLip,
        Self::LowerLip,
        Self::LeftLowerLip,
        Self::RightLowerLip,
        Self::LeftLipCorner,
        Self::RightLipCorner,
        Self::Tongue,
        Self::TongueMiddle,
        Self::TongueTip,
        Self::LeftInnerBrow,
        Self::LeftOuterBrow,
        Self::RightInnerBrow,
        Self::RightOuterBrow,
    ];

    /// The region of the face that it belongs to.
    pub const fn region(self) -> FaceRegion {
        match self {
            Self::Head | Self::Neck => FaceRegion::Head,
            Self::LeftEye
            | Self::RightEye
            | Self::LeftUpperLid
            | Self::LeftLowerLid
            | Self::RightUpperLid
            | Self::RightLowerLid => FaceRegion::Eyes,
            Self::LeftInnerBrow | Self::LeftOuterBrow | Self::RightInnerBrow | Self::RightOuterBrow => {
                FaceRegion::Brows
            }
            _ => FaceRegion::Mouth,
        }
    }

    /// The channels by which an eye looks to the character's left, to its right, up and down.
    pub const fn gaze(self) -> Option<[FaceChannel; 4]> {
        match self {
            Self::LeftEye => Some([EyeLookOutLeft, EyeLookInLeft, EyeLookUpLeft, EyeLookDownLeft]),
            Self::RightEye => Some([EyeLookInRight, EyeLookOutRight, EyeLookUpRight, EyeLookDownRight]),
            _ => None,
        }
    }

    /// The same part on the other side, for those that have one.
    pub const fn mirrored(self) -> Option<Self> {
        Some(match self {
            Self::LeftEye => Self::RightEye,
            Self::RightEye => Self::LeftEye,
            Self::LeftUpperLid => Self::RightUpperLid,
            Self::RightUpperLid => Self::LeftUpperLid,
            Self::LeftLowerLid => Self::RightLowerLid,
            Self::RightLowerLid => Self::LeftLowerLid,
            Self::LeftUpperLip => Self::RightUpperLip,
            Self::RightUpperLip => Self::LeftUpperLip,
            Self::LeftLowerLip => Self::RightLowerLip,
            Self::RightLowerLip => Self::LeftLowerLip,
            Self::LeftLipCorner => Self::RightLipCorner,
            Self::RightLipCorner => Self::LeftLipCorner,
            Self::LeftInnerBrow => Self::RightInnerBrow,
            Self::RightInnerBrow => Self::LeftInnerBrow,
            Self::LeftOuterBrow => Self::RightOuterBrow,
            Self::RightOuterBrow => Self::LeftOuterBrow,
            _ => return None,
        })
    }

    /// Whether it is on the character's right.
    const fn is_right(self) -> bool {
        matches!(
            self,
            Self::RightEye
                | Self::RightUpperLid
                | Self::RightLowerLid
                | Self::RightUpperLip
                | Self::RightLowerLip
                | Self::RightLipCorner
                | Self::RightInnerBrow
                | Self::RightOuterBrow
        )
    }

    /// How a channel moves it, if a profile says nothing else.
    ///
    /// Turns of the jaw and shifts of lips, lids and brows are those of the skin at these places of the default characters; what
    /// the jaw does to the lips is not in it ([`jaw_share`](Self::jaw_share)).
    pub fn motion(self) -> Vec<JointMotion> {
        if let (true, Some(left)) = (self.is_right(), self.mirrored()) {
            let mirror = |motion: JointMotion| JointMotion {
                channel: mirrored_channel(motion.channel),
                turn: [motion.turn[0], -motion.turn[1], -motion.turn[2]],
                shift: [-motion.shift[0], motion.shift[1], motion.shift[2]],
            };
            return left.motion_of_left().into_iter().map(mirror).collect();
        }
        self.motion_of_left()
    }

    /// How much of the motion of the jaw the skin at this place makes, 0..=1.
    pub const fn jaw_share(self) -> f32 {
        match self {
            Self::UpperLip => 0.03,
            Self::LeftUpperLip | Self::RightUpperLip => 0.14,
            Self::LeftLipCorner | Self::RightLipCorner => 0.42,
            Self::LeftLowerLip | Self::RightLowerLip => 0.8,
            Self::LowerLip | Self::Tongue | Self::TongueMiddle | Self::TongueTip => 1.0,
            _ => 0.0,
        }
    }

    fn motion_of_left(self) -> Vec<JointMotion> {
        match self {
            Self::Jaw => vec![
                turn(JawOpen, [24.5, 0.0, 0.0]),
                JointMotion { channel: JawLeft, turn: [0.0, 4.0, 0.0], shift: [0.06, 0.0, 0.0] },
                JointMotion { channel: JawRight, turn: [0.0, -4.0, 0.0], shift: [-0.06, 0.0, 0.0] },
                shift(JawForward, [0.0, -0.026, 0.146]),
            ],
            Self::LeftUpperLid => vec![
                shift(EyeBlinkLeft, [0.005, -0.2, 0.0]),
                shift(EyeLookDownLeft, [0.0, -0.058, 0.0]),
                shift(EyeLookUpLeft, [0.0, 0.022, 0.0]),
                shift(EyeWideLeft, [0.0, 0.058, 0.0]),
                shift(EyeSquintLeft, [0.0, -0.03, 0.0]),
            ],
            Self::LeftLowerLid => vec![
                shift(EyeBlinkLeft, [0.0, 0.02, 0.0]),
                shift(EyeLookUpLeft, [0.0, 0.041, 0.008]),
                shift(EyeSquintLeft, [0.0, 0.053, 0.025]),
            ],
            Self::UpperLip => vec![
                shift(CheekPuff, [0.0, -0.012, 0.056]),
                shift(MouthClose, [0.0, -0.1, -0.021]),
                shift(MouthFunnel, [0.0, 0.1, 0.064]),
                shift(MouthLeft, [0.146, -0.003, -0.017]),
                shift(MouthPucker, [0.0, 0.023, 0.126]),
                shift(MouthRight, [-0.146, -0.003, -0.017]),
                shift(MouthRollUpper, [0.0, -0.108, -0.147]),
                shift(MouthShrugUpper, [0.0, 0.09, 0.0]),
                shift(MouthSmileLeft, [0.023, 0.023, 0.0]),
                shift(MouthSmileRight, [-0.023, 0.023, 0.0]),
                shift(MouthUpperUpLeft, [0.0, 0.037, 0.0]),
                shift(MouthUpperUpRight, [0.0, 0.037, 0.0]),
            ],
            Self::LeftUpperLip => vec![
                shift(CheekPuff, [-0.03, -0.006, 0.065]),
                shift(MouthClose, [-0.022, -0.041, 0.063]),
                shift(MouthDimpleLeft, [0.052, 0.027, -0.03]),
                shift(MouthFrownLeft, [0.02, -0.04, 0.0]),
                shift(MouthFunnel, [-0.017, -0.011, 0.061]),
                shift(MouthLeft, [0.109, 0.026, -0.064]),
                shift(MouthPressLeft, [0.057, 0.027, 0.007]),
                shift(MouthPucker, [-0.048, 0.006, 0.118]),
                shift(MouthRight, [-0.138, -0.016, 0.008]),
                shift(MouthRollUpper, [-0.003, -0.045, -0.104]),
                shift(MouthShrugUpper, [0.0, 0.052, 0.0]),
                shift(MouthSmileLeft, [0.033, 0.084, -0.021]),
                shift(MouthStretchLeft, [0.05, -0.025, -0.021]),
                shift(MouthUpperUpLeft, [0.036, 0.095, 0.0]),
            ],
            Self::LowerLip => vec![
                shift(CheekPuff, [0.0, 0.0, 0.07]),
                shift(MouthClose, [0.0, 0.472, 0.304]),
                shift(MouthDimpleLeft, [0.022, 0.007, 0.0]),
                shift(MouthDimpleRight, [-0.022, 0.007, 0.0]),
                shift(MouthFunnel, [0.0, -0.128, 0.029]),
                shift(MouthLeft, [0.144, 0.013, -0.024]),
                shift(MouthLowerDownLeft, [0.0, -0.031, 0.011]),
                shift(MouthLowerDownRight, [0.0, -0.031, 0.011]),
                shift(MouthPressLeft, [0.039, 0.036, 0.005]),
                shift(MouthPressRight, [-0.039, 0.036, 0.005]),
                shift(MouthPucker, [0.0, 0.0, 0.126]),
                shift(MouthRight, [-0.144, 0.013, -0.024]),
                shift(MouthRollLower, [0.0, 0.089, -0.033]),
                shift(MouthShrugLower, [0.0, 0.09, 0.066]),
                shift(MouthSmileLeft, [0.039, 0.058, 0.0]),
                shift(MouthSmileRight, [-0.039, 0.058, 0.0]),
            ],
            Self::LeftLowerLip => vec![
                shift(CheekPuff, [-0.029, 0.0, 0.072]),
                shift(MouthClose, [-0.046, 0.352, 0.296]),
                shift(MouthDimpleLeft, [0.057, 0.03, -0.019]),
                shift(MouthFrownLeft, [0.01, -0.028, 0.0]),
                shift(MouthFunnel, [-0.012, -0.018, 0.038]),
                shift(MouthLeft, [0.138, 0.053, -0.067]),
                shift(MouthLowerDownLeft, [0.023, -0.075, 0.009]),
                shift(MouthLowerDownRight, [-0.022, 0.008, 0.003]),
                shift(MouthPressLeft, [0.074, 0.071, 0.005]),
                shift(MouthPucker, [-0.049, -0.002, 0.082]),
                shift(MouthRight, [-0.137, -0.006, 0.003]),
                shift(MouthRollLower, [0.0, 0.045, -0.009]),
                shift(MouthShrugLower, [-0.005, 0.046, 0.032]),
                shift(MouthSmileLeft, [0.065, 0.109, -0.031]),
                shift(MouthSmileRight, [-0.021, 0.027, 0.001]),
                shift(MouthStretchLeft, [0.028, -0.015, -0.019]),
            ],
            Self::LeftLipCorner => vec![
                shift(CheekPuff, [-0.051, -0.003, 0.087]),
                shift(MouthClose, [0.029, 0.13, 0.133]),
                shift(MouthDimpleLeft, [0.09, 0.052, -0.062]),
                shift(MouthFrownLeft, [0.017, -0.088, 0.005]),
                shift(MouthFunnel, [-0.049, 0.002, 0.046]),
                shift(MouthLeft, [0.105, 0.096, -0.103]),
                shift(MouthPressLeft, [0.105, 0.086, -0.003]),
                shift(MouthPucker, [-0.074, -0.003, 0.11]),
                shift(MouthRight, [-0.114, -0.007, 0.067]),
                shift(MouthRollUpper, [0.002, 0.003, -0.02]),
                shift(MouthSmileLeft, [0.127, 0.221, -0.094]),
                shift(MouthStretchLeft, [0.086, -0.041, -0.057]),
                shift(MouthUpperUpLeft, [-0.006, 0.022, 0.003]),
            ],
            Self::Tongue => vec![
                shift(TongueOut, [0.0, 0.0, 0.2]),
                turn(TongueUp, [-10.0, 0.0, 0.0]),
                turn(TongueDown, [10.0, 0.0, 0.0]),
                turn(TongueLeft, [0.0, 12.0, 0.0]),
                turn(TongueRight, [0.0, -12.0, 0.0]),
                shift(TongueIn, [0.0, 0.0, -0.12]),
            ],
            Self::TongueMiddle => vec![
                turn(TongueUp, [-10.0, 0.0, 0.0]),
                turn(TongueDown, [10.0, 0.0, 0.0]),
                turn(TongueRollUp, [-20.0, 0.0, 0.0]),
                turn(TongueRollDown, [20.0, 0.0, 0.0]),
                turn(TongueRollLeft, [0.0, 0.0, -20.0]),
                turn(TongueRollRight, [0.0, 0.0, 20.0]),
                shift(TongueStretch, [0.0, 0.0, 0.08]),
            ],
            Self::TongueTip => vec![
                turn(TongueTipUp, [-30.0, 0.0, 0.0]),
                turn(TongueTipDown, [30.0, 0.0, 0.0]),
                turn(TongueTipLeft, [0.0, 25.0, 0.0]),
                turn(TongueTipRight, [0.0, -25.0, 0.0]),
            ],
            Self::LeftInnerBrow => vec![
                shift(BrowDownLeft, [-0.058, -0.071, 0.025]),
                shift(BrowInnerUp, [-0.003, 0.07, 0.002]),
                shift(NoseSneerLeft, [-0.035, -0.056, 0.009]),
            ],
            Self::LeftOuterBrow => vec![
                shift(BrowDownLeft, [-0.03, -0.086, 0.018]),
                shift(BrowInnerUp, [0.0, 0.026, 0.0]),
                shift(BrowOuterUpLeft, [0.001, 0.06, -0.017]),
                shift(NoseSneerLeft, [-0.016, -0.026, 0.001]),
            ],
            // These follow the rigid parts of the pose.
            _ => Vec::new(),
        }
    }
}

/// The same channel on the other side.
fn mirrored_channel(channel: FaceChannel) -> FaceChannel {
    let name = channel.name();
    let other = if let Some(stem) = name.strip_suffix("Left") {
        format!("{stem}Right")
    } else if let Some(stem) = name.strip_suffix("Right") {
        format!("{stem}Left")
    } else {
        return channel;
    };
    FaceChannel::from_name(&other).unwrap_or(channel)
}

impl fmt::Display for Joint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}");
        for (index, letter) in name.char_indices() {
            if index > 0 && letter.is_uppercase() {
                f.write_str(" ")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_side_mirrors_the_left() {
        for joint in Joint::ALL {
            let Some(other) = joint.mirrored() else { continue };
            assert_eq!(other.mirrored(), Some(joint));
            let (motion, mirror) = (joint.motion(), other.motion());
            assert_eq!(motion.len(), mirror.len());
            for (a, b) in motion.iter().zip(&mirror) {
                assert_eq!(mirrored_channel(a.channel), b.channel);
                assert_eq!(a.shift.map(f32::abs), b.shift.map(f32::abs));
                assert_eq!((a.shift[0], a.shift[1]), (-b.shift[0], b.shift[1]), "{joint} {}", a.channel);
            }
        }
        assert_eq!(Joint::LeftUpperLid.to_string(), "left upper lid");
    }
}

//! The 68 named channels of a face.

macro_rules! channels {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One scalar degree of freedom of a face: the 52 ARKit blend shapes followed by the 16 tongue shapes.
        ///
        /// Names and order are those of the Audio2Face-3D bundles (skin shapes first, tongue shapes last). The
        /// discriminant is the index into [`FacePose::weights`](super::FacePose::weights). Left and right are the
        /// character's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the variants are the shape names of ARKit and Audio2Face-3D themselves")]
        pub enum FaceChannel { $(#[serde(rename = $name)] $variant),+ }

        impl FaceChannel {
            /// Every channel in order.
            pub const ALL: [Self; CHANNEL_COUNT] = [$(Self::$variant),+];

            /// The name in Apple's spelling (`jawOpen`); tongue shapes in the same style (`tongueTipUp`).
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The channel of exactly this name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// How many channels a face has: 52 ARKit shapes and 16 tongue shapes.
pub const CHANNEL_COUNT: usize = 68;
/// How many of them are ARKit blend shapes; they come first.
pub const ARKIT_COUNT: usize = 52;

channels! {
    EyeBlinkLeft = "eyeBlinkLeft", EyeLookDownLeft = "eyeLookDownLeft", EyeLookInLeft = "eyeLookInLeft",
    EyeLookOutLeft = "eyeLookOutLeft", EyeLookUpLeft = "eyeLookUpLeft", EyeSquintLeft = "eyeSquintLeft",
    EyeWideLeft = "eyeWideLeft", EyeBlinkRight = "eyeBlinkRight", EyeLookDownRight = "eyeLookDownRight",
    EyeLookInRight = "eyeLookInRight", EyeLookOutRight = "eyeLookOutRight", EyeLookUpRight = "eyeLookUpRight",
    EyeSquintRight = "eyeSquintRight", EyeWideRight = "eyeWideRight", JawForward = "jawForward",
    JawLeft = "jawLeft", JawRight = "jawRight", JawOpen = "jawOpen", MouthClose = "mouthClose",
    MouthFunnel = "mouthFunnel", MouthPucker = "mouthPucker", MouthLeft = "mouthLeft", MouthRight = "mouthRight",
    MouthSmileLeft = "mouthSmileLeft", MouthSmileRight = "mouthSmileRight", MouthFrownLeft = "mouthFrownLeft",
    MouthFrownRight = "mouthFrownRight", MouthDimpleLeft = "mouthDimpleLeft", MouthDimpleRight = "mouthDimpleRight",
    MouthStretchLeft = "mouthStretchLeft", MouthStretchRight = "mouthStretchRight", MouthRollLower = "mouthRollLower",
    MouthRollUpper = "mouthRollUpper", MouthShrugLower = "mouthShrugLower", MouthShrugUpper = "mouthShrugUpper",
    MouthPressLeft = "mouthPressLeft", MouthPressRight = "mouthPressRight", MouthLowerDownLeft = "mouthLowerDownLeft",
    MouthLowerDownRight = "mouthLowerDownRight", MouthUpperUpLeft = "mouthUpperUpLeft",
    MouthUpperUpRight = "mouthUpperUpRight", BrowDownLeft = "browDownLeft", BrowDownRight = "browDownRight",
    BrowInnerUp = "browInnerUp", BrowOuterUpLeft = "browOuterUpLeft", BrowOuterUpRight = "browOuterUpRight",
    CheekPuff = "cheekPuff", CheekSquintLeft = "cheekSquintLeft", CheekSquintRight = "cheekSquintRight",
    NoseSneerLeft = "noseSneerLeft", NoseSneerRight = "noseSneerRight", TongueOut = "tongueOut",
    TongueTipUp = "tongueTipUp", TongueTipDown = "tongueTipDown", TongueTipLeft = "tongueTipLeft",
    TongueTipRight = "tongueTipRight", TongueRollUp = "tongueRollUp", TongueRollDown = "tongueRollDown",
    TongueRollLeft = "tongueRollLeft", TongueRollRight = "tongueRollRight", TongueUp = "tongueUp",
    TongueDown = "tongueDown", TongueLeft = "tongueLeft", TongueRight = "tongueRight", TongueIn = "tongueIn",
    TongueStretch = "tongueStretch", TongueWide = "tongueWide", TongueNarrow = "tongueNarrow",
}

/// A part of the face that one authority can have at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum FaceRegion {
    /// Jaw, lips and tongue, and what they take along: cheeks and nose.
    Mouth,
    /// Lids and gaze.
    Eyes,
    /// The brows.
    Brows,
    /// The head on its neck. It has no channels, only a rotation.
    Head,
}

impl FaceRegion {
    /// All regions.
    pub const ALL: [Self; 4] = [Self::Mouth, Self::Eyes, Self::Brows, Self::Head];
}

impl core::fmt::Display for FaceRegion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Mouth => "mouth",
            Self::Eyes => "eyes",
            Self::Brows => "brows",
            Self::Head => "head",
        })
    }
}

impl FaceChannel {
    /// The part of the face that it moves.
    pub const fn region(self) -> FaceRegion {
        match self.index() {
            0..=13 => FaceRegion::Eyes,
            41..=45 => FaceRegion::Brows,
            _ => FaceRegion::Mouth,
        }
    }

    /// Index into [`FacePose::weights`](super::FacePose::weights).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether the channel moves brows, lids or gaze rather than what lies below the eyes.
    pub const fn is_upper_face(self) -> bool {
        matches!(self.region(), FaceRegion::Eyes | FaceRegion::Brows)
    }

    /// Whether this is one of the 16 tongue shapes.
    pub const fn is_tongue_shape(self) -> bool {
        self.index() >= ARKIT_COUNT
    }
}

impl core::fmt::Display for FaceChannel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_official_bundles() {
        let at = |i: usize| FaceChannel::ALL[i].name();
        assert_eq!(
            [at(0), at(7), at(14), at(17), at(23), at(38), at(43), at(51), at(52), at(67)],
            [
                "eyeBlinkLeft",
                "eyeBlinkRight",
                "jawForward",
                "jawOpen",
                "mouthSmileLeft",
                "mouthLowerDownRight",
                "browInnerUp",
                "tongueOut",
                "tongueTipUp",
                "tongueNarrow"
            ]
        );
    }

    #[test]
    fn the_upper_face_is_eyes_and_brows() {
        for channel in FaceChannel::ALL {
            let name = channel.name();
            assert_eq!(channel.is_upper_face(), name.starts_with("eye") || name.starts_with("brow"), "{name}");
        }
    }

    #[test]
    fn names_and_indices_round_trip() {
        for (index, channel) in FaceChannel::ALL.into_iter().enumerate() {
            assert_eq!(channel.index(), index);
            assert_eq!(FaceChannel::from_name(channel.name()), Some(channel));
        }
        assert_eq!(FaceChannel::from_name("JawOpen"), None);
    }
}

//! Joints of a face and the names rigs give them.

use core::fmt;

/// A joint that a face can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Joint {
    /// The hinge of the lower jaw. Driven only where the rig has no `jawOpen` shape.
    Jaw,
    /// The character's left eye. Driven only where the rig lacks the `eyeLook` shapes.
    LeftEye,
    /// The character's right eye, likewise.
    RightEye,
    /// The head on its neck.
    Head,
}

impl Joint {
    /// All joints.
    pub const ALL: [Self; 4] = [Self::Jaw, Self::LeftEye, Self::RightEye, Self::Head];

    /// Names that are taken for this joint, best first: exactly these, letter case included.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Jaw => &["jaw", "Jaw", "JawRoot", "jaw_master", "mixamorig:Jaw", "CC_Base_JawRoot", "J_Bip_C_Jaw"],
            Self::LeftEye => {
                &["eye_L", "eye.L", "LeftEye", "Eye_L", "lEye", "mixamorig:LeftEye", "CC_Base_L_Eye", "J_Adj_L_FaceEye"]
            }
            Self::RightEye => &[
                "eye_R",
                "eye.R",
                "RightEye",
                "Eye_R",
                "rEye",
                "mixamorig:RightEye",
                "CC_Base_R_Eye",
                "J_Adj_R_FaceEye",
            ],
            Self::Head => &["head", "Head", "mixamorig:Head", "CC_Base_Head", "J_Bip_C_Head"],
        }
    }

    /// The joint a name stands for and how good the name is (0 is best).
    pub fn from_name(name: &str) -> Option<(Self, usize)> {
        Self::ALL.into_iter().find_map(|joint| Some((joint, joint.names().iter().position(|known| *known == name)?)))
    }
}

impl fmt::Display for Joint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jaw => "jaw",
            Self::LeftEye => "left eye",
            Self::RightEye => "right eye",
            Self::Head => "head",
        })
    }
}

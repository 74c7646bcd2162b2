//! Matching the names of blend shapes.

use crate::animation::FaceChannel;

/// How the name of a shape was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeMatch {
    /// The name is exactly the channel's.
    Exact(FaceChannel),
    /// The same name in another notation: letter case, marks between the words (`_`, `-`, `.`, blank), or `L` and `R` behind
    /// a mark for the side.
    Respelled(FaceChannel),
    /// No channel has this name.
    Unknown,
}

impl ShapeMatch {
    /// The channel that was recognised.
    pub fn channel(self) -> Option<FaceChannel> {
        match self {
            Self::Exact(channel) | Self::Respelled(channel) => Some(channel),
            Self::Unknown => None,
        }
    }
}

/// Recognises the name of a shape: the whole name, never a part of it (`mouth` inside `mouthwash_closed` binds nothing).
pub fn match_shape(name: &str) -> ShapeMatch {
    if let Some(channel) = FaceChannel::from_name(name) {
        return ShapeMatch::Exact(channel);
    }
    let name = name.trim();
    let sided = |letter: char, word: &str| {
        let stem = name.strip_suffix([letter, letter.to_ascii_lowercase()])?.strip_suffix(MARKS)?;
        Some(format!("{stem}{word}"))
    };
    let spelled = sided('L', "Left").or_else(|| sided('R', "Right")).unwrap_or_else(|| name.to_owned());
    let plain = || spelled.chars().filter(|c| !MARKS.contains(c)).flat_map(char::to_lowercase);
    FaceChannel::ALL
        .into_iter()
        .find(|channel| plain().eq(channel.name().chars().flat_map(char::to_lowercase)))
        .map_or(ShapeMatch::Unknown, ShapeMatch::Respelled)
}

/// What stands between the words of a name.
const MARKS: [char; 4] = ['_', '-', '.', ' '];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_the_same_name_are_recognised() {
        use FaceChannel::{EyeBlinkLeft, JawOpen, MouthSmileRight};
        assert_eq!(match_shape("jawOpen"), ShapeMatch::Exact(JawOpen));
        for (name, channel) in [
            ("JawOpen", JawOpen),
            ("jaw_open", JawOpen),
            ("JAWOPEN", JawOpen),
            ("eyeBlink_L", EyeBlinkLeft),
            ("EyeBlink_Left", EyeBlinkLeft),
            ("eyeblink_l", EyeBlinkLeft),
            ("mouthSmile_R", MouthSmileRight),
            ("MouthSmile.r", MouthSmileRight),
            ("mouth smile-right", MouthSmileRight),
            (" Jaw Open", JawOpen),
        ] {
            assert_eq!(match_shape(name), ShapeMatch::Respelled(channel), "{name}");
        }
    }

    #[test]
    fn parts_of_names_never_bind() {
        for name in
            ["jaw", "open", "myJawOpen", "jawOpen2", "eyeBlink", "mouth", "", "_L", ".", "jaw!Open", "Fcl_EYE_Close"]
        {
            assert_eq!(match_shape(name), ShapeMatch::Unknown, "{name:?}");
        }
    }
}

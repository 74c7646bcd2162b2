//! Where every phone of English wants the articulators.
//!
//! Units are those of the face channels, 0..=1. The jaw follows vowel height (AA 0.55, IY 0.12: a wide jaw looks like
//! shouting), lips follow the usual viseme descriptions: P. Ladefoged, K. Johnson, "A Course in Phonetics", chapters 1
//! and 4.

use super::Motion;
use Motion as M;

/// Every phone that has a name; the first is silence.
pub const PHONES: &[&str] = &[
    "SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY",
    "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
];

/// R after a vowel colours it and leaves it its jaw: it is made by the tongue, and rounds less than before a vowel
/// (P. Zawadzki, D. Kuehn, "A cineradiographic study of static and dynamic aspects of American English /r/", Phonetica
/// 37(4), 1980).
pub(super) const AFTER_VOWEL_R: &str = "R after a vowel";

/// Index into [`PHONES`] of a symbol; unknown ones are silence.
pub fn phone_index(symbol: &str) -> usize {
    PHONES.iter().position(|phone| *phone == symbol).unwrap_or(0)
}

/// Articulators that share one dominance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Jaw,
    Rounding,
    Lips,
    Tongue,
}

/// The wishes of one phone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Articulation {
    targets: &'static [(Motion, f32)],
    strengths: [f32; Self::GROUPS],
    /// Whether the lips are held together.
    pub closes_lips: bool,
    /// Whether nobody speaks.
    pub is_silence: bool,
    /// Whether it is a vowel.
    pub is_vowel: bool,
}

impl Articulation {
    /// Groups of articulators with a dominance of their own.
    pub const GROUPS: usize = 4;

    /// Motions that are wanted, with how far; all others are wanted at rest.
    pub fn targets(&self) -> impl Iterator<Item = (Motion, f32)> {
        self.targets.iter().copied()
    }

    pub(super) fn strength(&self, group: Group) -> f32 {
        self.strengths[group as usize]
    }

    /// Index of the group that a motion belongs to.
    pub fn group(motion: Motion) -> usize {
        (match motion {
            M::JawOpen | M::JawForward | M::Close => Group::Jaw,
            M::Funnel | M::Pucker => Group::Rounding,
            M::TongueOut
            | M::TipUp
            | M::TipDown
            | M::RollUp
            | M::TongueUp
            | M::TongueDown
            | M::TongueIn
            | M::TongueWide
            | M::TongueNarrow => Group::Tongue,
            _ => Group::Lips,
        }) as usize
    }
}

/// The wishes of a phone; unknown symbols want silence.
pub(super) fn articulation(symbol: &str) -> Articulation {
    // Strengths: jaw, rounding, lips, tongue.
    let (targets, strengths): (&'static [(Motion, f32)], [f32; 4]) = match symbol {
        "AA" => (
            &[(M::JawOpen, 0.55), (M::LowerDown, 0.2), (M::UpperUp, 0.08), (M::TongueDown, 0.5), (M::TongueIn, 0.25)],
            [1.3, 0.8, 0.9, 0.8],
        ),
        "AE" => (
            &[
                (M::JawOpen, 0.52),
                (M::Stretch, 0.25),
                (M::Smile, 0.12),
                (M::LowerDown, 0.25),
                (M::UpperUp, 0.12),
                (M::TongueDown, 0.35),
                (M::TongueWide, 0.2),
                (M::TipDown, 0.2),
            ],
            [1.3, 1.2, 0.9, 0.8],
        ),
        "AH" => {
            (&[(M::JawOpen, 0.4), (M::LowerDown, 0.16), (M::UpperUp, 0.06), (M::TongueDown, 0.2)], [1.2, 0.7, 0.7, 0.6])
        }
        "AO" => (
            &[
                (M::JawOpen, 0.44),
                (M::Funnel, 0.38),
                (M::Pucker, 0.25),
                (M::LowerDown, 0.1),
                (M::TongueDown, 0.35),
                (M::TongueIn, 0.35),
                (M::TongueNarrow, 0.2),
            ],
            [1.3, 1.4, 0.9, 0.8],
        ),
        "EH" => (
            &[
                (M::JawOpen, 0.33),
                (M::Stretch, 0.3),
                (M::Smile, 0.12),
                (M::LowerDown, 0.2),
                (M::UpperUp, 0.1),
                (M::TongueWide, 0.2),
                (M::TipDown, 0.15),
            ],
            [1.3, 1.2, 0.9, 0.8],
        ),
        "ER" => (
            &[
                (M::JawOpen, 0.21),
                (M::Funnel, 0.18),
                (M::Pucker, 0.22),
                (M::RollUp, 0.5),
                (M::TongueUp, 0.25),
                (M::TongueIn, 0.2),
            ],
            [1.2, 0.9, 0.8, 1.0],
        ),
        "EY" => (
            &[
                (M::JawOpen, 0.28),
                (M::Stretch, 0.35),
                (M::Smile, 0.18),
                (M::LowerDown, 0.18),
                (M::UpperUp, 0.1),
                (M::TongueUp, 0.25),
                (M::TongueWide, 0.25),
            ],
            [1.3, 1.2, 0.9, 0.8],
        ),
        "IH" => (
            &[
                (M::JawOpen, 0.19),
                (M::Stretch, 0.3),
                (M::Smile, 0.12),
                (M::LowerDown, 0.12),
                (M::UpperUp, 0.06),
                (M::TongueUp, 0.35),
                (M::TongueWide, 0.25),
            ],
            [1.2, 1.1, 0.8, 0.8],
        ),
        "IY" => (
            &[
                (M::JawOpen, 0.12),
                (M::Stretch, 0.42),
                (M::Smile, 0.28),
                (M::Dimple, 0.18),
                (M::LowerDown, 0.12),
                (M::UpperUp, 0.08),
                (M::CheekSquint, 0.12),
                (M::TongueUp, 0.5),
                (M::TongueWide, 0.4),
                (M::TipDown, 0.2),
            ],
            [1.3, 1.3, 1.0, 0.9],
        ),
        "OW" => (
            &[(M::JawOpen, 0.26), (M::Funnel, 0.38), (M::Pucker, 0.42), (M::TongueIn, 0.3), (M::TongueNarrow, 0.2)],
            [1.3, 1.5, 0.9, 0.8],
        ),
        "UH" => (
            &[(M::JawOpen, 0.15), (M::Funnel, 0.28), (M::Pucker, 0.42), (M::TongueUp, 0.2), (M::TongueIn, 0.3)],
            [1.2, 1.4, 0.8, 0.8],
        ),
        "UW" => (
            &[
                (M::JawOpen, 0.08),
                (M::Funnel, 0.2),
                (M::Pucker, 0.72),
                (M::TongueUp, 0.3),
                (M::TongueIn, 0.4),
                (M::TongueNarrow, 0.3),
            ],
            [1.3, 1.5, 1.0, 0.8],
        ),
        "P" | "B" => (
            &[
                (M::JawOpen, 0.08),
                (M::Press, 0.36),
                (M::RollLower, 0.2),
                (M::RollUpper, 0.16),
                (M::ShrugLower, 0.1),
                (M::CheekPuff, 0.14),
            ],
            [1.4, 0.15, 1.8, 0.1],
        ),
        "M" => (
            &[
                (M::JawOpen, 0.08),
                (M::Press, 0.32),
                (M::RollLower, 0.24),
                (M::RollUpper, 0.18),
                (M::ShrugLower, 0.12),
                (M::ShrugUpper, 0.06),
            ],
            [1.4, 0.15, 1.8, 0.1],
        ),
        "F" | "V" => (
            &[(M::JawOpen, 0.11), (M::RollLower, 0.6), (M::UpperUp, 0.4), (M::ShrugLower, 0.12)],
            [1.4, 0.25, 1.9, 0.1],
        ),
        "S" | "Z" => (
            &[
                (M::JawOpen, 0.05),
                (M::Stretch, 0.28),
                (M::Smile, 0.12),
                (M::LowerDown, 0.28),
                (M::UpperUp, 0.14),
                (M::TipUp, 0.35),
                (M::TongueUp, 0.2),
            ],
            [1.4, 0.9, 1.1, 1.5],
        ),
        "SH" | "ZH" | "CH" | "JH" => (
            &[
                (M::JawOpen, 0.06),
                (M::JawForward, 0.14),
                (M::Funnel, 0.36),
                (M::Pucker, 0.38),
                (M::LowerDown, 0.18),
                (M::UpperUp, 0.14),
                (M::TipUp, 0.3),
                (M::TongueUp, 0.4),
            ],
            [1.4, 1.5, 1.1, 1.5],
        ),
        "TH" | "DH" => (
            &[(M::JawOpen, 0.11), (M::LowerDown, 0.16), (M::UpperUp, 0.06), (M::TongueOut, 0.25), (M::TipUp, 0.2)],
            [0.9, 0.15, 0.7, 1.7],
        ),
        "T" | "D" => (
            &[(M::JawOpen, 0.1), (M::LowerDown, 0.14), (M::UpperUp, 0.05), (M::Stretch, 0.1), (M::TipUp, 0.8)],
            [0.7, 0.12, 0.45, 1.6],
        ),
        "N" => (&[(M::JawOpen, 0.11), (M::LowerDown, 0.12), (M::TipUp, 0.8)], [0.6, 0.12, 0.4, 1.6]),
        "L" => (
            &[(M::JawOpen, 0.17), (M::LowerDown, 0.1), (M::TipUp, 0.85), (M::TongueNarrow, 0.2)],
            [0.5, 0.15, 0.4, 1.6],
        ),
        "R" => (
            &[(M::JawOpen, 0.13), (M::Funnel, 0.2), (M::Pucker, 0.4), (M::RollUp, 0.6), (M::TongueIn, 0.3)],
            [0.8, 1.0, 0.7, 1.5],
        ),
        AFTER_VOWEL_R => (
            &[(M::JawOpen, 0.2), (M::Funnel, 0.2), (M::Pucker, 0.36), (M::RollUp, 0.6), (M::TongueIn, 0.3)],
            [0.2, 0.7, 0.3, 1.5],
        ),
        "W" => (
            &[(M::JawOpen, 0.06), (M::Funnel, 0.15), (M::Pucker, 0.8), (M::TongueUp, 0.3), (M::TongueIn, 0.3)],
            [1.2, 1.7, 1.1, 0.9],
        ),
        "Y" => (
            &[(M::JawOpen, 0.1), (M::Stretch, 0.32), (M::Smile, 0.2), (M::TongueUp, 0.6), (M::TongueWide, 0.3)],
            [0.8, 0.5, 0.7, 1.3],
        ),
        "K" | "G" | "NG" => (
            &[(M::JawOpen, 0.16), (M::LowerDown, 0.08), (M::TongueUp, 0.8), (M::TongueIn, 0.35), (M::TipDown, 0.2)],
            [0.45, 0.12, 0.35, 1.6],
        ),
        "HH" => (&[], [0.0; 4]),
        _ => (&[], [1.2, 0.8, 1.0, 0.7]),
    };
    let is_vowel = matches!(symbol, "AA" | "AE" | "AH" | "AO" | "EH" | "ER" | "EY" | "IH" | "IY" | "OW" | "UH" | "UW");
    Articulation {
        targets,
        strengths,
        closes_lips: matches!(symbol, "P" | "B" | "M"),
        is_silence: targets.is_empty() && symbol != "HH",
        is_vowel,
    }
}

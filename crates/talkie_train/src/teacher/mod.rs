//! The teacher: what a face does while given phones are spoken.
//!
//! Every phone wants some articulators in some place (`targets`); how much it insists, and over how long a time, is its
//! dominance. The pose at a moment is the mean of all wishes weighted by their dominance there, which makes phones shade
//! into each other (coarticulation) and lips round before the vowel that needs them:
//!
//! - M. M. Cohen, D. W. Massaro, "Modeling coarticulation in synthetic visual speech", in Models and Techniques in
//!   Computer Animation, Springer 1993, pp. 139-156: targets blended by dominance functions `a exp(-theta |t|^c)`.
//! - A. Löfqvist, "Speech as audible gestures", in Speech Production and Speech Modelling, Kluwer 1990: the idea behind.
//! - F. Bell-Berti, K. S. Harris, "Temporal patterns of coarticulation: lip rounding", JASA 71(2), 1982: rounding starts
//!   a fixed time before its vowel.
//!
//! Full closures are not blended but held: while the lips of P, B, M are together, `mouthClose` equals `jawOpen`, which is
//! how ARKit shuts a mouth whose jaw hangs open, and whatever else parts the lips ([`Motion::parts_lips`]) is at rest: on a
//! mesh, `mouthFunnel` alone opens lips by more than a centimetre.
//!
//! Loud vowels open wider and soft ones less (B. Lindblom, "Explaining phonetic variation: a sketch of the H&H theory",
//! 1990; J. Huber, B. Chandrasekaran, "Effects of increasing sound pressure level on lip and jaw movement", JSLHR 49(6),
//! 2006), and brows rise with accents: see [`Prosody`]. Blinks and nods are not taught: a network answers with the mean of
//! what may happen, and the mean of a blink and none is a half-shut eye. They are made while the face is shown.

mod dominance;
mod prosody;
mod targets;
#[cfg(test)]
mod tests;

use talkie::animation::FaceChannel;
use talkie::metrics::Phone;

use dominance::{Segment, segments};
pub use prosody::{Prosody, is_vowel};
pub use targets::{Articulation, PHONES, phone_index};

macro_rules! motions {
    ($($variant:ident => [$($channel:ident),+]),+ $(,)?) => {
        /// One movement of the face that speech makes; those with two sides move both alike.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the face channel of its name, both sides together")]
        pub enum Motion { $($variant),+ }

        impl Motion {
            /// Every motion, in the order of the network's outputs.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The channels of the face that it moves.
            pub const fn channels(self) -> &'static [FaceChannel] {
                match self { $(Self::$variant => &[$(FaceChannel::$channel),+]),+ }
            }
        }
    };
}

motions! {
    JawOpen => [JawOpen],
    JawForward => [JawForward],
    Close => [MouthClose],
    Funnel => [MouthFunnel],
    Pucker => [MouthPucker],
    Smile => [MouthSmileLeft, MouthSmileRight],
    Dimple => [MouthDimpleLeft, MouthDimpleRight],
    Stretch => [MouthStretchLeft, MouthStretchRight],
    RollLower => [MouthRollLower],
    RollUpper => [MouthRollUpper],
    ShrugLower => [MouthShrugLower],
    ShrugUpper => [MouthShrugUpper],
    Press => [MouthPressLeft, MouthPressRight],
    LowerDown => [MouthLowerDownLeft, MouthLowerDownRight],
    UpperUp => [MouthUpperUpLeft, MouthUpperUpRight],
    CheekPuff => [CheekPuff],
    CheekSquint => [CheekSquintLeft, CheekSquintRight],
    TongueOut => [TongueOut],
    TipUp => [TongueTipUp],
    TipDown => [TongueTipDown],
    RollUp => [TongueRollUp],
    TongueUp => [TongueUp],
    TongueDown => [TongueDown],
    TongueIn => [TongueIn],
    TongueWide => [TongueWide],
    TongueNarrow => [TongueNarrow],
    BrowUp => [BrowInnerUp, BrowOuterUpLeft, BrowOuterUpRight],
}

impl Motion {
    /// Whether it opens the lips whatever the jaw does; closed lips do not allow it.
    pub const fn parts_lips(self) -> bool {
        matches!(self, Self::Funnel | Self::LowerDown | Self::UpperUp)
    }
}

/// How many motions there are.
pub const MOTIONS: usize = Motion::ALL.len();

/// A pose of the teacher.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesson {
    /// Values of [`Motion::ALL`], 0..=1.
    pub motions: [f32; MOTIONS],
    /// How far the lips are held together, 0..=1.
    pub closure: f32,
    /// How much of the moment is silence, 0..=1.
    pub silence: f32,
}

impl Lesson {
    /// The face at rest.
    pub const REST: Self = Self { motions: [0.0; MOTIONS], closure: 0.0, silence: 1.0 };

    /// The value of one motion.
    pub fn motion(&self, motion: Motion) -> f32 {
        self.motions[motion as usize]
    }
}

/// Knows the phones of an utterance and says how the face stands at any moment of it.
#[derive(Debug, Clone)]
pub struct Teacher {
    segments: Vec<Segment>,
}

/// Beyond this distance a phone has no say, in seconds.
const REACH: f64 = 0.5;
/// The lips take this long to meet and to part, in seconds.
const LIP_TRAVEL: f64 = 0.05;

impl Teacher {
    /// A teacher for phones in order of time (ARPAbet without stress, `SIL` for silence). Unknown symbols are silent.
    pub fn new(phones: &[Phone]) -> Self {
        Self { segments: segments(phones.iter().map(|phone| (phone, Prosody::PLAIN))) }
    }

    /// A teacher for phones with the prosody of each.
    pub fn with_prosody(phones: &[(Phone, Prosody)]) -> Self {
        Self { segments: segments(phones.iter().map(|(phone, prosody)| (phone, *prosody))) }
    }

    /// The pose at a time in seconds; at rest far from every phone.
    pub fn at(&self, time: f64) -> Lesson {
        let from = self.segments.partition_point(|segment| segment.end < time - REACH);
        let near = self.segments[from..].iter().take_while(|segment| segment.start < time + REACH);
        let mut sums = [0.0f32; MOTIONS];
        let mut weights = [1e-3f32; Articulation::GROUPS];
        let (mut closure, mut silence, mut speech, mut brow) = (0.0f32, 1e-3f32, 0.0f32, 0.0f32);
        for segment in near {
            let dominance = segment.dominance(time);
            for (motion, target) in segment.articulation.targets() {
                sums[motion as usize] += dominance[Articulation::group(motion)] * target * segment.scale(motion);
            }
            weights.iter_mut().zip(dominance).for_each(|(sum, weight)| *sum += weight);
            if segment.articulation.closes_lips {
                closure = closure.max(segment.hold(time, LIP_TRAVEL));
            }
            brow = brow.max(segment.brow(time));
            if segment.articulation.is_silence {
                silence += dominance[0];
            } else {
                speech += dominance[0];
            }
        }
        let mut motions = sums;
        for motion in Motion::ALL {
            let value = &mut motions[*motion as usize];
            *value = (*value / weights[Articulation::group(*motion)]).clamp(0.0, 1.0);
        }
        for motion in Motion::ALL.iter().filter(|motion| motion.parts_lips()) {
            motions[*motion as usize] *= 1.0 - closure;
        }
        motions[Motion::BrowUp as usize] = brow;
        motions[Motion::Close as usize] = closure * motions[Motion::JawOpen as usize];
        Lesson { motions, closure, silence: silence / (silence + speech) }
    }

    /// Poses at `first`, `first + step`, ..: `count` of them.
    pub fn curve(&self, first: f64, step: f64, count: usize) -> Vec<Lesson> {
        (0..count).map(|index| self.at(first + index as f64 * step)).collect()
    }
}

//! What a microphone makes of speech: noise, a telephone, a room.
//!
//! A face that follows a recording in a quiet studio may lose it anywhere else. A [`Condition`] makes the same recording
//! sound as it would there, always in the same way for the same clip, and keeps every sound where it is in time, so that
//! the same [`Alignment`](super::Alignment) holds.

mod noise;
mod phone;
mod room;
#[cfg(test)]
mod tests;

use core::fmt;

use crate::audio::SAMPLE_RATE;

/// Under what circumstances speech is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Condition {
    /// As it was recorded.
    Clean,
    /// Pink noise, 10 dB below the active speech level (ITU-T P.56).
    Noise,
    /// Only 300 to 3400 Hz, the band of a telephone: fourth-order Butterworth filters at both ends.
    Phone,
    /// A room with a decay time (RT60) of 0.5 s, the direct sound 3 dB above the reverberation.
    Room,
}

impl Condition {
    /// All of them, [`Clean`](Self::Clean) first.
    pub const ALL: [Self; 4] = [Self::Clean, Self::Noise, Self::Phone, Self::Room];

    /// How it is called in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Noise => "noise",
            Self::Phone => "phone",
            Self::Room => "room",
        }
    }

    /// What is heard of `speech` (mono at [`SAMPLE_RATE`]). It is as long, and every sound is where it was. Noise and rooms
    /// are drawn from `clip`, its name: another clip has others, the same clip has the same on every machine.
    pub fn apply(self, speech: &[f32], clip: &str) -> Vec<f32> {
        let mut random = Random::new(clip);
        match self {
            Self::Clean => speech.to_vec(),
            Self::Noise => noise::add(speech, &mut random),
            Self::Phone => phone::filter(speech),
            Self::Room => room::reverberate(speech, &room::response(&mut random)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const RATE: f64 = SAMPLE_RATE as f64;

/// A small repeatable source of numbers (splitmix64 of S. Vigna), seeded by a text (FNV-1a).
struct Random(u64);

impl Random {
    fn new(seed: &str) -> Self {
        Self(
            seed.bytes()
                .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)),
        )
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    /// Standard normal, good enough for sound: the sum of four uniform numbers.
    fn normal(&mut self) -> f64 {
        ((0..4).map(|_| self.unit()).sum::<f64>() - 2.0) * 3f64.sqrt()
    }
}

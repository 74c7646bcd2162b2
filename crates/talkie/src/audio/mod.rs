//! Sound on its way to a network: decoding, microphones, resampling to 16 kHz mono, and the feed of one speech.

mod accumulator;
mod decode;
mod feed;
mod resample;
mod voice;

pub use accumulator::{AccumulatorError, AudioAccumulator, Received};
pub use decode::{AudioClip, AudioReader, DecodeError};
pub use feed::SpeechFeed;
pub use resample::{FormatError, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SpeechResampler};
pub use voice::{
    AutomaticGain, AutomaticGainSettings, GateSettings, Level, LevelMeter, NoiseGate, VoiceInput, VoiceInputError,
    VoiceInputSettings,
};

/// The rate every network of this crate hears at, in samples per second. All sample indices count at this rate.
pub const SAMPLE_RATE: u32 = 16_000;

/// Makes a sample safe to compute with: what is not a number counts as silence, what is absurdly loud is limited.
///
/// The limit of ±16 is 24 dB above full scale: sound that hot is distorted but still speech, and anything beyond it can
/// only be a fault of the source.
#[inline]
pub(crate) fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-16.0, 16.0) } else { 0.0 }
}

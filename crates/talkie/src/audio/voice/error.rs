//! What a voice input refuses.

use core::ops::RangeInclusive;

use crate::audio::FormatError;

/// A voice input that cannot be set up as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VoiceInputError {
    /// The rate is outside what makes sense.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A setting is not a number or outside its range.
    #[error("{name} is {value}; expected {minimum}..={maximum}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What it was to be.
        value: f32,
        /// The least that is allowed.
        minimum: f32,
        /// The most that is allowed.
        maximum: f32,
    },
}

pub(super) fn check_range(name: &'static str, value: f32, range: RangeInclusive<f32>) -> Result<(), VoiceInputError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(VoiceInputError::Setting { name, value, minimum: *range.start(), maximum: *range.end() })
}

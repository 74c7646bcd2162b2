//! Brings every voice to the same loudness.

use serde::{Deserialize, Serialize};

use super::VoiceInputError;
use super::error::check_range;
use super::level::{BlockPower, factor, power_db, share};
use crate::audio::{resample::check_format, sane};

/// How long a voice is listened to for its loudness, in seconds of speech: about two syllables.
const INTEGRATION: f32 = 0.4;
/// Amplitude from which samples are bent so that none goes beyond 1.
const KNEE: f32 = 0.9;

/// How an [`AutomaticGain`] brings a voice to its loudness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutomaticGainSettings {
    /// The loudness that speech shall have: root mean square in dBFS. Default -20, range -60..=-3.
    pub target_db: f32,
    /// The most that quiet voices are raised, in dB. Default 24, range 0..=60.
    pub max_gain_db: f32,
    /// The most that loud voices are lowered, in dB. Default -12, range -60..=0.
    pub min_gain_db: f32,
    /// How fast the gain goes up, in dB per second of speech. Default 8, range 0.1..=200.
    pub rise_db_per_second: f32,
    /// How fast the gain goes down, in dB per second of speech. Default 24, range 0.1..=200.
    pub fall_db_per_second: f32,
}

impl Default for AutomaticGainSettings {
    fn default() -> Self {
        Self {
            target_db: -20.0,
            max_gain_db: 24.0,
            min_gain_db: -12.0,
            rise_db_per_second: 8.0,
            fall_db_per_second: 24.0,
        }
    }
}

impl AutomaticGainSettings {
    /// Whether all values are numbers within their ranges.
    ///
    /// # Errors
    /// [`VoiceInputError::Setting`] for the first that is not, naming it.
    pub fn validate(&self) -> Result<(), VoiceInputError> {
        check_range("target_db", self.target_db, -60.0..=-3.0)?;
        check_range("max_gain_db", self.max_gain_db, 0.0..=60.0)?;
        check_range("min_gain_db", self.min_gain_db, -60.0..=0.0)?;
        check_range("rise_db_per_second", self.rise_db_per_second, 0.1..=200.0)?;
        check_range("fall_db_per_second", self.fall_db_per_second, 0.1..=200.0)
    }
}

/// Raises quiet voices and lowers loud ones, slowly up and faster down, while somebody speaks; between words the gain waits.
///
/// Samples beyond 0.9 are bent softly so that none leaves -1..=1.
#[derive(Debug, Clone, PartialEq)]
pub struct AutomaticGain {
    settings: AutomaticGainSettings,
    block: BlockPower,
    block_seconds: f32,
    share: f32,
    /// Mean square of the speech so far; 0 before any.
    speech: f32,
    gain_db: f32,
    gain: f32,
    /// The gain at the end of the block, and what each sample adds on the way there.
    next_gain: f32,
    slope: f32,
}

impl AutomaticGain {
    /// A gain of 0 dB for mono sound of this rate in samples per second.
    ///
    /// # Errors
    /// A rate that makes no sense, or a setting outside its range.
    pub fn new(sample_rate: u32, settings: AutomaticGainSettings) -> Result<Self, VoiceInputError> {
        check_format(sample_rate, 1)?;
        settings.validate()?;
        let block = BlockPower::new(sample_rate);
        let block_seconds = block.len() as f32 / sample_rate as f32;
        Ok(Self {
            settings,
            block,
            block_seconds,
            share: share(block_seconds, INTEGRATION),
            speech: 0.0,
            gain_db: 0.0,
            gain: 1.0,
            next_gain: 1.0,
            slope: 0.0,
        })
    }

    /// Changes the settings from the next sample on.
    ///
    /// # Errors
    /// A setting outside its range; then nothing changes.
    pub fn set_settings(&mut self, settings: AutomaticGainSettings) -> Result<(), VoiceInputError> {
        settings.validate()?;
        self.settings = settings;
        Ok(())
    }

    /// The settings.
    pub fn settings(&self) -> &AutomaticGainSettings {
        &self.settings
    }

    /// Brings samples to the loudness in place, any number of them. It learns from them if they are speech. Those that are
    /// not numbers count as silence.
    pub fn process(&mut self, samples: &mut [f32], is_speech: bool) {
        samples.iter_mut().for_each(|sample| *sample = self.step(sane(*sample), is_speech));
    }

    #[inline]
    pub(super) fn step(&mut self, sample: f32, is_speech: bool) -> f32 {
        let raised = sample * self.gain;
        self.gain += self.slope;
        if let Some(mean_square) = self.block.hear(sample) {
            self.end_block(mean_square, is_speech);
        }
        bent(raised)
    }

    fn end_block(&mut self, mean_square: f32, is_speech: bool) {
        if is_speech && mean_square > 0.0 {
            let share = if self.speech > 0.0 { self.share } else { 1.0 };
            self.speech += (mean_square - self.speech) * share;
            let wanted = self.settings.target_db - power_db(self.speech);
            let rise = self.settings.rise_db_per_second * self.block_seconds;
            let fall = self.settings.fall_db_per_second * self.block_seconds;
            self.gain_db = wanted
                .clamp(self.settings.min_gain_db, self.settings.max_gain_db)
                .clamp(self.gain_db - fall, self.gain_db + rise);
        }
        self.gain = self.next_gain;
        self.next_gain = factor(self.gain_db);
        self.slope = (self.next_gain - self.gain) / self.block.len() as f32;
    }

    /// The gain now, in dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }
}

/// The sample itself up to the knee, and beyond it less and less more, never more than 1.
#[inline]
fn bent(sample: f32) -> f32 {
    let over = (sample.abs() - KNEE) / (1.0 - KNEE);
    if over > 0.0 { (KNEE + (1.0 - KNEE) * over / (1.0 + over)).min(1.0).copysign(sample) } else { sample }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_bent_in_order_and_never_beyond_full_scale() {
        let mut before = -1.0;
        for step in 0..4_000 {
            let sample = step as f32 * 0.01;
            let out = bent(sample);
            assert!(out <= 1.0 && out >= before && out <= sample, "{sample} became {out}");
            assert_eq!(bent(-sample), -out);
            assert!(sample > KNEE || out == sample);
            before = out;
        }
        assert_eq!(bent(1e9), 1.0);
    }
}

//! What stands between a live microphone and a network: level, gate and gain.

mod error;
mod floor;
mod gain;
mod gate;
mod level;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use error::VoiceInputError;
pub use gain::{AutomaticGain, AutomaticGainSettings};
pub use gate::{GateSettings, NoiseGate};
pub use level::{Level, LevelMeter};

use error::check_range;
use level::factor;

use super::sane;

/// What a [`VoiceInput`] does to a microphone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoiceInputSettings {
    /// Gain before everything else, in dB: the knob of the microphone. Default 0, range -60..=60.
    pub gain_db: f32,
    /// Keeps out the noise of the room; on by default.
    pub gate: Option<GateSettings>,
    /// Brings every voice to the same loudness; off by default.
    pub automatic_gain: Option<AutomaticGainSettings>,
}

impl Default for VoiceInputSettings {
    fn default() -> Self {
        Self { gain_db: 0.0, gate: Some(GateSettings::default()), automatic_gain: None }
    }
}

impl VoiceInputSettings {
    /// Whether all values are numbers within their ranges.
    ///
    /// # Errors
    /// [`VoiceInputError::Setting`] for the first that is not, naming it.
    pub fn validate(&self) -> Result<(), VoiceInputError> {
        check_range("gain_db", self.gain_db, -60.0..=60.0)?;
        self.gate.as_ref().map_or(Ok(()), GateSettings::validate)?;
        self.automatic_gain.as_ref().map_or(Ok(()), AutomaticGainSettings::validate)
    }
}

/// Prepares the sound of a microphone for a network: gain, [`LevelMeter`], [`NoiseGate`], [`AutomaticGain`], in this order.
///
/// Works in place, adds no delay and never allocates. The result does not depend on how the sound is cut into calls, to the
/// last bit.
///
/// ```
/// use talkie::audio::{VoiceInput, VoiceInputSettings};
///
/// let mut input = VoiceInput::new(48_000, VoiceInputSettings::default())?;
/// let mut block = [0.0001_f32; 480];
/// input.process(&mut block);
/// assert!(!input.is_open());
/// assert_eq!(block, [0.0; 480]);
/// # Ok::<(), talkie::audio::VoiceInputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct VoiceInput {
    settings: VoiceInputSettings,
    sample_rate: u32,
    gain: f32,
    meter: LevelMeter,
    /// Listens also where it does not gate: the automatic gain needs to know what is speech.
    gate: NoiseGate,
    automatic_gain: Option<AutomaticGain>,
}

impl VoiceInput {
    /// An input for mono sound of this rate in samples per second.
    ///
    /// # Errors
    /// A rate that makes no sense, or a setting outside its range.
    pub fn new(sample_rate: u32, settings: VoiceInputSettings) -> Result<Self, VoiceInputError> {
        let mut input = Self {
            settings: VoiceInputSettings::default(),
            sample_rate,
            gain: 1.0,
            meter: LevelMeter::new(sample_rate),
            gate: NoiseGate::new(sample_rate, settings.gate.clone().unwrap_or_default())?,
            automatic_gain: None,
        };
        input.set_settings(settings)?;
        Ok(input)
    }

    /// Changes the settings from the next sample on. What was learned of the room and of the voice stays.
    ///
    /// # Errors
    /// A setting outside its range; then nothing changes.
    pub fn set_settings(&mut self, settings: VoiceInputSettings) -> Result<(), VoiceInputError> {
        settings.validate()?;
        self.gate.set_settings(settings.gate.clone().unwrap_or_default())?;
        match (&mut self.automatic_gain, &settings.automatic_gain) {
            (Some(gain), Some(settings)) => gain.set_settings(settings.clone())?,
            (gain, Some(settings)) => *gain = Some(AutomaticGain::new(self.sample_rate, settings.clone())?),
            (gain, None) => *gain = None,
        }
        self.gain = factor(settings.gain_db);
        self.settings = settings;
        Ok(())
    }

    /// The settings.
    pub fn settings(&self) -> &VoiceInputSettings {
        &self.settings
    }

    /// Works through more of the sound in place, any number of samples. Those that are not numbers count as silence.
    pub fn process(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let input = sane(*sample) * self.gain;
            self.meter.hear(input);
            let gated = self.gate.step(input);
            let kept = if self.settings.gate.is_some() { gated } else { input };
            *sample = match &mut self.automatic_gain {
                Some(gain) => gain.step(kept, self.gate.is_speech()),
                None => kept,
            };
        }
    }

    /// How loud the input is, after [`gain_db`](VoiceInputSettings::gain_db) and before gate and automatic gain.
    pub fn level(&self) -> Level {
        self.meter.level()
    }

    /// Whether somebody speaks, in the gate's judgement. It judges by default settings where there is no gate.
    pub fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// How loud the noise of the room is, as far as it is known, in dBFS: -75..=-20.
    pub fn noise_floor_db(&self) -> f32 {
        self.gate.noise_floor_db()
    }

    /// What speech is raised by, in dB: [`gain_db`](VoiceInputSettings::gain_db) and the automatic gain together.
    pub fn applied_gain_db(&self) -> f32 {
        self.settings.gain_db + self.automatic_gain.as_ref().map_or(0.0, AutomaticGain::gain_db)
    }
}

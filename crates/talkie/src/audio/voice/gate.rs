//! A gate that lets speech through and keeps the noise of the room out.

use serde::{Deserialize, Serialize};

use super::VoiceInputError;
use super::error::check_range;
use super::floor::NoiseFloor;
use super::level::{BlockPower, SILENCE_DB, factor, power_db, share};
use crate::audio::{resample::check_format, sane};

/// The level that opens and closes is smoothed over this many seconds.
const SMOOTHING: f32 = 0.005;
/// What lies below is not listened to, in hertz: an offset, steps, the mains.
const HIGH_PASS: f32 = 80.0;

/// When a [`NoiseGate`] opens and closes. Levels are relative to the noise that the gate has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateSettings {
    /// Opens at so many dB above the noise. Default 10, range 1..=60.
    pub open_db: f32,
    /// Stays open down to so many dB above the noise. Default 5, range 0..=60, at most [`open_db`](Self::open_db).
    pub close_db: f32,
    /// How long it stays open below that, in seconds: the gaps of P, T and K are up to 0.15 s. Default 0.25, range 0..=5.
    pub hold_seconds: f32,
    /// Time of the fade when it opens, in seconds. Default 0.005, range 0..=1.
    pub attack_seconds: f32,
    /// Time of the fade when it closes, in seconds. Default 0.08, range 0..=5.
    pub release_seconds: f32,
    /// What the closed gate does to the sound, in dB. Default -100, which is silence, range -100..=0.
    pub closed_db: f32,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            open_db: 10.0,
            close_db: 5.0,
            hold_seconds: 0.25,
            attack_seconds: 0.005,
            release_seconds: 0.08,
            closed_db: SILENCE_DB,
        }
    }
}

impl GateSettings {
    /// Whether all values are numbers within their ranges.
    ///
    /// # Errors
    /// [`VoiceInputError::Setting`] for the first that is not, naming it.
    pub fn validate(&self) -> Result<(), VoiceInputError> {
        check_range("open_db", self.open_db, 1.0..=60.0)?;
        check_range("close_db", self.close_db, 0.0..=self.open_db)?;
        check_range("hold_seconds", self.hold_seconds, 0.0..=5.0)?;
        check_range("attack_seconds", self.attack_seconds, 0.0..=1.0)?;
        check_range("release_seconds", self.release_seconds, 0.0..=5.0)?;
        check_range("closed_db", self.closed_db, SILENCE_DB..=0.0)
    }
}

/// Silences a voice while nobody speaks, so that noise moves no face.
///
/// It learns how loud the room is and needs no threshold in absolute terms. Speech opens it from the first sample on, since
/// it starts with the noise of a quiet room (-60 dBFS) in mind; louder noise that is steady closes it after about 1.5 s.
/// It looks at sound 2.5 ms at a time and never ahead: samples come out as they went in, times a gain, without delay.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseGate {
    settings: GateSettings,
    sample_rate: u32,
    high_pass: HighPass,
    block: BlockPower,
    block_seconds: f32,
    share: f32,
    power: f32,
    /// Whether the block has anything but zeros: those come from a muted microphone and say nothing about the room.
    is_live: bool,
    floor: NoiseFloor,
    is_open: bool,
    is_speech: bool,
    hold_left: f32,
    gain: f32,
    closed_gain: f32,
    attack_step: f32,
    release_step: f32,
}

impl NoiseGate {
    /// A closed gate for mono sound of this rate in samples per second.
    ///
    /// # Errors
    /// A rate that makes no sense, or a setting outside its range.
    pub fn new(sample_rate: u32, settings: GateSettings) -> Result<Self, VoiceInputError> {
        check_format(sample_rate, 1)?;
        let block = BlockPower::new(sample_rate);
        let block_seconds = block.len() as f32 / sample_rate as f32;
        let mut gate = Self {
            settings: GateSettings::default(),
            sample_rate,
            high_pass: HighPass::new(sample_rate),
            floor: NoiseFloor::new(sample_rate, block.len()),
            block,
            block_seconds,
            share: share(block_seconds, SMOOTHING),
            power: 0.0,
            is_live: false,
            is_open: false,
            is_speech: false,
            hold_left: 0.0,
            gain: 0.0,
            closed_gain: 0.0,
            attack_step: 0.0,
            release_step: 0.0,
        };
        gate.set_settings(settings)?;
        gate.gain = gate.closed_gain;
        Ok(gate)
    }

    /// Changes the settings from the next sample on. What was learned of the room stays.
    ///
    /// # Errors
    /// A setting outside its range; then nothing changes.
    pub fn set_settings(&mut self, settings: GateSettings) -> Result<(), VoiceInputError> {
        settings.validate()?;
        self.closed_gain = if settings.closed_db > SILENCE_DB { factor(settings.closed_db) } else { 0.0 };
        let step = |seconds: f32| (1.0 / (seconds * self.sample_rate as f32)).min(1.0);
        (self.attack_step, self.release_step) = (step(settings.attack_seconds), step(settings.release_seconds));
        self.settings = settings;
        Ok(())
    }

    /// The settings.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// Turns the noise down in place, any number of samples. Those that are not numbers count as silence.
    pub fn process(&mut self, samples: &mut [f32]) {
        samples.iter_mut().for_each(|sample| *sample = self.step(sane(*sample)));
    }

    /// Hears a sample and says what is left of it.
    #[inline]
    pub(super) fn step(&mut self, sample: f32) -> f32 {
        self.gain = if self.is_open {
            (self.gain + self.attack_step).min(1.0)
        } else {
            (self.gain - self.release_step).max(self.closed_gain)
        };
        let audible = self.high_pass.step(sample);
        self.is_live |= sample != 0.0;
        self.floor.hear(audible);
        if let Some(mean_square) = self.block.hear(audible) {
            self.end_block(mean_square);
        }
        sample * self.gain
    }

    fn end_block(&mut self, mean_square: f32) {
        if core::mem::take(&mut self.is_live) {
            self.floor.end_block(mean_square);
        }
        self.power += (mean_square - self.power) * self.share;
        let above_noise = power_db(self.power) - self.floor.decibels();
        self.is_open |= above_noise >= self.settings.open_db;
        self.is_speech = self.is_open && above_noise >= self.settings.close_db;
        if self.is_speech {
            self.hold_left = self.settings.hold_seconds;
        } else {
            self.hold_left -= self.block_seconds;
            self.is_open &= self.hold_left > 0.0;
        }
    }

    /// Whether speech passes.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether speech is heard right now; between sounds the gate is open without.
    pub(super) fn is_speech(&self) -> bool {
        self.is_speech
    }

    /// How loud the noise is, as far as it is known, in dBFS: -75..=-20.
    pub fn noise_floor_db(&self) -> f32 {
        self.floor.decibels()
    }
}

/// Takes out what is below the voice; first order.
#[derive(Debug, Clone, PartialEq)]
struct HighPass {
    keep: f32,
    input: f32,
    output: f32,
}

impl HighPass {
    fn new(sample_rate: u32) -> Self {
        let keep = (-core::f32::consts::TAU * HIGH_PASS / sample_rate as f32).exp();
        Self { keep, input: 0.0, output: 0.0 }
    }

    #[inline]
    fn step(&mut self, sample: f32) -> f32 {
        self.output = self.keep * (self.output + sample - self.input);
        if self.output.abs() < 1e-20 {
            self.output = 0.0;
        }
        self.input = sample;
        self.output
    }
}

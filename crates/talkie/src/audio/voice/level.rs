//! How loud a sound is.

use crate::audio::{MIN_SAMPLE_RATE, sane};

/// What counts as silence, in dBFS: levels never say less.
pub(super) const SILENCE_DB: f32 = -100.0;
/// Time over which the mean square is taken, in seconds.
const INTEGRATION: f32 = 0.05;
/// How fast a peak sinks, in dB per second.
const PEAK_FALL: f32 = 20.0;
/// Below this amplitude a peak is over: it shall not sink for ever. -120 dBFS.
const FAINTEST: f32 = 1e-6;

/// A mean square in dB relative to full scale.
pub(super) fn power_db(mean_square: f32) -> f32 {
    (10.0 * mean_square.log10()).max(SILENCE_DB)
}

/// The factor on samples that a change in dB stands for.
pub(super) fn factor(decibels: f32) -> f32 {
    10.0_f32.powf(decibels / 20.0)
}

/// The share by which a running mean over `time` seconds follows after `step` seconds.
pub(super) fn share(step: f32, time: f32) -> f32 {
    1.0 - (-step / time).exp()
}

/// The loudness of a sound at a moment, in dB relative to full scale: 0 is a full square wave, -100 and less is silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The greatest sample of late: rises at once and sinks by 20 dB a second.
    pub peak_db: f32,
    /// Root mean square of about the last 50 ms.
    pub rms_db: f32,
}

impl Level {
    /// No sound at all.
    pub const SILENCE: Self = Self { peak_db: SILENCE_DB, rms_db: SILENCE_DB };
}

impl Default for Level {
    fn default() -> Self {
        Self::SILENCE
    }
}

/// Measures the [`Level`] of a sound, for a meter on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelMeter {
    share: f32,
    fall: f32,
    mean_square: f32,
    peak: f32,
}

impl LevelMeter {
    /// A meter for mono sound of this rate in samples per second; at least [`MIN_SAMPLE_RATE`].
    pub fn new(sample_rate: u32) -> Self {
        let step = 1.0 / sample_rate.max(MIN_SAMPLE_RATE) as f32;
        Self { share: share(step, INTEGRATION), fall: factor(-PEAK_FALL * step), mean_square: 0.0, peak: 0.0 }
    }

    /// Hears more of the sound, any number of samples. Those that are not numbers count as silence.
    pub fn push(&mut self, samples: &[f32]) {
        samples.iter().for_each(|sample| self.hear(sane(*sample)));
    }

    #[inline]
    pub(super) fn hear(&mut self, sample: f32) {
        self.mean_square += (sample * sample - self.mean_square) * self.share;
        self.peak = (self.peak * self.fall).max(sample.abs());
        if self.peak < FAINTEST {
            (self.peak, self.mean_square) = (0.0, 0.0);
        }
    }

    /// The level now.
    pub fn level(&self) -> Level {
        Level { peak_db: power_db(self.peak * self.peak), rms_db: power_db(self.mean_square) }
    }
}

/// Means of squares over blocks of 2.5 ms, so that what follows from them does not depend on how sound is handed over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BlockPower {
    len: u32,
    count: u32,
    sum: f32,
}

impl BlockPower {
    /// Blocks in a second, about: a block has a whole number of samples.
    const PER_SECOND: u32 = 400;

    pub(super) fn new(sample_rate: u32) -> Self {
        let len = (sample_rate + Self::PER_SECOND / 2) / Self::PER_SECOND;
        Self { len, count: 0, sum: 0.0 }
    }

    /// Samples in a block.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Hears a sample; the mean square if a block ends with it.
    #[inline]
    pub(super) fn hear(&mut self, sample: f32) -> Option<f32> {
        self.sum += sample * sample;
        self.count += 1;
        (self.count == self.len).then(|| {
            let mean = self.sum / self.len as f32;
            (self.count, self.sum) = (0, 0.0);
            mean
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_reads_its_peak_and_its_root_mean_square_at_every_rate() {
        for rate in [8_000_u32, 16_000, 44_100, 48_000, 192_000] {
            let tone: Vec<f32> = (0..rate / 2)
                .map(|i| 0.1 * (core::f32::consts::TAU * 400.0 * (i as f32 / rate as f32)).sin())
                .collect();
            let mut meter = LevelMeter::new(rate);
            meter.push(&tone);
            let level = meter.level();
            assert!((level.peak_db + 20.0).abs() < 0.2, "{rate} Hz: peak {}", level.peak_db);
            assert!((level.rms_db + 23.0).abs() < 0.3, "{rate} Hz: rms {}", level.rms_db);
            // Half a second of silence: the peak sinks by 10 dB, the mean square is gone.
            meter.push(&vec![0.0; rate as usize / 2]);
            assert!((meter.level().peak_db + 30.0).abs() < 0.3, "{rate} Hz: peak {}", meter.level().peak_db);
            assert!(meter.level().rms_db < -60.0);
        }
    }

    #[test]
    fn silence_and_what_is_not_a_number_read_as_silence() {
        let mut meter = LevelMeter::new(48_000);
        assert_eq!(meter.level(), Level::SILENCE);
        meter.push(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0]);
        assert_eq!(meter.level(), Level::SILENCE);
        meter.push(&[0.5]);
        for _ in 0..10 {
            meter.push(&[0.0; 48_000]);
        }
        assert_eq!(meter.level(), Level::SILENCE);
        assert_eq!(LevelMeter::new(0).level(), Level::SILENCE);
    }
}

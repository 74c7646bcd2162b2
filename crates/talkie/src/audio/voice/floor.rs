//! The noise of a room, learned while people speak in it.

use core::ops::RangeInclusive;

use super::level::{factor, power_db, share};

/// The noise that is expected before anything was heard, in dBFS: a quiet room at a usual microphone.
const PRIOR_DB: f32 = -60.0;
/// Bounds of what is believed to be noise, in dBFS.
const QUIETEST_DB: f32 = -75.0;
const LOUDEST_DB: f32 = -20.0;
/// The level is smoothed over this many seconds before its minimum is taken, so that noise does not seem quieter than it is.
const SMOOTHING: f32 = 0.05;
/// The minimum is taken over so many pieces of so many seconds: longer than people hiss, shorter than they wait.
const PIECES: usize = 5;
const PIECE_SECONDS: f32 = 0.25;
/// How much more noise a stretch with voice in it may teach, in dB: 0.3 dB a second, so that hum is learned in the end and
/// a vowel of ten seconds is not.
const VOICED_RISE: f32 = 0.3 * PIECES as f32 * PIECE_SECONDS;

/// Learns how loud the noise is: the least level of the last 1.25 s, unless there was voice in them.
///
/// R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE
/// Transactions on Speech and Audio Processing 9(5), 2001, in one band. A minimum would take a long vowel for noise, so that
/// periodic sound is told apart ([`Voicing`]). Falls at once, rises after 1.25 s to 1.5 s of steady sound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NoiseFloor {
    block_seconds: f32,
    share: f32,
    smoothed: f32,
    floor_db: f32,
    /// The least level of the piece that is being heard and of those before it, newest last.
    piece_db: f32,
    piece_left: f32,
    minima_db: [f32; PIECES],
    voicing: Voicing,
}

impl NoiseFloor {
    pub(super) fn new(sample_rate: u32, block_len: u32) -> Self {
        let block_seconds = block_len as f32 / sample_rate as f32;
        Self {
            block_seconds,
            share: share(block_seconds, SMOOTHING),
            smoothed: factor(PRIOR_DB).powi(2),
            floor_db: PRIOR_DB,
            piece_db: f32::INFINITY,
            piece_left: PIECE_SECONDS,
            minima_db: [PRIOR_DB; PIECES],
            voicing: Voicing::new(sample_rate),
        }
    }

    pub(super) fn decibels(&self) -> f32 {
        self.floor_db
    }

    #[inline]
    pub(super) fn hear(&mut self, sample: f32) {
        self.voicing.hear(sample);
    }

    /// Ends a block of this mean square.
    pub(super) fn end_block(&mut self, mean_square: f32) {
        self.smoothed += (mean_square - self.smoothed) * self.share;
        let level = power_db(self.smoothed).clamp(QUIETEST_DB, LOUDEST_DB);
        let noise = if self.voicing.is_voiced { level.min(self.floor_db + VOICED_RISE) } else { level };
        self.piece_db = self.piece_db.min(noise);
        self.floor_db = self.floor_db.min(noise);
        self.piece_left -= self.block_seconds;
        if self.piece_left <= 0.0 {
            self.piece_left += PIECE_SECONDS;
            self.minima_db.rotate_left(1);
            self.minima_db[PIECES - 1] = core::mem::replace(&mut self.piece_db, f32::INFINITY);
            self.floor_db = self.minima_db.iter().copied().fold(f32::INFINITY, f32::min);
        }
    }
}

/// The pitches that are looked for, in hertz. Higher ones show at twice or thrice their period.
const LOWEST_PITCH: f32 = 75.0;
const HIGHEST_PITCH: f32 = 400.0;
/// The sound is thinned out to about this rate, after a low-pass at this frequency.
const THIN_RATE: f32 = 4_000.0;
const LOW_PASS: f32 = 900.0;
/// It is looked at this often and for this long, in seconds.
const HOP: f32 = 0.02;
const WINDOW: f32 = 0.035;
/// How alike two periods are at least: noise has about 0.2 and hardly ever 0.5, a vowel 12 dB above noise more than 0.9.
const ALIKE: f32 = 0.6;
/// Room for the window and the longest period at every rate: the thinned rate is below 6 kHz.
const HISTORY: usize = 320;

/// Whether a sound has a pitch: the greatest normalised autocorrelation over the periods of voices.
#[derive(Debug, Clone, PartialEq)]
struct Voicing {
    share: f32,
    low: f32,
    every: u32,
    sum: f32,
    count: u32,
    history: [f32; HISTORY],
    at: usize,
    hop: usize,
    until_look: usize,
    window: usize,
    periods: RangeInclusive<usize>,
    is_voiced: bool,
}

impl Voicing {
    fn new(sample_rate: u32) -> Self {
        let every = (sample_rate as f32 / THIN_RATE).round().max(1.0);
        let rate = sample_rate as f32 / every;
        let hop = (rate * HOP) as usize;
        Self {
            share: share(1.0 / sample_rate as f32, 1.0 / (core::f32::consts::TAU * LOW_PASS)),
            low: 0.0,
            every: every as u32,
            sum: 0.0,
            count: 0,
            history: [0.0; HISTORY],
            at: 0,
            hop,
            until_look: hop,
            window: (rate * WINDOW) as usize,
            periods: (rate / HIGHEST_PITCH) as usize..=(rate / LOWEST_PITCH) as usize,
            is_voiced: false,
        }
    }

    #[inline]
    fn hear(&mut self, sample: f32) {
        self.low += (sample - self.low) * self.share;
        self.sum += self.low;
        self.count += 1;
        if self.count == self.every {
            self.history[self.at] = self.sum;
            self.at = (self.at + 1) % HISTORY;
            (self.sum, self.count) = (0.0, 0);
            self.until_look -= 1;
            if self.until_look == 0 {
                self.until_look = self.hop;
                self.is_voiced = self.likeness() >= ALIKE;
            }
        }
    }

    /// How alike the window is to itself one period before, for the period that suits best: -1..=1.
    fn likeness(&self) -> f32 {
        let mut ordered = self.history;
        ordered.rotate_left(self.at);
        let start = HISTORY - self.window;
        let now = &ordered[start..];
        let energy = |sound: &[f32]| sound.iter().map(|x| x * x).sum::<f32>();
        let energy_now = energy(now);
        let mut best = 0.0_f32;
        for period in self.periods.clone() {
            let before = &ordered[start - period..HISTORY - period];
            let product: f32 = now.iter().zip(before).map(|(a, b)| a * b).sum();
            let norm = (energy_now * energy(before)).sqrt();
            if norm > 0.0 {
                best = best.max(product / norm);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Noise, buzz};
    use super::*;

    fn voiced_share(rate: u32, sound: &[f32]) -> f32 {
        let mut voicing = Voicing::new(rate);
        let mut voiced = 0;
        for sample in sound {
            voicing.hear(*sample);
            voiced += usize::from(voicing.is_voiced);
        }
        voiced as f32 / sound.len() as f32
    }

    #[test]
    fn voices_have_a_pitch_and_noise_has_none_at_every_rate() {
        for rate in [2_000, 5_999, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 768_000] {
            let seconds = if rate > 100_000 { 1.0 } else { 4.0 };
            let white = Noise::white(rate, -30.0, 4.0);
            for noise in [Noise::fan(&white, rate, -30.0), white] {
                let share = voiced_share(rate, &noise);
                assert!(share < 0.01, "{rate} Hz: {share}");
            }
            for pitch in [90.0, 130.0, 220.0, 380.0] {
                let mut vowel = buzz(rate, pitch, -30.0, seconds);
                let noise = Noise::white(rate, -42.0, seconds);
                vowel.iter_mut().zip(&noise).for_each(|(x, noise)| *x += noise);
                let share = voiced_share(rate, &vowel);
                assert!(share > 0.9, "{rate} Hz, pitch {pitch}: {share}");
            }
        }
    }
}

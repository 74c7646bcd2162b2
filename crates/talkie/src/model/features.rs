//! Log-mel features: what a streaming network hears.
//!
//! Written once and used twice: `talkie_train` computes its training features with this code, the runtime its input.
//! Frame `n` is centred on sample `n * hop` and sees the samples `n * hop - span / 2 .. n * hop + span / 2`, with
//! zeros before the first sample and after the last: one analysis window, or several, `hop / views` apart, whose bands stand
//! one after another in the frame. Short windows that follow each other closely tell P from T, which a frame every 20 ms
//! does not. A clip of `S` samples has exactly `ceil(S / hop)` frames, and the
//! time of frame `n` is `n * hop / 16000` seconds.
//!
//! The bands are triangles on the mel scale of O'Shaughnessy, `mel = 2595 log10(1 + hz / 700)`, each of unit height,
//! over the power spectrum of a Hann window; a value is `ln(energy + floor)`.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};

/// Samples per second of the audio that features are computed from.
pub const FEATURE_SAMPLE_RATE: u32 = 16_000;

/// How sound becomes log-mel frames. Part of every streaming bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMelConfig {
    /// Mel bands per window, 1..=256.
    pub bands: usize,
    /// Windows per frame, 1..=8; default 1. They are `hop / views` samples apart, evenly around the frame's centre.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub views: usize,
    /// Samples in the analysis window, even, at most `fft`.
    pub window: usize,
    /// Samples between the centres of neighbouring frames.
    pub hop: usize,
    /// Length of the Fourier transform in samples, even.
    pub fft: usize,
    /// Lower edge of the lowest band in hertz.
    pub low_hz: f32,
    /// Upper edge of the highest band in hertz, at most 8000.
    pub high_hz: f32,
    /// Energy added before the logarithm, above 0: what silence sounds like.
    pub floor: f32,
}

const fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_one(views: &usize) -> bool {
    *views == 1
}

impl Default for LogMelConfig {
    /// 80 bands from 60 to 7600 Hz, 25 ms windows, 50 frames a second.
    fn default() -> Self {
        Self { bands: 80, views: 1, window: 400, hop: 320, fft: 512, low_hz: 60.0, high_hz: 7600.0, floor: 1e-6 }
    }
}

/// Why a [`LogMelConfig`] cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogMelError {
    /// The number of bands is out of range.
    #[error("log-mel features with {bands} bands; 1 to 256 are supported")]
    Bands {
        /// The given number.
        bands: usize,
    },
    /// The window is empty, odd, or longer than the transform.
    #[error(
        "a log-mel window of {window} samples with a transform of {fft}; both must be even and 2 <= window <= transform <= 16384"
    )]
    Window {
        /// The given window in samples.
        window: usize,
        /// The given transform length in samples.
        fft: usize,
    },
    /// The windows of a frame cannot be spread over its hop.
    #[error(
        "log-mel features with {views} views and a hop of {hop} samples; 1 to 8 views are supported, and each must begin an even number of samples after the one before"
    )]
    Views {
        /// The given views per frame.
        views: usize,
        /// The given hop in samples.
        hop: usize,
    },
    /// The hop is zero or beyond one second.
    #[error("a log-mel hop of {hop} samples; 1 to 16000 are supported")]
    Hop {
        /// The given hop in samples.
        hop: usize,
    },
    /// The frequency range is empty or reaches beyond what 16 kHz audio holds.
    #[error("log-mel bands from {low} Hz to {high} Hz; 0 <= low < high <= 8000 is required")]
    Range {
        /// The given lower edge in hertz.
        low: f32,
        /// The given upper edge in hertz.
        high: f32,
    },
    /// The floor is not a positive number.
    #[error("a log-mel floor of {floor}; it must be a positive number")]
    Floor {
        /// The given floor.
        floor: f32,
    },
    /// A band is so narrow that no bin of the transform falls into it.
    #[error(
        "log-mel band {band} of {bands} holds no frequency of a {fft}-point transform; use fewer bands or a longer transform"
    )]
    EmptyBand {
        /// Index of the first such band.
        band: usize,
        /// The given number of bands.
        bands: usize,
        /// The given transform length in samples.
        fft: usize,
    },
}

impl LogMelConfig {
    /// Checks every value; [`LogMel::new`] does so too.
    ///
    /// # Errors
    /// The first value that cannot work, with its allowed range.
    pub fn validate(&self) -> Result<(), LogMelError> {
        if !(1..=256).contains(&self.bands) {
            return Err(LogMelError::Bands { bands: self.bands });
        }
        let even = self.window.is_multiple_of(2) && self.fft.is_multiple_of(2);
        if !even || self.window < 2 || self.window > self.fft || self.fft > 16_384 {
            return Err(LogMelError::Window { window: self.window, fft: self.fft });
        }
        if self.hop == 0 || self.hop > FEATURE_SAMPLE_RATE as usize {
            return Err(LogMelError::Hop { hop: self.hop });
        }
        if !(1..=8).contains(&self.views) || (self.views > 1 && !self.hop.is_multiple_of(2 * self.views)) {
            return Err(LogMelError::Views { views: self.views, hop: self.hop });
        }
        let nyquist = FEATURE_SAMPLE_RATE as f32 / 2.0;
        if !(self.low_hz >= 0.0 && self.low_hz < self.high_hz && self.high_hz <= nyquist) {
            return Err(LogMelError::Range { low: self.low_hz, high: self.high_hz });
        }
        if !(self.floor > 0.0 && self.floor.is_finite()) {
            return Err(LogMelError::Floor { floor: self.floor });
        }
        Ok(())
    }

    /// Values per frame: the bands of all its windows.
    pub const fn width(&self) -> usize {
        self.bands * self.views
    }

    /// Samples from the beginning of a frame's first window to the end of its last one.
    pub const fn span(&self) -> usize {
        self.window + (self.views - 1) * self.hop / self.views
    }

    /// The centre of a band in hertz; fractions lie between the centres of two bands on the mel scale.
    pub fn band_hz(&self, band: f64) -> f64 {
        let (low, high) = (mel(f64::from(self.low_hz)), mel(f64::from(self.high_hz)));
        hertz(low + (high - low) * (band + 1.0) / (self.bands + 1) as f64)
    }

    /// The inverse of [`band_hz`](Self::band_hz).
    pub fn band_of(&self, hz: f64) -> f64 {
        let (low, high) = (mel(f64::from(self.low_hz)), mel(f64::from(self.high_hz)));
        (mel(hz) - low) / (high - low) * (self.bands + 1) as f64 - 1.0
    }

    /// How many frames a clip of this many samples has: `ceil(samples / hop)`.
    pub const fn frames(&self, samples: usize) -> usize {
        samples.div_ceil(self.hop)
    }
}

/// One triangle of the filter bank: weights over neighbouring bins of the spectrum.
#[derive(Debug, Clone)]
struct Band {
    first: usize,
    weights: Vec<f32>,
}

/// Computes log-mel frames from 16 kHz mono audio that arrives in pieces of any size.
///
/// A frame comes out as soon as its last sample is there, and its value does not depend on how the audio was cut: every
/// frame is computed from the same samples in the same order. Nothing is allocated per frame once the buffers have
/// grown to the largest piece.
#[derive(Clone)]
pub struct LogMel {
    config: LogMelConfig,
    transform: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    bands: Vec<Band>,
    // Samples from `start` on, relative to the padded stream: index 0 is sample `-span / 2` of the audio.
    pending: Vec<f32>,
    start: usize,
    received: usize,
    emitted: usize,
    input: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl core::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LogMel")
            .field("config", &self.config)
            .field("received", &self.received)
            .field("emitted", &self.emitted)
            .finish_non_exhaustive()
    }
}

impl LogMel {
    /// An extractor at the start of a clip.
    ///
    /// # Errors
    /// What [`LogMelConfig::validate`] finds, or a band without any bin of the transform.
    pub fn new(config: LogMelConfig) -> Result<Self, LogMelError> {
        config.validate()?;
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(config.fft);
        let hann = (0..config.window)
            .map(|i| {
                let phase = core::f64::consts::TAU * i as f64 / config.window as f64;
                (0.5 - 0.5 * phase.cos()) as f32
            })
            .collect();
        let mut this = Self {
            bands: mel_bands(&config)?,
            hann,
            pending: Vec::new(),
            start: 0,
            received: 0,
            emitted: 0,
            input: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            power: vec![0.0; config.fft / 2 + 1],
            transform,
            config,
        };
        this.reset();
        Ok(this)
    }

    /// The configuration it was made with.
    pub const fn config(&self) -> &LogMelConfig {
        &self.config
    }

    /// Forgets everything heard: the next sample is sample 0 of a new clip.
    pub fn reset(&mut self) {
        self.pending.clear();
        self.pending.resize(self.config.span() / 2, 0.0);
        self.start = 0;
        self.received = 0;
        self.emitted = 0;
    }

    /// Frames given out since the start of the clip.
    pub const fn emitted(&self) -> usize {
        self.emitted
    }

    /// Hears more samples and appends every frame that is complete now to `frames`, [`width`](LogMelConfig::width) values each. Returns how
    /// many frames were appended. Values that are not numbers must have been removed before.
    pub fn push(&mut self, samples: &[f32], frames: &mut Vec<f32>) -> usize {
        self.pending.extend_from_slice(samples);
        self.received += samples.len();
        let available = self.start + self.pending.len();
        let mut count = 0;
        while self.emitted * self.config.hop + self.config.span() <= available {
            self.emit(frames);
            count += 1;
        }
        self.forget();
        count
    }

    /// Ends the clip: appends the frames that reach beyond the last sample, and `after` frames of the silence that
    /// follows, and starts over. In all, a clip of `S` samples yields `ceil(S / hop) + after` frames. Returns how many
    /// frames were appended.
    pub fn finish(&mut self, after: usize, frames: &mut Vec<f32>) -> usize {
        let wanted = self.config.frames(self.received) + after;
        let mut count = 0;
        while self.emitted < wanted {
            let needed = self.emitted * self.config.hop + self.config.span() - self.start;
            if self.pending.len() < needed {
                self.pending.resize(needed, 0.0);
            }
            self.emit(frames);
            count += 1;
        }
        self.reset();
        count
    }

    /// The frames of a whole clip, frame after frame.
    pub fn whole(&mut self, samples: &[f32]) -> Vec<f32> {
        self.reset();
        let mut frames = Vec::with_capacity(self.config.frames(samples.len()) * self.config.width());
        self.push(samples, &mut frames);
        self.finish(0, &mut frames);
        frames
    }

    fn emit(&mut self, frames: &mut Vec<f32>) {
        let from = self.emitted * self.config.hop - self.start;
        for view in 0..self.config.views {
            self.look(from + view * self.config.hop / self.config.views, frames);
        }
        self.emitted += 1;
    }

    /// Appends the bands of the window that begins at index `from` of what is pending.
    fn look(&mut self, from: usize, frames: &mut Vec<f32>) {
        let samples = &self.pending[from..from + self.config.window];
        self.input.fill(0.0);
        for ((slot, sample), weight) in self.input.iter_mut().zip(samples).zip(&self.hann) {
            *slot = sample * weight;
        }
        // The lengths of all three buffers come from the plan itself, which is all that can be refused here.
        let done = self.transform.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch);
        debug_assert!(done.is_ok(), "the transform refused buffers of its own making");
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
        for band in &self.bands {
            let bins = &self.power[band.first..band.first + band.weights.len()];
            let energy: f32 = bins.iter().zip(&band.weights).map(|(power, weight)| power * weight).sum();
            frames.push((energy + self.config.floor).ln());
        }
    }

    fn forget(&mut self) {
        let keep_from = (self.emitted * self.config.hop).min(self.start + self.pending.len());
        let drop = keep_from.saturating_sub(self.start);
        self.pending.drain(..drop);
        self.start += drop;
    }
}

fn mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn hertz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

fn mel_bands(config: &LogMelConfig) -> Result<Vec<Band>, LogMelError> {
    let edge = |i: usize| config.band_hz(i as f64 - 1.0);
    let bin_width = f64::from(FEATURE_SAMPLE_RATE) / config.fft as f64;
    (0..config.bands)
        .map(|band| {
            let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
            let weight = |bin: usize| {
                let hz = bin as f64 * bin_width;
                ((hz - left) / (centre - left)).min((right - hz) / (right - centre)).max(0.0) as f32
            };
            let mut first = (left / bin_width).floor() as usize;
            let last = ((right / bin_width).ceil() as usize).min(config.fft / 2);
            let mut weights: Vec<f32> = (first..=last).map(weight).collect();
            if weights.iter().all(|w| *w <= 0.0) {
                // A band between two bins takes the nearest one: low bands are narrower than the transform resolves.
                first = ((centre / bin_width).round() as usize).min(config.fft / 2);
                if (first as f64 * bin_width - centre).abs() > bin_width {
                    return Err(LogMelError::EmptyBand { band, bands: config.bands, fft: config.fft });
                }
                weights = vec![1.0];
            }
            Ok(Band { first, weights })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extractor() -> LogMel {
        LogMel::new(LogMelConfig::default()).expect("the default is valid")
    }

    fn tone(hz: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| 0.5 * (core::f32::consts::TAU * hz * i as f32 / 16_000.0).sin()).collect()
    }

    #[test]
    fn bands_and_hertz_are_inverse() {
        let config = LogMelConfig::default();
        for band in [-1.0, 0.0, 3.25, 79.0, 80.0] {
            assert!((config.band_of(config.band_hz(band)) - band).abs() < 1e-9);
        }
        assert!((config.band_hz(-1.0) - 60.0).abs() < 1e-6 && (config.band_hz(80.0) - 7600.0).abs() < 1e-6);
    }

    #[test]
    fn views_are_the_windows_of_a_finer_hop() {
        let coarse = LogMelConfig { views: 2, window: 320, ..LogMelConfig::default() };
        let fine = LogMelConfig { views: 1, hop: 160, ..coarse };
        let sound: Vec<f32> = (0..4_000).map(|i| ((i * i % 977) as f32 / 977.0 - 0.5) * 0.2).collect();
        let frames = LogMel::new(coarse.clone()).expect("valid").whole(&sound);
        assert_eq!((coarse.width(), coarse.span(), frames.len()), (160, 480, 13 * 160));
        // Frame n looks at n * 320 - 80 and n * 320 + 80; with 80 samples of silence ahead, those are multiples of 160.
        let later: Vec<f32> = core::iter::repeat_n(0.0, 80).chain(sound).collect();
        let looks = LogMel::new(fine).expect("valid").whole(&later);
        assert_eq!(frames[..12 * 160], looks[..12 * 160]);
        for (views, hop) in [(0, 320), (9, 320), (3, 320), (2, 322)] {
            let wrong = LogMelConfig { views, hop, ..coarse.clone() };
            assert_eq!(wrong.validate(), Err(LogMelError::Views { views, hop }));
        }
    }

    #[test]
    fn a_clip_has_one_frame_per_started_hop() {
        for (samples, frames) in [(0, 0), (1, 1), (319, 1), (320, 1), (321, 2), (16_000, 50), (16_001, 51)] {
            let out = extractor().whole(&vec![0.1; samples]);
            assert_eq!(out.len(), frames * 80, "{samples} samples");
            assert_eq!(LogMelConfig::default().frames(samples), frames);
        }
    }

    #[test]
    fn a_frame_is_centred_on_its_hop() {
        let mut clip = vec![0.0; 6400];
        clip[10 * 320] = 1.0;
        let out = extractor().whole(&clip);
        let loud = |frame: usize| out[frame * 80..][..80].iter().sum::<f32>();
        let best = (0..20).max_by(|a, b| loud(*a).total_cmp(&loud(*b)));
        assert_eq!(best, Some(10));
        assert_eq!(out[8 * 80..][..80], [1e-6f32.ln(); 80], "no leak beyond half a window");
    }

    #[test]
    fn a_tone_is_loudest_in_its_band() {
        let out = extractor().whole(&tone(1000.0, 3200));
        let frame = &out[5 * 80..6 * 80];
        let best = (0..80).max_by(|a, b| frame[*a].total_cmp(&frame[*b])).unwrap_or(0);
        let mel = |hz: f32| 2595.0 * (1.0 + hz / 700.0).log10();
        let expected = (mel(1000.0) - mel(60.0)) / (mel(7600.0) - mel(60.0)) * 81.0 - 1.0;
        assert!((best as f32 - expected).abs() <= 1.0, "band {best}, expected {expected}");
    }

    #[test]
    fn a_frame_comes_as_soon_as_its_last_sample() {
        let mut mel = extractor();
        let mut out = Vec::new();
        assert_eq!(mel.push(&[0.0; 199], &mut out), 0);
        assert_eq!(mel.push(&[0.0; 1], &mut out), 1, "frame 0 ends at sample 200");
        assert_eq!(mel.push(&[0.0; 319], &mut out), 0);
        assert_eq!(mel.push(&[0.0; 1], &mut out), 1);
    }

    #[test]
    fn buffers_stop_growing() {
        let mut mel = extractor();
        let mut out = Vec::with_capacity(80 * 8);
        for _ in 0..4 {
            out.clear();
            mel.push(&[0.1; 512], &mut out);
        }
        let (pending, frames) = (mel.pending.capacity(), out.capacity());
        for _ in 0..200 {
            out.clear();
            mel.push(&[0.1; 512], &mut out);
        }
        assert_eq!((mel.pending.capacity(), out.capacity()), (pending, frames));
    }

    #[test]
    fn every_default_band_hears_something() {
        let mel = extractor();
        assert!(mel.bands.iter().all(|band| band.weights.iter().any(|w| *w > 0.0)));
    }

    #[test]
    fn bad_values_are_named() {
        let with = |change: fn(&mut LogMelConfig)| {
            let mut config = LogMelConfig::default();
            change(&mut config);
            LogMel::new(config).map(|_| ()).map_err(|error| error.to_string())
        };
        let message = |result: Result<(), String>| result.expect_err("refused");
        assert!(message(with(|c| c.bands = 0)).contains("0 bands"));
        assert!(message(with(|c| c.window = 401)).contains("401"));
        assert!(message(with(|c| c.window = 1024)).contains("1024"));
        assert!(message(with(|c| c.hop = 0)).contains("hop of 0"));
        assert!(message(with(|c| c.high_hz = 9000.0)).contains("9000"));
        assert!(message(with(|c| c.low_hz = f32::NAN)).contains("NaN"));
        assert!(message(with(|c| c.floor = 0.0)).contains("floor of 0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_of_any_size_give_the_same_bits(
            samples in prop::collection::vec(-1.0f32..1.0, 0..4000),
            cuts in prop::collection::vec(1usize..700, 1..40),
        ) {
            let after = cuts.len() % 3;
            let mut padded = samples.clone();
            padded.resize(samples.len().next_multiple_of(320) + after * 320, 0.0);
            let whole = extractor().whole(&padded);
            let mut mel = extractor();
            let mut out = Vec::new();
            let mut rest = samples.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                mel.push(head, &mut out);
                rest = tail;
            }
            mel.finish(after, &mut out);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&whole), bits(&out));
        }
    }
}

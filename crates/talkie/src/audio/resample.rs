//! Any rate and channel count to 16 kHz mono, with the same result however the sound is cut into pieces.

use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    audioadapter_buffers::direct::InterleavedSlice,
};

use super::{SAMPLE_RATE, sane};

/// The lowest rate that is taken for speech, in samples per second: below it there is nothing to lip-read from.
pub const MIN_SAMPLE_RATE: u32 = 2_000;
/// The highest rate that is accepted, in samples per second.
pub const MAX_SAMPLE_RATE: u32 = 768_000;
/// More channels than any sound format has.
const MAX_CHANNELS: usize = 64;

/// A sound format that cannot be turned into speech.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The rate is outside what makes sense.
    #[error("sample rate {rate} Hz is outside {MIN_SAMPLE_RATE}..={MAX_SAMPLE_RATE} Hz")]
    SampleRate {
        /// The rate that was given, in samples per second.
        rate: u32,
    },
    /// Sound without channels.
    #[error("the sound has 0 channels; at least 1 is needed")]
    NoChannels,
    /// More channels than can be real.
    #[error("the sound has {channels} channels; at most {MAX_CHANNELS} are supported")]
    TooManyChannels {
        /// The number that was given.
        channels: usize,
    },
    /// A stream changed its format on the way.
    #[error(
        "the format changed within the file from {from_rate} Hz x {from_channels} to {to_rate} Hz x {to_channels} \
         channels"
    )]
    Changed {
        /// Rate before, in samples per second.
        from_rate: u32,
        /// Channels before.
        from_channels: usize,
        /// Rate after, in samples per second.
        to_rate: u32,
        /// Channels after.
        to_channels: usize,
    },
    /// The resampler refused the ratio.
    #[error("cannot resample {rate} Hz to {SAMPLE_RATE} Hz: {reason}")]
    Resampler {
        /// The rate that was given, in samples per second.
        rate: u32,
        /// What the resampler said.
        reason: String,
    },
}

pub(crate) fn check_format(rate: u32, channels: usize) -> Result<(), FormatError> {
    match channels {
        0 => Err(FormatError::NoChannels),
        1..=MAX_CHANNELS if (MIN_SAMPLE_RATE..=MAX_SAMPLE_RATE).contains(&rate) => Ok(()),
        1..=MAX_CHANNELS => Err(FormatError::SampleRate { rate }),
        _ => Err(FormatError::TooManyChannels { channels }),
    }
}

/// Mixes any number of channels down and resamples to [`SAMPLE_RATE`].
///
/// Output sample `n` sits at time `n / 16000 s` of the input: the filter's delay is taken out. The sound is worked
/// through in blocks of 10 ms inside, so the result does not depend on how it is cut into pushes, to the last bit.
#[allow(missing_debug_implementations, reason = "rubato's resamplers have none")]
pub struct SpeechResampler {
    rate: u32,
    channels: usize,
    /// Sum and count of the channels of the frame that is only partly there yet.
    partial: (f32, usize),
    /// Mono input waiting for a full block.
    block: Vec<f32>,
    block_len: usize,
    /// `None` where input and output rate are the same.
    inner: Option<Async<f32>>,
    scratch: Vec<f32>,
    /// Output samples still to drop at the start: the delay of the filter.
    skip: usize,
    received: u64,
    delivered: u64,
}

impl SpeechResampler {
    /// Prepares for interleaved sound of this rate (samples per second) and channel count.
    ///
    /// # Errors
    /// [`FormatError`] if either is outside what makes sense.
    pub fn new(rate: u32, channels: usize) -> Result<Self, FormatError> {
        check_format(rate, channels)?;
        let block_len = (rate as usize / 100).max(32);
        // The filter spans the same time at every input rate, so that high rates are band-limited as well.
        let taps = 64 * (rate as usize).div_ceil(SAMPLE_RATE as usize);
        let inner = if rate == SAMPLE_RATE {
            None
        } else {
            let parameters = SincInterpolationParameters::new(taps, WindowFunction::BlackmanHarris2)
                .oversampling_factor(128)
                .interpolation(SincInterpolationType::Linear);
            let ratio = f64::from(SAMPLE_RATE) / f64::from(rate);
            let inner = Async::new_sinc(ratio, 1.0, &parameters, block_len, 1, FixedAsync::Input)
                .map_err(|error| FormatError::Resampler { rate, reason: error.to_string() })?;
            Some(inner)
        };
        let scratch = vec![0.0; inner.as_ref().map_or(0, |inner| inner.output_frames_max())];
        // Output `n` of rubato's sinc resampler sits half the filter before step `n + 1`: one step earlier than its
        // `output_delay` says, which also rounds down. What is not a whole sample stays: at most 31 µs.
        let half_filter = taps as f64 / 2.0 * f64::from(SAMPLE_RATE) / f64::from(rate);
        let skip = if inner.is_some() { half_filter.round() as usize - 1 } else { 0 };
        Ok(Self {
            rate,
            channels,
            partial: (0.0, 0),
            block: Vec::with_capacity(block_len),
            block_len,
            inner,
            scratch,
            skip,
            received: 0,
            delivered: 0,
        })
    }

    /// Takes interleaved samples, any number of them, and appends what they give to `speech`.
    ///
    /// Does not allocate once `speech` has room. Samples that are not numbers count as silence.
    pub fn push(&mut self, samples: &[f32], speech: &mut Vec<f32>) {
        let scale = 1.0 / self.channels as f32;
        for &sample in samples {
            self.partial.0 += sane(sample);
            self.partial.1 += 1;
            if self.partial.1 == self.channels {
                let mono = self.partial.0 * scale;
                self.partial = (0.0, 0);
                self.received += 1;
                if self.inner.is_none() {
                    speech.push(mono);
                    self.delivered += 1;
                } else {
                    self.block.push(mono);
                    if self.block.len() == self.block_len {
                        self.run_block(speech);
                    }
                }
            }
        }
    }

    /// Ends the sound: appends what is still inside the filter. Afterwards the length is that of the input, rounded up.
    pub fn finish(&mut self, speech: &mut Vec<f32>) {
        if self.inner.is_none() {
            return;
        }
        let total = (u128::from(self.received) * u128::from(SAMPLE_RATE)).div_ceil(u128::from(self.rate)) as u64;
        while self.delivered < total {
            self.block.resize(self.block_len, 0.0);
            self.run_block(speech);
        }
        speech.truncate(speech.len() - (self.delivered - total) as usize);
        self.delivered = total;
    }

    fn run_block(&mut self, speech: &mut Vec<f32>) {
        let Some(inner) = &mut self.inner else { return };
        let capacity = self.scratch.len();
        let written = InterleavedSlice::new(&self.block, 1, self.block_len)
            .ok()
            .zip(InterleavedSlice::new_mut(&mut self.scratch, 1, capacity).ok())
            .and_then(|(input, mut output)| inner.process_into_buffer(&input, &mut output, Some(&Indexing::new())).ok())
            .map_or(0, |(_, written)| written);
        debug_assert!(written > 0 || capacity == 0, "a full block always gives output");
        self.block.clear();
        let skipped = self.skip.min(written);
        self.skip -= skipped;
        speech.extend_from_slice(&self.scratch[skipped..written]);
        self.delivered += (written - skipped) as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resample(rate: u32, channels: usize, pieces: &[&[f32]]) -> Vec<f32> {
        let mut resampler = SpeechResampler::new(rate, channels).unwrap();
        let mut speech = Vec::new();
        for piece in pieces {
            resampler.push(piece, &mut speech);
        }
        resampler.finish(&mut speech);
        speech
    }

    fn tone(rate: u32, hertz: f32, seconds: f32) -> Vec<f32> {
        (0..(rate as f32 * seconds) as usize)
            .map(|i| (core::f32::consts::TAU * hertz * i as f32 / rate as f32).sin())
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_time_and_level_at_every_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000, 768_000] {
            let speech = resample(rate, 1, &[&tone(rate, 440.0, 0.5)]);
            assert_eq!(speech.len(), 8_000, "{rate} Hz");
            let wanted = tone(SAMPLE_RATE, 440.0, 0.5);
            let worst =
                speech[800..7_200].iter().zip(&wanted[800..7_200]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Half a sample of time, and the ripple of the filter.
            let allowed = core::f32::consts::TAU * 440.0 / 16_000.0 * 0.5 + 0.01;
            assert!(worst < allowed, "{rate} Hz: off by {worst}");
            if SAMPLE_RATE.is_multiple_of(rate) || rate.is_multiple_of(SAMPLE_RATE) {
                assert!(worst < 0.01, "{rate} Hz: off by {worst} where no part of a sample is left over");
            }
        }
    }

    #[test]
    fn what_is_above_the_band_is_removed() {
        for rate in [44_100, 48_000, 96_000, 768_000] {
            let speech = resample(rate, 1, &[&tone(rate, 11_000.0, 0.25)]);
            let worst = speech[400..3_600].iter().fold(0.0_f32, |worst, x| worst.max(x.abs()));
            assert!(worst < 0.02, "{rate} Hz: alias of {worst}");
        }
    }

    #[test]
    fn formats_without_sense_are_named() {
        assert_eq!(SpeechResampler::new(1, 1).err(), Some(FormatError::SampleRate { rate: 1 }));
        assert_eq!(SpeechResampler::new(768_001, 1).err(), Some(FormatError::SampleRate { rate: 768_001 }));
        assert_eq!(SpeechResampler::new(48_000, 0).err(), Some(FormatError::NoChannels));
        assert_eq!(SpeechResampler::new(48_000, 65).err(), Some(FormatError::TooManyChannels { channels: 65 }));
        let text = FormatError::SampleRate { rate: 1 }.to_string();
        assert!(text.contains("1 Hz") && text.contains("2000..=768000"), "{text}");
    }

    #[test]
    fn not_a_number_counts_as_silence() {
        let mut samples = tone(48_000, 200.0, 0.1);
        samples[1_000] = f32::NAN;
        samples[1_001] = f32::INFINITY;
        samples[1_002] = -1e30;
        assert!(resample(48_000, 1, &[&samples]).iter().all(|x| x.is_finite() && x.abs() < 40.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pieces_of_any_size_give_the_same_bits(
            rate in prop::sample::select(vec![8_000_u32, 16_000, 22_050, 44_100, 48_000]),
            channels in 1_usize..4,
            cuts in prop::collection::vec(0_usize..6_000, 0..12),
        ) {
            let sound: Vec<f32> = (0..6_000).map(|i| ((i * i % 977) as f32 / 488.0 - 1.0) * 0.5).collect();
            let mut cuts = cuts;
            cuts.extend([0, sound.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[f32]> = cuts.windows(2).map(|w| &sound[w[0]..w[1]]).collect();
            prop_assert_eq!(resample(rate, channels, &pieces), resample(rate, channels, &[&sound]));
        }
    }
}

//! The sound of one speech, kept for networks that read windows of it.

use std::collections::VecDeque;

use super::sane;

/// Samples that are freed together, where nobody says otherwise.
const SAMPLES_PER_BLOCK: usize = 16_000;

/// Sound that cannot be added or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccumulatorError {
    /// No samples.
    #[error("no samples were added; expected at least one")]
    Empty,
    /// Samples after the end.
    #[error("samples were added after the sound was closed")]
    Closed,
    /// Closed twice.
    #[error("the sound was closed already")]
    AlreadyClosed,
    /// The end of a window has not been heard yet.
    #[error("samples {start}..{end} were asked for, but only {received} have been received so far")]
    NotYet {
        /// The first sample of the window.
        start: i64,
        /// The first sample after the window.
        end: i64,
        /// How many samples there are.
        received: i64,
    },
    /// The beginning of a window was freed.
    #[error("samples from {start} on were asked for, but those before {dropped} were freed")]
    Dropped {
        /// The first sample of the window.
        start: i64,
        /// The first sample that is kept.
        dropped: i64,
    },
    /// More shall be freed than there is.
    #[error("samples before {sample} cannot be freed; only {received} have been received so far")]
    DropBeyond {
        /// The first sample to be kept.
        sample: i64,
        /// How many samples there are.
        received: i64,
    },
    /// The factor on the samples is not a number.
    #[error("the input strength is {strength}; expected a finite number")]
    Strength {
        /// As given.
        strength: f32,
    },
}

/// How much of a sound there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This many samples so far.
    Open(i64),
    /// This many samples in all.
    Closed(i64),
}

/// Keeps the sound of a speech at the rate of its network and gives out windows of it.
///
/// Samples have indices from 0 on; before them, and after the last once it is known to be the last, there is silence. What
/// is no longer needed is freed in whole blocks. Values that are not numbers count as silence.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioAccumulator {
    samples: VecDeque<f32>,
    samples_per_block: usize,
    dropped: i64,
    is_closed: bool,
}

impl Default for AudioAccumulator {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioAccumulator {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::with_block(SAMPLES_PER_BLOCK)
    }

    /// The same where samples are freed in blocks of this many (at least 1) instead of 16 000.
    pub fn with_block(samples_per_block: usize) -> Self {
        Self { samples: VecDeque::new(), samples_per_block: samples_per_block.max(1), dropped: 0, is_closed: false }
    }

    /// Adds samples at the end.
    ///
    /// # Errors
    /// [`AccumulatorError`] if there are none, or the sound is closed.
    pub fn append(&mut self, samples: &[f32]) -> Result<(), AccumulatorError> {
        if self.is_closed {
            return Err(AccumulatorError::Closed);
        }
        if samples.is_empty() {
            return Err(AccumulatorError::Empty);
        }
        self.samples.extend(samples.iter().map(|sample| sane(*sample)));
        Ok(())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// [`AccumulatorError::AlreadyClosed`] if that was said before.
    pub fn close(&mut self) -> Result<(), AccumulatorError> {
        if self.is_closed {
            return Err(AccumulatorError::AlreadyClosed);
        }
        self.is_closed = true;
        Ok(())
    }

    /// Fills `window` with the samples from `start` on, multiplied by `input_strength`, and zeros where there are none.
    ///
    /// # Errors
    /// [`AccumulatorError`] if some have not been received yet or were freed (a window that begins before 0 counts as
    /// freed, too, once anything was), or the strength is not finite; `window` is then as it was.
    pub fn read(&self, start: i64, input_strength: f32, window: &mut [f32]) -> Result<(), AccumulatorError> {
        if !input_strength.is_finite() {
            return Err(AccumulatorError::Strength { strength: input_strength });
        }
        if self.dropped > 0 && start < self.dropped {
            return Err(AccumulatorError::Dropped { start, dropped: self.dropped });
        }
        let received = self.len_samples();
        let length = i64::try_from(window.len()).unwrap_or(i64::MAX);
        let end = start.saturating_add(length);
        if !self.is_closed && end > received {
            return Err(AccumulatorError::NotYet { start, end, received });
        }
        // Where in the window the first and the last real sample are; all conversions are within its length.
        let first = start.saturating_neg().clamp(0, length) as usize;
        let last = received.saturating_sub(start).clamp(first as i64, length) as usize;
        let kept_from = start.max(0).saturating_sub(self.dropped).clamp(0, self.samples.len() as i64) as usize;
        window[..first].fill(0.0);
        window[last..].fill(0.0);
        let real = &mut window[first..last];
        let samples = self.samples.range(kept_from..kept_from + real.len());
        if input_strength == 1.0 {
            real.iter_mut().zip(samples).for_each(|(out, sample)| *out = *sample);
        } else {
            real.iter_mut().zip(samples).for_each(|(out, sample)| *out = input_strength * sample);
        }
        Ok(())
    }

    /// Says that no sample before this one will be read again. Samples are freed in whole blocks.
    ///
    /// # Errors
    /// [`AccumulatorError::DropBeyond`] if it has not been received yet.
    pub fn drop_before(&mut self, sample: i64) -> Result<(), AccumulatorError> {
        let received = self.len_samples();
        if sample > received {
            return Err(AccumulatorError::DropBeyond { sample, received });
        }
        let block = self.samples_per_block as i64;
        let count = sample.saturating_sub(self.dropped).max(0) / block * block;
        self.samples.drain(..count as usize);
        self.dropped += count;
        Ok(())
    }

    /// Empty and open again.
    pub fn reset(&mut self) {
        self.samples.clear();
        self.dropped = 0;
        self.is_closed = false;
    }

    /// How many samples have been received: the index of the next one.
    pub fn len_samples(&self) -> i64 {
        self.dropped + self.samples.len() as i64
    }

    /// How many samples were freed: the index of the first that is kept.
    pub fn dropped_samples(&self) -> i64 {
        self.dropped
    }

    /// How much there is, and whether that is all.
    pub fn received(&self) -> Received {
        if self.is_closed { Received::Closed(self.len_samples()) } else { Received::Open(self.len_samples()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(samples: &[f32]) -> AudioAccumulator {
        let mut accumulator = AudioAccumulator::new();
        accumulator.append(samples).unwrap();
        accumulator
    }

    #[test]
    fn silence_surrounds_the_sound_once_its_end_is_known() {
        let mut accumulator = filled(&[1.0, 2.0, 3.0]);
        let mut window = [9.0; 5];
        accumulator.read(-2, 1.0, &mut window).unwrap();
        assert_eq!(window, [0.0, 0.0, 1.0, 2.0, 3.0]);
        let error = accumulator.read(-1, 1.0, &mut window).unwrap_err();
        assert_eq!(error, AccumulatorError::NotYet { start: -1, end: 4, received: 3 });
        assert_eq!(window, [0.0, 0.0, 1.0, 2.0, 3.0]);
        accumulator.close().unwrap();
        accumulator.read(1, 0.5, &mut window).unwrap();
        assert_eq!(window, [1.0, 1.5, 0.0, 0.0, 0.0]);
        for start in [i64::MIN, -5, 3, i64::MAX] {
            window.fill(9.0);
            accumulator.read(start, 1.0, &mut window).unwrap();
            assert_eq!(window, [0.0; 5], "{start}");
        }
        accumulator.read(2, 1.0, &mut []).unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut accumulator = AudioAccumulator::with_block(2);
        assert_eq!(accumulator.append(&[]), Err(AccumulatorError::Empty));
        accumulator.append(&[f32::NAN, 1e9, 0.5]).unwrap();
        let mut window = [9.0; 3];
        assert!(matches!(accumulator.read(0, f32::NAN, &mut window), Err(AccumulatorError::Strength { .. })));
        accumulator.read(0, 1.0, &mut window).unwrap();
        assert_eq!(window, [0.0, 16.0, 0.5]);
        assert_eq!(accumulator.drop_before(4), Err(AccumulatorError::DropBeyond { sample: 4, received: 3 }));
        accumulator.drop_before(i64::MIN).unwrap();
        accumulator.drop_before(3).unwrap();
        assert_eq!((accumulator.dropped_samples(), accumulator.len_samples()), (2, 3));
        assert_eq!(
            accumulator.read(-9, 1.0, &mut window[..1]),
            Err(AccumulatorError::Dropped { start: -9, dropped: 2 })
        );
        assert_eq!(accumulator.received(), Received::Open(3));
        accumulator.close().unwrap();
        assert_eq!(accumulator.received(), Received::Closed(3));
        assert_eq!(accumulator.close(), Err(AccumulatorError::AlreadyClosed));
        assert_eq!(accumulator.append(&[0.0]), Err(AccumulatorError::Closed));
        accumulator.reset();
        assert_eq!(accumulator, AudioAccumulator::with_block(2));
    }

    proptest! {
        #[test]
        fn the_same_however_the_sound_is_cut(
            count in 1_usize..400,
            cuts in prop::collection::vec(1_usize..60, 1..20),
            block in 1_usize..50,
            start in -50_i64..450,
            length in 0_usize..200,
            dropped in 0_usize..400,
        ) {
            let sound: Vec<f32> = (0..count).map(|index| (index as f32 * 0.7).sin()).collect();
            let mut whole = filled(&sound);
            let mut pieces = AudioAccumulator::with_block(block);
            let mut rest = &sound[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                if piece.is_empty() {
                    break;
                }
                pieces.append(piece).unwrap();
                rest = after;
            }
            whole.close().unwrap();
            pieces.close().unwrap();
            pieces.drop_before(dropped.min(count) as i64).unwrap();
            prop_assert_eq!(pieces.dropped_samples(), (dropped.min(count) / block * block) as i64);
            let (mut a, mut b) = (vec![9.0; length], vec![9.0; length]);
            whole.read(start, 0.9, &mut a).unwrap();
            let kept = pieces.dropped_samples() == 0 || start >= pieces.dropped_samples();
            prop_assert_eq!(pieces.read(start, 0.9, &mut b).is_ok(), kept);
            if kept {
                prop_assert_eq!(&a, &b);
            }
            for (index, value) in (start..).zip(&a) {
                let sample = usize::try_from(index).ok().and_then(|index| sound.get(index));
                prop_assert_eq!(*value, sample.map_or(0.0, |sample| 0.9 * sample));
            }
        }
    }
}

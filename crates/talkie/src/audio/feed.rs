//! The feed of one speech: sound goes in at any rate, 16 kHz mono with an absolute index comes out.

use super::{FormatError, SAMPLE_RATE, SpeechResampler};

/// Collects the sound of one speech for a network.
///
/// Sound enters as it comes ([`push`](Self::push), any rate, any piece size) and waits, resampled, until a network takes
/// it. Every sample has an index on the clock of the speech: 0 is the first sample ever pushed.
#[allow(missing_debug_implementations, reason = "rubato's resamplers have none")]
pub struct SpeechFeed {
    resampler: SpeechResampler,
    waiting: Vec<f32>,
    taken: u64,
    finished: bool,
}

impl SpeechFeed {
    /// A feed for interleaved sound of this rate and channel count.
    ///
    /// # Errors
    /// [`FormatError`] if either is outside what makes sense.
    pub fn new(sample_rate: u32, channels: usize) -> Result<Self, FormatError> {
        Ok(Self {
            resampler: SpeechResampler::new(sample_rate, channels)?,
            waiting: Vec::new(),
            taken: 0,
            finished: false,
        })
    }

    /// Takes interleaved samples, any number of them. Ignored after [`finish`](Self::finish).
    pub fn push(&mut self, samples: &[f32]) {
        if !self.finished {
            self.resampler.push(samples, &mut self.waiting);
        }
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        if !self.finished {
            self.resampler.finish(&mut self.waiting);
            self.finished = true;
        }
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Hands over what waits, at most `limit` samples, oldest first.
    pub fn take(&mut self, limit: usize, mut consume: impl FnMut(&[f32])) {
        let count = limit.min(self.waiting.len());
        consume(&self.waiting[..count]);
        self.waiting.drain(..count);
        self.taken += count as u64;
    }

    /// Samples that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Samples received so far at [`SAMPLE_RATE`], taken or waiting: the index of the next one.
    pub fn len_samples(&self) -> u64 {
        self.taken + self.waiting.len() as u64
    }

    /// The same in seconds.
    pub fn seconds(&self) -> f64 {
        self.len_samples() as f64 / f64::from(SAMPLE_RATE)
    }
}

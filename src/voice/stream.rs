//! Sound that comes while it is spoken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A voice that is spoken right now: a microphone that the game captures, the packets of a voice chat.
///
/// Make one, hand it to [`start`](super::SpeechCommands::start) and push what arrives, from any thread. The face follows
/// the newest sound as soon as the network for live voices has heard it; nothing is played, since whoever speaks is heard
/// already. When no sound comes the mouth closes; after [`finish`](Self::finish) the next line has its turn.
///
/// All clones are the same voice.
#[derive(Debug, Clone)]
pub struct VoiceStream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sample_rate: u32,
    channels: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    samples: Vec<f32>,
    finished: bool,
}

/// Sound that nobody could listen to for so long is not live any more and forgotten, in seconds.
const FORGOTTEN: f64 = 1.0;

impl VoiceStream {
    /// A voice of interleaved samples at this rate (in samples per second) and channel count.
    ///
    /// A format that cannot be used is told by [`SpeechFailed`](super::SpeechFailed) when the voice is started.
    pub fn live(sample_rate: u32, channels: usize) -> Self {
        Self { shared: Arc::new(Shared { sample_rate, channels, waiting: Mutex::default() }) }
    }

    /// Takes interleaved samples, nominally -1..=1, any number of them. What is not a number is silence. Ignored after
    /// [`finish`](Self::finish).
    pub fn push(&self, samples: &[f32]) {
        let mut waiting = self.waiting();
        if waiting.finished {
            return;
        }
        waiting.samples.extend(samples.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 }));
        let channels = self.shared.channels.max(1);
        let most = (FORGOTTEN * f64::from(self.shared.sample_rate)) as usize * channels;
        let old = waiting.samples.len().saturating_sub(most).next_multiple_of(channels);
        let old = old.min(waiting.samples.len());
        waiting.samples.drain(..old);
    }

    /// Says that nothing more will come.
    pub fn finish(&self) {
        self.waiting().finished = true;
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.waiting().finished
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.shared.sample_rate
    }

    /// Channels of the interleaved samples.
    pub fn channels(&self) -> usize {
        self.shared.channels
    }

    /// Whether there is something that nobody has listened to.
    pub(crate) fn has_news(&self) -> bool {
        let waiting = self.waiting();
        waiting.finished || !waiting.samples.is_empty()
    }

    /// Exchanges what waits for an empty buffer, so that nobody who pushes waits for who listens; tells whether that was all
    /// there will ever be.
    pub(crate) fn take(&self, heard: &mut Vec<f32>) -> bool {
        heard.clear();
        let mut waiting = self.waiting();
        core::mem::swap(&mut waiting.samples, heard);
        waiting.finished
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_the_newest_second_in_whole_frames() {
        let voice = VoiceStream::live(100, 3);
        for index in 0..200 {
            voice.push(&[index as f32, 0.0, f32::NAN]);
        }
        let mut heard = Vec::new();
        assert!(!voice.take(&mut heard));
        assert_eq!(heard.len(), 300);
        assert_eq!(
            heard[..3],
            [100.0, 0.0, 0.0],
            "the oldest second is forgotten, and silence stands for what is no number"
        );
        assert!(!voice.has_news());
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let voice = VoiceStream::live(16_000, 1);
        voice.push(&[0.1, 0.2]);
        voice.finish();
        voice.push(&[0.3]);
        let mut heard = Vec::new();
        assert!(voice.is_finished() && voice.has_news());
        assert!(voice.take(&mut heard));
        assert_eq!(heard, [0.1, 0.2]);
    }

    #[test]
    fn absurd_formats_do_no_harm() {
        for (rate, channels) in [(0, 0), (0, 2), (u32::MAX, 0), (1, usize::MAX)] {
            let voice = VoiceStream::live(rate, channels);
            voice.push(&[0.5; 7]);
            voice.take(&mut Vec::new());
        }
    }
}

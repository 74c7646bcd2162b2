//! Sound that comes while it is spoken.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::Thread,
    time::Instant,
};

use rtrb::Producer;
use talkie::animation::{HintError, SpeechHint, root_mean_square};

use super::microphone::CaptureReader;

/// A voice whose sound is not there yet when it begins to speak.
///
/// There are two kinds. [`live`](Self::live) is spoken right now by somebody who is heard anyway, through a voice chat or a
/// capture of the game's own: the face follows the newest sound through the network for live voices, and nothing is played.
/// [`speech`](Self::speech) is delivered in pieces, early or late, such as by a text-to-speech engine: the plugin plays it and the
/// face follows what is heard, as with a clip.
///
/// Make one, hand it to [`start`](super::SpeechCommands::start) and push what arrives, from any thread. When no sound comes
/// the mouth closes; after [`finish`](Self::finish) the next line has its turn.
///
/// All clones are the same voice.
#[derive(Debug, Clone)]
pub struct VoiceStream {
    shared: Arc<Shared>,
}

struct Shared {
    sample_rate: u32,
    channels: usize,
    kind: Kind,
    waiting: Mutex<Waiting>,
    /// Whoever animates it, to be woken when there is something new.
    listener: OnceLock<Thread>,
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shared")
            .field("sample_rate", &self.sample_rate)
            .field("channels", &self.channels)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

enum Kind {
    /// Heard by others while it is spoken.
    Live,
    /// Live too, from a device.
    Captured(Box<Mutex<CaptureReader>>),
    /// To be played.
    Speech,
}

impl core::fmt::Debug for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Live => "Live",
            Self::Captured(_) => "Captured",
            Self::Speech => "Speech",
        })
    }
}

/// A moment at which sound arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    /// The frames that had arrived by then.
    pub(crate) end: u64,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct Waiting {
    /// What no network has heard yet.
    unheard: Vec<f32>,
    /// What was not played yet, of a speech.
    unplayed: VecDeque<f32>,
    hints: Vec<SpeechHint>,
    marks: Vec<Mark>,
    /// Samples that networks hear before what arrives next.
    heard: u64,
    /// Samples that arrived.
    received: u64,
    finished: bool,
    closed: bool,
}

/// Live sound that nobody could listen to for so long is not live any more and forgotten, in seconds.
const FORGOTTEN: f64 = 1.0;

/// Loudness is that of so many seconds.
const LOUDNESS_WINDOW: f64 = 0.04;
/// What was heard is kept for a network that may begin, for so many seconds and up to twice as many.
const REMEMBERED: f64 = 1.0;

impl VoiceStream {
    /// A voice that is spoken now, of interleaved samples at this rate (in samples per second) and channel count. It is not played.
    ///
    /// A format that cannot be used is told by [`SpeechFailed`](super::SpeechFailed) when the voice is started.
    pub fn live(sample_rate: u32, channels: usize) -> Self {
        Self::new(sample_rate, channels, Kind::Live)
    }

    /// A speech that comes in pieces, of interleaved samples at this rate (in samples per second) and channel count. It is played.
    ///
    /// Pieces may be of any size and come faster than they are spoken: they wait, 4 bytes a sample. If they come too late, sound
    /// and face wait together, the mouth closes, and [`SpeechUnderrun`](super::SpeechUnderrun) tells.
    pub fn speech(sample_rate: u32, channels: usize) -> Self {
        Self::new(sample_rate, channels, Kind::Speech)
    }

    /// A voice that a device captures.
    pub(super) fn captured(reader: CaptureReader) -> Self {
        Self::new(reader.sample_rate(), 1, Kind::Captured(Box::new(Mutex::new(reader))))
    }

    fn new(sample_rate: u32, channels: usize, kind: Kind) -> Self {
        let shared = Shared { sample_rate, channels, kind, waiting: Mutex::default(), listener: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Takes interleaved samples, nominally -1..=1, any number of them. What is not a number is silence. Ignored after
    /// [`finish`](Self::finish), and when the voice was interrupted.
    pub fn push(&self, samples: &[f32]) {
        let mut waiting = self.waiting();
        if waiting.finished || waiting.closed {
            return;
        }
        let sane = samples.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 });
        waiting.unheard.extend(sane.clone());
        waiting.received += samples.len() as u64;
        let channels = self.shared.channels.max(1);
        if self.is_live() {
            let most = (FORGOTTEN * f64::from(self.shared.sample_rate)) as usize * channels;
            let old = waiting.unheard.len().saturating_sub(most).next_multiple_of(channels);
            let old = old.min(waiting.unheard.len());
            if old > 0 {
                waiting.unheard.drain(..old);
                waiting.marks.clear();
            }
            let end = (waiting.heard + waiting.unheard.len() as u64) / channels as u64;
            waiting.marks.push(Mark { end, at: Instant::now() });
        } else {
            waiting.unplayed.extend(sane);
        }
        drop(waiting);
        self.wake();
    }

    /// Says what is spoken when, in seconds from the first sample, as text-to-speech engines tell beside the samples: lips close
    /// where it says so, whatever the network heard. Hints may come before their sound or after it; what was already shown cannot
    /// be changed any more.
    ///
    /// # Errors
    /// [`HintError`] if its times make no sense.
    pub fn hint(&self, hint: SpeechHint) -> Result<(), HintError> {
        hint.check()?;
        self.waiting().hints.push(hint);
        Ok(())
    }

    /// Says that nothing more will come.
    pub fn finish(&self) {
        self.waiting().finished = true;
        self.wake();
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.waiting().finished
    }

    /// Whether nobody wants it any more: it was interrupted, or its face is gone. Whoever makes the sound can stop.
    pub fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.shared.sample_rate
    }

    /// Channels of the interleaved samples.
    pub fn channels(&self) -> usize {
        self.shared.channels
    }

    /// Seconds of sound that arrived so far, without what a device captured.
    pub fn received_seconds(&self) -> f64 {
        let per_second = f64::from(self.shared.sample_rate.max(1)) * self.shared.channels.max(1) as f64;
        self.waiting().received as f64 / per_second
    }

    /// Whether it is spoken now and not played.
    pub fn is_live(&self) -> bool {
        !matches!(self.shared.kind, Kind::Speech)
    }

    /// Whether it comes from a device.
    pub(super) fn is_captured(&self) -> bool {
        matches!(self.shared.kind, Kind::Captured(_))
    }

    /// Nobody listens any more. A device may be listened to again.
    pub(crate) fn close(&self) {
        if matches!(self.shared.kind, Kind::Captured(_)) {
            return;
        }
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.unheard = Vec::new();
        waiting.unplayed = VecDeque::new();
    }

    /// Wakes this thread when something arrives.
    pub(crate) fn wakes(&self, listener: Thread) {
        let _ = self.shared.listener.set(listener);
    }

    fn wake(&self) {
        if let Some(listener) = self.shared.listener.get() {
            listener.unpark();
        }
    }

    /// Whether there is something that nobody has listened to.
    pub(crate) fn has_news(&self) -> bool {
        let waiting = self.waiting();
        waiting.finished || !waiting.unheard.is_empty() || self.captured_waiting() > 0
    }

    fn captured_waiting(&self) -> usize {
        match &self.shared.kind {
            Kind::Captured(reader) => reader.lock().unwrap_or_else(PoisonError::into_inner).waiting(),
            _ => 0,
        }
    }

    /// Forgets what nobody has listened to.
    pub(super) fn forget_unheard(&self) {
        self.take(usize::MAX, &mut Vec::new(), &mut Vec::new());
    }

    /// Frames that were listened to or forgotten.
    pub(crate) fn heard_frames(&self) -> u64 {
        self.waiting().heard / self.shared.channels.max(1) as u64
    }

    /// Seconds of sound that arrived so far, from wherever it comes, after so many frames.
    pub(super) fn arrived_seconds(&self, before: u64) -> f64 {
        let frames = (self.heard_frames() + self.unheard_frames() as u64).saturating_sub(before);
        frames as f64 / f64::from(self.shared.sample_rate.max(1))
    }

    /// Listens for a face without a network: the root mean square at this moment, in seconds, or of a live voice of the newest sound;
    /// `None` if there is no new one. Tells too whether sound was forgotten that no network heard, so that one cannot go on where it was.
    pub(super) fn loudness(&self, seconds: f64, scratch: &mut Vec<f32>) -> (Option<f32>, bool) {
        let channels = self.shared.channels.max(1);
        let samples = |seconds: f64| (seconds * f64::from(self.shared.sample_rate)) as u64 * channels as u64;
        let window = samples(LOUDNESS_WINDOW) as usize;
        if self.is_live() {
            self.take(usize::MAX, scratch, &mut Vec::new());
            let newest = &scratch[scratch.len().saturating_sub(window)..];
            return ((!newest.is_empty()).then(|| root_mean_square(newest)), !newest.is_empty());
        }
        let mut waiting = self.waiting();
        let Some(now) = samples(seconds).checked_sub(waiting.heard) else { return (None, false) };
        let old = now.saturating_sub(samples(REMEMBERED)).min(waiting.unheard.len() as u64);
        let forgets = old > samples(REMEMBERED);
        let start = (now as usize).min(waiting.unheard.len());
        let end = (start + window).min(waiting.unheard.len());
        let loudness = (start < end).then(|| root_mean_square(&waiting.unheard[start..end]));
        if forgets {
            waiting.unheard.drain(..old as usize);
            waiting.heard += old;
        }
        (loudness, forgets)
    }

    /// Frames that nobody has listened to.
    pub(crate) fn unheard_frames(&self) -> usize {
        self.waiting().unheard.len() / self.shared.channels.max(1) + self.captured_waiting()
    }

    /// Hands over what waits, of a speech at most so many frames, and tells when it arrived, in frames of what is handed over; and
    /// whether that was all there will ever be. Nobody who pushes waits for who listens: buffers are exchanged where all is taken.
    pub(crate) fn take(&self, most_frames: usize, heard: &mut Vec<f32>, marks: &mut Vec<Mark>) -> bool {
        heard.clear();
        marks.clear();
        let mut waiting = self.waiting();
        let most = most_frames.saturating_mul(self.shared.channels.max(1));
        match &self.shared.kind {
            Kind::Captured(reader) => {
                reader.lock().unwrap_or_else(PoisonError::into_inner).take(heard, marks);
            }
            Kind::Speech if waiting.unheard.len() > most => {
                heard.extend(waiting.unheard.drain(..most));
                waiting.heard += heard.len() as u64;
                return false;
            }
            Kind::Live | Kind::Speech => {
                core::mem::swap(&mut waiting.unheard, heard);
                marks.append(&mut waiting.marks);
            }
        }
        let before = waiting.heard / self.shared.channels.max(1) as u64;
        marks.iter_mut().for_each(|mark| mark.end = mark.end.saturating_sub(before));
        waiting.heard += heard.len() as u64;
        waiting.finished
    }

    /// Hands over the hints that came since the last time.
    pub(crate) fn take_hints(&self, mut consume: impl FnMut(SpeechHint)) {
        self.waiting().hints.drain(..).for_each(&mut consume);
    }

    /// Moves up to `frames` frames that were not played to a player; tells how many it took.
    pub(super) fn play(&self, frames: usize, player: &mut Producer<f32>) -> usize {
        let channels = self.shared.channels.max(1);
        let mut waiting = self.waiting();
        let frames = frames.min(waiting.unplayed.len() / channels).min(player.slots() / channels);
        let samples = waiting.unplayed.drain(..frames * channels);
        samples.for_each(|sample| {
            // There is room: it was counted.
            let _ = player.push(sample);
        });
        frames
    }

    /// Forgets what was heard of a speech that nobody plays: all before this frame.
    pub(super) fn forget_played(&self, frame: u64) {
        let channels = self.shared.channels.max(1) as u64;
        let mut waiting = self.waiting();
        let played = waiting.received - waiting.unplayed.len() as u64;
        let old = (frame.saturating_mul(channels)).saturating_sub(played).min(waiting.unplayed.len() as u64);
        waiting.unplayed.drain(..old as usize);
    }

    /// Frames that were not handed to a player, and whether more will come.
    pub(super) fn unplayed(&self) -> (usize, bool) {
        let waiting = self.waiting();
        (waiting.unplayed.len() / self.shared.channels.max(1), !waiting.finished)
    }

    /// Looks at the device that it is captured from.
    pub(super) fn with_capture<R>(&self, act: impl FnOnce(&mut CaptureReader) -> R) -> Option<R> {
        match &self.shared.kind {
            Kind::Captured(reader) => Some(act(&mut reader.lock().unwrap_or_else(PoisonError::into_inner))),
            _ => None,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(voice: &VoiceStream) -> (Vec<f32>, Vec<u64>, bool) {
        let (mut heard, mut marks) = (Vec::new(), Vec::new());
        let all = voice.take(usize::MAX, &mut heard, &mut marks);
        (heard, marks.iter().map(|mark| mark.end).collect(), all)
    }

    #[test]
    fn what_waits_is_the_newest_second_in_whole_frames() {
        let voice = VoiceStream::live(100, 3);
        for index in 0..200 {
            voice.push(&[index as f32, 0.0, f32::NAN]);
        }
        let (heard, marks, all) = take(&voice);
        assert!(!all);
        assert_eq!(heard.len(), 300);
        assert_eq!(
            heard[..3],
            [100.0, 0.0, 0.0],
            "the oldest second is forgotten, and silence stands for what is no number"
        );
        assert_eq!(marks, [100], "what was forgotten has no moment any more");
        assert!(!voice.has_news());
        voice.push(&[0.0; 6]);
        assert_eq!(take(&voice).1, [2], "of what was taken now");
    }

    #[test]
    fn nothing_comes_after_the_end() {
        for voice in [VoiceStream::live(16_000, 1), VoiceStream::speech(16_000, 1)] {
            voice.push(&[0.1, 0.2]);
            voice.finish();
            voice.push(&[0.3]);
            assert!(voice.is_finished() && voice.has_news());
            let (heard, _, all) = take(&voice);
            assert!(all);
            assert_eq!(heard, [0.1, 0.2]);
        }
    }

    #[test]
    fn a_speech_waits_to_be_heard_and_to_be_played_for_as_long_as_it_takes() {
        let voice = VoiceStream::speech(100, 2);
        (0..500).for_each(|index| voice.push(&[index as f32; 3]));
        assert_eq!(take(&voice).0.len(), 1500);
        assert_eq!(voice.unplayed(), (750, true));
        let (mut player, mut device) = rtrb::RingBuffer::new(101);
        assert_eq!(voice.play(40, &mut player), 40);
        assert_eq!(voice.play(40, &mut player), 10, "whole frames, as far as there is room");
        assert_eq!(voice.unplayed(), (700, true));
        let played: Vec<f32> = core::iter::from_fn(|| device.pop().ok()).collect();
        assert_eq!(played, (0..100).map(|sample| (sample / 3) as f32).collect::<Vec<_>>());
        voice.close();
        voice.push(&[1.0]);
        assert!(voice.is_closed());
        assert_eq!(voice.unplayed().0, 0);
    }

    #[test]
    fn absurd_formats_do_no_harm() {
        for (rate, channels) in [(0, 0), (0, 2), (u32::MAX, 0), (1, usize::MAX)] {
            for voice in [VoiceStream::live(rate, channels), VoiceStream::speech(rate, channels)] {
                voice.push(&[0.5; 7]);
                take(&voice);
                assert!(voice.received_seconds().is_finite());
            }
        }
    }
}

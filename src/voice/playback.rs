//! The sound of one line on its way to a device: what the audio thread reads, and what it tells.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rtrb::{Consumer, Producer, RingBuffer};
use talkie::audio::AudioClip;

/// How much of a speech lies ready for the device, in seconds: enough for a hitch of the game.
const READY_SECONDS: f64 = 1.0;
/// After it ran dry, a speech goes on when so much lies ready, in seconds, so that it does not stutter.
pub(super) const REFILL_SECONDS: f64 = 0.1;
/// Sound that stops for want of samples fades within so many frames, and comes back so.
const SOFT_FRAMES: f32 = 128.0;
/// No seek is asked for.
const NOWHERE: u64 = u64::MAX;

/// What a line tells of its playing, and is told. All positions are frames on the clock of the speech: a line that is repeated
/// goes on counting.
#[derive(Debug)]
pub(crate) struct PlaybackState {
    /// Frames that the device took.
    played: AtomicU64,
    /// Where to go on.
    seek: AtomicU64,
    looped: AtomicBool,
    /// No more samples of a speech will come.
    complete: AtomicBool,
    /// The device takes, but there is nothing.
    starved: AtomicBool,
    sample_rate: u32,
}

impl PlaybackState {
    pub(crate) fn position_seconds(&self) -> f64 {
        self.played.load(Ordering::Acquire) as f64 / f64::from(self.sample_rate.max(1))
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Acquire)
    }

    /// Whether the device has not followed a seek yet.
    pub(crate) fn is_seeking(&self) -> bool {
        self.seek.load(Ordering::Acquire) != NOWHERE
    }

    pub(crate) fn seek(&self, seconds: f64) {
        let frame = (seconds.max(0.0) * f64::from(self.sample_rate)) as u64;
        self.seek.store(frame.min(NOWHERE - 1), Ordering::Release);
    }

    pub(crate) fn set_looped(&self, looped: bool) {
        self.looped.store(looped, Ordering::Relaxed);
    }

    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }
}

/// What a device plays: the samples of a line, interleaved, at its own rate. Made for the audio thread: it reads shared memory and
/// does nothing else. It ends with the line; a stream that runs dry gives silence meanwhile.
#[allow(missing_debug_implementations, reason = "a ring has none")]
pub struct LineSamples {
    source: Source,
    state: Arc<PlaybackState>,
    channels: usize,
    /// The next channel of the current frame.
    channel: usize,
    /// Frames that were given, on the clock of the speech.
    frame: u64,
    /// Of a speech: whether it waits for samples, how loud it is, and what was given last.
    waits: bool,
    loudness: f32,
    last: Vec<f32>,
}

enum Source {
    Recorded { sound: Arc<AudioClip>, next: usize },
    Streamed { samples: Consumer<f32>, refill: usize },
}

/// A line as something that can be played once.
pub(crate) struct LineSound(Mutex<Option<LineSamples>>);

impl LineSound {
    /// A recording.
    pub(crate) fn recorded(sound: Arc<AudioClip>, looped: bool) -> (Self, Arc<PlaybackState>) {
        let (sample_rate, channels) = (sound.sample_rate(), sound.channels());
        let (line, state) = Self::new(Source::Recorded { sound, next: 0 }, sample_rate, channels);
        state.set_looped(looped);
        (line, state)
    }

    /// A speech that is put in while it is played.
    pub(crate) fn streamed(sample_rate: u32, channels: usize) -> (Self, Arc<PlaybackState>, Producer<f32>) {
        let channels = channels.clamp(1, 64);
        let frames = |seconds: f64| (seconds * f64::from(sample_rate.clamp(1, 1_000_000))).ceil() as usize;
        let (producer, samples) = RingBuffer::new(frames(READY_SECONDS) * channels);
        let refill = frames(REFILL_SECONDS) * channels;
        let (line, state) = Self::new(Source::Streamed { samples, refill }, sample_rate, channels);
        (line, state, producer)
    }

    fn new(source: Source, sample_rate: u32, channels: usize) -> (Self, Arc<PlaybackState>) {
        let state = Arc::new(PlaybackState {
            played: AtomicU64::new(0),
            seek: AtomicU64::new(NOWHERE),
            looped: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            sample_rate,
        });
        let samples = LineSamples {
            source,
            state: state.clone(),
            channels,
            channel: 0,
            frame: 0,
            waits: false,
            loudness: 1.0,
            last: vec![0.0; channels],
        };
        (Self(Mutex::new(Some(samples))), state)
    }

    /// All of its sound, if it is a recording.
    pub(crate) fn recording(&self) -> Option<Arc<AudioClip>> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &samples.as_ref()?.source {
            Source::Recorded { sound, .. } => Some(sound.clone()),
            Source::Streamed { .. } => None,
        }
    }

    /// The samples, for the one who plays them; there are none for another.
    pub(crate) fn samples(&self) -> Option<LineSamples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Iterator for LineSamples {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.channel == 0 && !self.begin_frame() {
            return None;
        }
        let channel = self.channel;
        self.channel = (channel + 1) % self.channels;
        let sample = match &mut self.source {
            Source::Recorded { sound, next } => {
                let sample = sound.samples().get(*next).copied().unwrap_or(0.0);
                *next += 1;
                sample
            }
            Source::Streamed { .. } if self.waits => {
                // What was heard last dies away instead of clicking.
                self.last[channel] *= 1.0 - 4.0 / SOFT_FRAMES;
                self.last[channel]
            }
            Source::Streamed { samples, .. } => {
                let sample = samples.pop().unwrap_or(0.0) * self.loudness;
                self.last[channel] = sample;
                sample
            }
        };
        if self.channel == 0 && !self.waits {
            self.frame += 1;
            self.loudness = (self.loudness + 1.0 / SOFT_FRAMES).min(1.0);
            self.state.played.store(self.frame, Ordering::Release);
        }
        Some(sample)
    }
}

impl LineSamples {
    /// Channels of the interleaved samples.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        self.state.sample_rate
    }

    /// Whether there is another frame; goes where it shall be.
    fn begin_frame(&mut self) -> bool {
        match &mut self.source {
            Source::Recorded { sound, next } => {
                let goal = self.state.seek.load(Ordering::Acquire);
                if goal != NOWHERE {
                    (self.frame, *next) = (goal, (goal as usize).saturating_mul(self.channels));
                    self.state.played.store(goal, Ordering::Release);
                    // Another goal that came meanwhile is not lost.
                    let _ = self.state.seek.compare_exchange(goal, NOWHERE, Ordering::AcqRel, Ordering::Acquire);
                }
                let length = sound.samples().len();
                if *next + self.channels > length {
                    if !self.state.looped.load(Ordering::Relaxed) || length < self.channels {
                        return false;
                    }
                    *next = 0;
                }
                true
            }
            Source::Streamed { samples, refill } => {
                // In this order: what comes before the end is seen with it.
                let complete = self.state.complete.load(Ordering::Acquire);
                let ready = samples.slots();
                let enough = if self.waits && !complete { *refill } else { self.channels };
                if ready < enough && complete {
                    return false;
                }
                let waits = ready < enough;
                if waits != self.waits {
                    self.waits = waits;
                    self.loudness = 0.0;
                    self.state.starved.store(waits, Ordering::Release);
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(frames: usize, channels: usize) -> Arc<AudioClip> {
        let samples = (0..frames * channels).map(|i| i as f32 / 64.0).collect();
        Arc::new(AudioClip::from_samples(16_000, channels, samples).unwrap())
    }

    #[test]
    fn a_recording_is_played_once_and_only_by_one() {
        let (line, state) = LineSound::recorded(counting(100, 2), false);
        let samples = line.samples().unwrap();
        assert!(line.samples().is_none());
        assert_eq!(samples.collect::<Vec<_>>(), (0..200).map(|i| i as f32 / 64.0).collect::<Vec<_>>());
        assert_eq!(state.position_seconds(), 100.0 / 16_000.0);
    }

    #[test]
    fn a_round_follows_the_other_until_it_shall_not() {
        let (line, state) = LineSound::recorded(counting(10, 1), true);
        let mut samples = line.samples().unwrap();
        let heard: Vec<f32> = samples.by_ref().take(25).map(|sample| sample * 64.0).collect();
        assert_eq!(heard[8..12], [8.0, 9.0, 0.0, 1.0]);
        assert_eq!(state.position_seconds(), 25.0 / 16_000.0, "it goes on counting");
        state.set_looped(false);
        assert_eq!(samples.map(|sample| sample * 64.0).collect::<Vec<_>>(), [5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    #[test]
    fn a_seek_happens_between_two_frames() {
        let (line, state) = LineSound::recorded(counting(100, 2), false);
        let mut samples = line.samples().unwrap();
        assert_eq!(samples.next(), Some(0.0));
        state.seek(50.0 / 16_000.0);
        assert!(state.is_seeking());
        let heard: Vec<f32> = samples.by_ref().take(3).map(|sample| sample * 64.0).collect();
        assert_eq!(heard, [1.0, 100.0, 101.0]);
        assert!(!state.is_seeking());
        assert_eq!(state.position_seconds(), 51.0 / 16_000.0);
        state.seek(1e9);
        assert_eq!(samples.next(), None);
    }

    #[test]
    fn a_speech_that_runs_dry_waits_counts_nothing_and_fades() {
        let (line, state, mut feed) = LineSound::streamed(1_000, 1);
        let mut samples = line.samples().unwrap();
        (0..50).for_each(|_| feed.push(0.5).unwrap());
        assert!(samples.by_ref().take(50).all(|sample| sample == 0.5));
        let silence: Vec<f32> = samples.by_ref().take(300).collect();
        assert!(state.is_starved());
        assert!(silence[0] > 0.4 && silence[299] < 1e-3, "{} {}", silence[0], silence[299]);
        assert_eq!(state.position_seconds(), 0.05);
        // Less than a refill is not enough to go on.
        (0..99).for_each(|_| feed.push(0.5).unwrap());
        samples.next();
        assert!(state.is_starved());
        feed.push(0.5).unwrap();
        let back: Vec<f32> = samples.by_ref().take(100).collect();
        assert!(!state.is_starved() && back[0] < 0.01 && back[99] > 0.3, "{} {}", back[0], back[99]);
        assert_eq!(state.position_seconds(), 0.15);
        // The rest is played when nothing more will come.
        (0..10).for_each(|_| feed.push(0.5).unwrap());
        samples.next();
        state.complete();
        assert!((8..=10).contains(&samples.count()));
        assert!((0.159..=0.16).contains(&state.position_seconds()), "{}", state.position_seconds());
    }

    #[test]
    fn the_audio_thread_allocates_nothing() {
        let (line, state) = LineSound::recorded(counting(1_000, 2), true);
        let mut recorded = line.samples().unwrap();
        let (line, _, mut feed) = LineSound::streamed(16_000, 2);
        let mut streamed = line.samples().unwrap();
        let counted = allocation_counter::measure(|| {
            for round in 0..100 {
                recorded.by_ref().take(700).for_each(drop);
                state.seek(f64::from(round) / 200.0);
                streamed.by_ref().take(700).for_each(drop);
                (0..600).for_each(|_| {
                    let _ = feed.push(0.1);
                });
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}

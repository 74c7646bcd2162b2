//! Lines that another audio engine plays.

use std::{sync::Arc, time::Duration};

use bevy_ecs::component::Component;
use bevy_platform::cell::SyncCell;
use talkie::audio::AudioClip;

use super::{
    VoiceSettings,
    clock::SinkReport,
    playback::{LineSamples, LineSound, PlaybackState},
};

/// A line that another audio engine is asked to play: the way to engines that this crate does not know.
///
/// Where [`VoiceSettings::output`] is [`VoiceOutput::External`](super::VoiceOutput::External), an entity with it appears as a child of
/// the speaker when the line shall be heard, and is despawned when it shall not any more. A system of the game (before
/// [`TalkieSystems::Voice`](crate::TalkieSystems::Voice), best in `PreUpdate`) starts the sound and keeps both in step, in one of two
/// ways:
///
/// - An engine that asks for samples takes [`take_samples`](Self::take_samples) and pulls. Then pause is all it has to do itself; seek,
///   repetition and position come with the samples, streams too.
/// - An engine that plays whole sounds takes [`sound`](Self::sound), does what [`volume`](Self::volume), [`speed`](Self::speed),
///   [`paused`](Self::paused), [`looped`](Self::looped) and [`take_seek`](Self::take_seek) say, and tells the
///   [`position`](Self::report) in every frame. A stream has no whole sound.
///
/// A line that no engine has started within a few frames goes on unheard, in the time of the game.
#[derive(Component)]
#[allow(missing_debug_implementations, reason = "samples on their way have none")]
pub struct ExternalLine {
    /// Loudness as a linear factor; falls to 0 where the line is interrupted.
    pub volume: f32,
    /// Playback speed.
    pub speed: f32,
    /// Whether it shall be silent and go on later.
    pub paused: bool,
    /// Whether it begins again at its end. The position goes on counting.
    pub looped: bool,
    /// Whether it shall come from where it is, which is where the speaker is.
    pub spatial: bool,
    pub(super) seek: Option<f64>,
    sound: Option<Arc<AudioClip>>,
    samples: Option<SyncCell<LineSamples>>,
    position: Option<f64>,
    latency: Option<Duration>,
    ended: bool,
}

impl ExternalLine {
    pub(super) fn new(line: LineSound, settings: &VoiceSettings, paused: bool, looped: bool) -> Option<Self> {
        Some(Self {
            volume: settings.volume,
            speed: settings.sane_speed(),
            paused,
            looped,
            spatial: settings.spatial,
            seek: None,
            sound: line.recording(),
            samples: Some(SyncCell::new(line.samples()?)),
            position: None,
            latency: None,
            ended: false,
        })
    }

    /// All of its sound; `None` if it is a stream.
    pub fn sound(&self) -> Option<&Arc<AudioClip>> {
        self.sound.as_ref()
    }

    /// Its samples, one after the other, for the audio thread: the position is known by how many were pulled. Only once.
    pub fn take_samples(&mut self) -> Option<LineSamples> {
        self.samples.take().map(SyncCell::to_inner)
    }

    /// Whether its samples were taken.
    pub fn is_pulled(&self) -> bool {
        self.samples.is_none()
    }

    /// Where it shall go on, in seconds from its start, if it was sought in since the last time.
    pub fn take_seek(&mut self) -> Option<f64> {
        self.seek.take()
    }

    /// Tells where the engine is, in seconds from the start of the line: what it plays now, or what is heard, if
    /// [`set_latency`](Self::set_latency) says zero.
    pub fn report(&mut self, position: f64) {
        if position.is_finite() {
            self.position = Some(position);
        }
    }

    /// Tells how long after the engine took a sample it is heard, for an engine that knows better than the device that was asked. What
    /// the game [fixed](super::OutputLatency::fixed) counts more.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = Some(latency);
    }

    /// How late it is heard, if the engine said so.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// Tells that the engine has played it to its end.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// What is known of its playing; `None` while nobody plays it.
    pub(super) fn sink_report(&self, state: &PlaybackState) -> Option<SinkReport> {
        let position = if self.is_pulled() { state.position_seconds() } else { self.position? };
        let starved = self.is_pulled() && state.is_starved();
        Some(SinkReport { position, speed: f64::from(self.speed), paused: self.paused, starved, drained: self.ended })
    }
}

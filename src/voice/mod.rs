//! What a character says: clips, live voices, the queue, the verbs, and the clock of what is heard.

#[cfg(feature = "asset_processor")]
mod bake;
mod clip;
mod clock;
mod event;
mod external;
mod geometry;
#[cfg(feature = "bevy_kira_audio")]
mod kira;
mod latency;
mod loudness;
pub mod microphone;
mod output;
mod playback;
mod plugin;
#[cfg(feature = "bevy_seedling")]
mod seedling;
mod sound;
mod stream;
mod utterance;

use std::{collections::VecDeque, time::Duration};

use bevy_asset::{Assets, Handle};
use bevy_ecs::{component::Component, entity::Entity, name::Name, system::EntityCommands, world::EntityWorldMut};
use talkie::animation::{self, FacePose};

#[cfg(feature = "asset_processor")]
pub use bake::{BakeSettings, BakeVoices, BakeVoicesPlugin};
pub(crate) use clip::Sound;
pub use clip::{
    FaceTrack, FaceTrackError, FaceTrackLoader, VoiceClip, VoiceClipError, VoiceClipLoader, VoiceClipSettings,
};
pub use event::{SpeechFailed, SpeechFinished, SpeechInterrupted, SpeechStarted, SpeechUnderrun};
pub use external::ExternalLine;
#[cfg(feature = "bevy_kira_audio")]
pub use kira::KiraVoicePlugin;
pub use latency::{Latencies, LiveLatency};
pub use output::OutputLatency;
pub use playback::LineSamples;
pub use plugin::VoicePlugin;
pub(crate) use plugin::speak;
#[cfg(feature = "bevy_seedling")]
pub use seedling::{LineNode, SeedlingVoicePlugin};
pub(crate) use stream::Mark;
pub use stream::VoiceStream;
pub(crate) use utterance::Animated;
use utterance::{Held, Stage, Utterance};

use crate::ease::ease;

/// How a finished line settles: time in which the last pose gives way to rest.
const SETTLE: Duration = Duration::from_millis(180);

/// What plays the voice of a character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VoiceOutput {
    /// `bevy_audio`, where its feature is on and there is a device.
    #[default]
    Bevy,
    /// Another engine, through an [`ExternalLine`].
    External,
}

/// How the voice of one character sounds. Volume, speed and repetition may change while it speaks; the rest is read when a line
/// starts.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct VoiceSettings {
    /// Loudness as a linear factor, default 1.
    pub volume: f32,
    /// Playback speed, default 1: twice as fast is an octave higher. The face keeps pace. Live voices have their own.
    pub speed: f32,
    /// Whether a line begins again at its end, until it is interrupted or this is taken back. Default `false`. Streams end.
    pub looped: bool,
    /// What plays it.
    pub output: VoiceOutput,
    /// Whether the sound comes from where the character is. Default `false`; another engine decides for itself.
    pub spatial: bool,
    /// Factor on distances for spatial sound; `None` uses that of Bevy's `AudioPlugin`.
    pub spatial_scale: Option<f32>,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self { volume: 1.0, speed: 1.0, looped: false, output: VoiceOutput::Bevy, spatial: false, spatial_scale: None }
    }
}

impl VoiceSettings {
    /// A speed that makes sense.
    pub(crate) fn sane_speed(&self) -> f32 {
        if self.speed.is_finite() { self.speed.max(0.0) } else { 1.0 }
    }
}

/// What a character says now and next. Comes with [`TalkingFace`](crate::face::TalkingFace).
///
/// Lines are spoken in the order in which they were given; each starts when the one before has been heard.
#[derive(Component, Default)]
pub struct Voice {
    queue: VecDeque<Queued>,
    current: Option<Utterance>,
    /// A line that ended or was interrupted and still shows on the face.
    settling: Option<Utterance>,
    /// Interrupted lines that nobody was told about yet.
    interrupted: Vec<(Handle<VoiceClip>, f64)>,
    /// Players that nobody should hear any more.
    retired: Vec<Entity>,
    /// Holds its breath.
    paused: bool,
    /// Whether networks animate it now.
    networks: bool,
    last_id: u64,
}

/// A line that waits for its turn.
struct Queued {
    clip: Handle<VoiceClip>,
    /// The stream it is, if it is known to be one: closed when nobody wants it any more.
    stream: Option<Held>,
}

impl core::fmt::Debug for Voice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Voice")
            .field("speaking", &self.is_speaking())
            .field("heard_seconds", &self.heard_seconds())
            .field("waiting", &self.queue.len())
            .finish()
    }
}

impl Voice {
    /// Whether a line is heard now.
    pub fn is_speaking(&self) -> bool {
        self.current.as_ref().is_some_and(|line| line.stage.is_heard())
    }

    /// Whether nothing is heard and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    /// The line that is spoken or about to be.
    pub fn current(&self) -> Option<&Handle<VoiceClip>> {
        self.current.as_ref().map(|line| &line.clip)
    }

    /// Lines that wait behind the current one.
    pub fn queued(&self) -> impl ExactSizeIterator<Item = &Handle<VoiceClip>> {
        self.queue.iter().map(|line| &line.clip)
    }

    /// The moment of the current line that is heard now, in seconds from its start; 0 if nothing is spoken. In a line that is
    /// repeated it goes on counting.
    pub fn heard_seconds(&self) -> f64 {
        self.current.as_ref().map_or(0.0, |line| line.clock.seconds())
    }

    /// The poses of the current line as far as they are known.
    pub fn track(&self) -> Option<&animation::FaceTrack> {
        self.current.as_ref().map(Utterance::track)
    }

    /// Adds a line behind those that wait.
    pub fn say(&mut self, clip: Handle<VoiceClip>) {
        self.queue.push_back(Queued { clip, stream: None });
    }

    /// Holds the current line, or the next one at its start: sound and face stop together, and the mouth closes. What a live voice
    /// says meanwhile is not shown.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Goes on where [`pause`](Self::pause) stopped.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether it is held.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Goes on at another moment of the current line, in seconds from its start. A stream has no other moment: it takes no notice.
    pub fn seek(&mut self, seconds: f64) {
        if let Some(line) = &mut self.current
            && seconds.is_finite()
        {
            line.seek = Some(seconds.max(0.0));
        }
    }

    /// Stops speaking and forgets what waits. Sound and face fade out within `fade`; the mouth closes naturally. Streams are closed;
    /// a pause is over.
    pub fn interrupt(&mut self, fade: Duration) {
        self.paused = false;
        if let Some(mut line) = self.current.take() {
            self.interrupted.push((line.clip.clone(), line.clock.seconds()));
            if line.stage.is_heard() {
                line.settle(fade.as_secs_f32());
                self.settle(line);
            } else {
                self.retired.extend(line.player.as_ref().map(|player| player.entity));
            }
        }
        self.interrupted.extend(self.queue.drain(..).map(|line| (line.clip, 0.0)));
    }

    fn settle(&mut self, line: Utterance) {
        let before = self.settling.replace(line);
        self.retired.extend(before.and_then(|line| line.player).map(|player| player.entity));
    }

    /// Whether a frame can pass without a look at this voice.
    fn is_still(&self) -> bool {
        self.is_idle() && self.settling.is_none() && self.interrupted.is_empty() && self.retired.is_empty()
    }

    /// The pose of speech at the moment that is heard now, rest if nothing is spoken, and how much the mouth belongs to
    /// speech, 0..=1.
    pub fn speech_pose(&self) -> (FacePose, f32) {
        let (mut pose, mut presence) = match &self.current {
            Some(line) if line.stage.is_heard() => {
                let mut pose = line.pose();
                let left = settling_weight(line.settled(), 1.0);
                pose.weights.iter_mut().for_each(|weight| *weight *= left);
                (pose, left)
            }
            _ => (FacePose::REST, 0.0),
        };
        if let Some(line) = &self.settling
            && let Stage::Settling { elapsed, fade } = line.stage
        {
            let left = settling_weight(elapsed, fade);
            let fading = line.pose();
            for (weight, faded) in pose.weights.iter_mut().zip(&fading.weights) {
                *weight = weight.max(faded * left);
            }
            presence = f32::max(presence, left);
        }
        (pose, presence)
    }
}

/// How much of a settling line is left: falls smoothly from 1 to 0.
fn settling_weight(elapsed: f32, fade: f32) -> f32 {
    if fade <= 0.0 {
        return 0.0;
    }
    ease((1.0 - elapsed / fade).clamp(0.0, 1.0))
}

/// The verbs of speech, on the entity that has a [`TalkingFace`](crate::face::TalkingFace).
pub trait SpeechCommands {
    /// Speaks a line, after those that were given before. Ten lines in one frame are ten lines one after another.
    ///
    /// [`SpeechStarted`] and [`SpeechFinished`] tell when it is heard; [`SpeechFailed`] if it cannot be.
    fn say(&mut self, clip: Handle<VoiceClip>) -> &mut Self;

    /// Speaks what comes through a stream, after the lines that were given before, until it is [finished](VoiceStream::finish) or
    /// interrupted.
    ///
    /// A [live voice](VoiceStream::live) is animated by the [network for live voices](crate::face::TalkingFace::live_model) and not
    /// played; a [speech](VoiceStream::speech) is played and animated as lines are.
    fn start(&mut self, voice: &VoiceStream) -> &mut Self;

    /// Stops speaking and forgets the lines that wait; face and sound fade out within `fade`.
    ///
    /// [`SpeechInterrupted`] comes once for each line. Does nothing to a face that is silent.
    fn interrupt(&mut self, fade: Duration) -> &mut Self;
}

impl SpeechCommands for EntityCommands<'_> {
    fn say(&mut self, clip: Handle<VoiceClip>) -> &mut Self {
        self.queue(move |mut entity: EntityWorldMut<'_>| with_voice(&mut entity, "say", |voice| voice.say(clip)))
    }

    fn start(&mut self, voice: &VoiceStream) -> &mut Self {
        let voice = voice.clone();
        self.queue(move |mut entity: EntityWorldMut<'_>| {
            let clip = VoiceClip::from(voice.clone());
            let clip =
                entity.world_scope(|world| world.get_resource_mut::<Assets<VoiceClip>>().map(|mut all| all.add(clip)));
            if let Some(clip) = clip {
                let line = Queued { clip, stream: Some(Held(voice)) };
                with_voice(&mut entity, "start", |voice| voice.queue.push_back(line));
            }
        })
    }

    fn interrupt(&mut self, fade: Duration) -> &mut Self {
        self.queue(move |mut entity: EntityWorldMut<'_>| {
            with_voice(&mut entity, "interrupt", |voice| voice.interrupt(fade));
        })
    }
}

fn with_voice(entity: &mut EntityWorldMut<'_>, verb: &str, act: impl FnOnce(&mut Voice)) {
    let (id, name) = (entity.id(), entity.get::<Name>().map(|name| format!(" ({name})")).unwrap_or_default());
    match entity.get_mut::<Voice>() {
        Some(mut voice) => act(&mut voice),
        None => bevy_log::warn!("`{verb}` on {id}{name}, which cannot speak: it needs a `TalkingFace`"),
    }
}

#[cfg(test)]
#[cfg(feature = "bevy_audio")]
mod tests;

//! What a character says: clips, live voices, the queue, the verbs, and the clock of what is heard.

mod clip;
mod clock;
mod event;
mod geometry;
mod plugin;
mod sound;
mod stream;

use std::{collections::VecDeque, time::Duration};

use bevy_asset::{Assets, Handle};
use bevy_ecs::{
    component::Component, entity::Entity, name::Name, resource::Resource, system::EntityCommands, world::EntityWorldMut,
};
use bevy_platform::cell::SyncCell;
use talkie::{
    animation::{FacePose, FaceTrack, FrameRate},
    model::audio2face::FaceGeometry,
};

pub(crate) use clip::Sound;
pub use clip::{VoiceClip, VoiceClipError, VoiceClipLoader};
pub use event::{SpeechFailed, SpeechFinished, SpeechInterrupted, SpeechStarted};
pub use plugin::VoicePlugin;
pub(crate) use plugin::speak;
pub use stream::VoiceStream;

use crate::inference::{FaceModel, Line};
use clock::HeardClock;
use geometry::GeometryTrack;

/// A live voice that gives nothing new for so many seconds is silent.
const STALE: f32 = 0.1;

/// How a finished line settles: time in which the last pose gives way to rest.
const SETTLE: Duration = Duration::from_millis(180);

/// How long after a sample was handed to the audio device it is heard. Only matters where sound is played.
///
/// `bevy_audio` cannot ask the device. The default of 60 ms fits its buffering on desktop systems; a Bluetooth headset may
/// need 200 ms and more.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLatency(pub Duration);

impl Default for OutputLatency {
    fn default() -> Self {
        Self(Duration::from_millis(60))
    }
}

/// How the voice of one character sounds. Read when a line starts.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
pub struct VoiceSettings {
    /// Loudness as a linear factor, default 1.
    pub volume: f32,
    /// Playback speed, default 1. The face keeps pace.
    pub speed: f32,
    /// Whether the sound comes from where the character is. Default `false`.
    pub spatial: bool,
    /// Factor on distances for spatial sound; `None` uses that of Bevy's `AudioPlugin`.
    pub spatial_scale: Option<f32>,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self { volume: 1.0, speed: 1.0, spatial: false, spatial_scale: None }
    }
}

/// What a character says now and next. Comes with [`TalkingFace`](crate::face::TalkingFace).
///
/// Lines are spoken in the order in which they were given; each starts when the one before has been heard.
#[derive(Component, Default)]
pub struct Voice {
    queue: VecDeque<Handle<VoiceClip>>,
    current: Option<Utterance>,
    /// A line that ended or was interrupted and still shows on the face.
    settling: Option<Utterance>,
    /// Interrupted lines that nobody was told about yet.
    interrupted: Vec<(Handle<VoiceClip>, f64)>,
    /// Players that nobody should hear any more.
    retired: Vec<Entity>,
    last_id: u64,
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

/// One line on its way through loading, animation and playing.
struct Utterance {
    /// Tells lines of one voice apart.
    id: u64,
    clip: Handle<VoiceClip>,
    sound: Option<Sound>,
    animation: Animation,
    track: FaceTrack,
    /// The meshes that belong to the track, where they are wanted.
    geometry: GeometryTrack,
    /// Whether the network that animates it takes emotions and shows them.
    shows_emotions: bool,
    stage: Stage,
    clock: HeardClock,
    /// The entity that plays the sound.
    player: Option<Entity>,
}

/// How far the poses of a line are.
enum Animation {
    /// The model is not loaded yet.
    Waiting,
    /// Ready for the next batch. In a cell, since resamplers can be sent but not shared.
    Ready(Box<SyncCell<Line>>),
    /// In a batch on the task pool.
    InFlight,
    /// All poses are in the track.
    Complete,
    /// There will be none.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Sound or model are still loading, or the first poses are not there yet.
    Preparing,
    /// The sound was started, but nothing of it is heard yet; counts the frames without a sink.
    Starting { frames: u32 },
    /// Heard through a device.
    Playing,
    /// Heard by nobody: runs with the time of the game.
    Simulated,
    /// Spoken now: shows the newest poses there are, which have been the newest for so many seconds.
    Live { stale: f32 },
    /// Over; its last poses give way to rest.
    Settling { elapsed: f32, fade: f32 },
}

impl Stage {
    /// Whether the face shows what is spoken.
    fn is_heard(self) -> bool {
        matches!(self, Self::Playing | Self::Simulated | Self::Live { .. })
    }

    /// How far the face has gone back to rest by itself, 0..=1: that of a live voice of which nothing comes any more, so that
    /// it leaves no mouth open.
    fn settled(self) -> f32 {
        match self {
            Self::Live { stale } => ((stale - STALE) / SETTLE.as_secs_f32()).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }

    /// Gives way to rest from now on, within `fade` seconds.
    fn settle(&mut self, fade: f32) {
        *self = Self::Settling { elapsed: self.settled() * fade, fade };
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
        self.queue.iter()
    }

    /// The moment of the current line that is heard now, in seconds from its start; 0 if nothing is spoken.
    pub fn heard_seconds(&self) -> f64 {
        self.current.as_ref().map_or(0.0, |line| line.clock.seconds())
    }

    /// The poses of the current line as far as they are known.
    pub fn track(&self) -> Option<&FaceTrack> {
        self.current.as_ref().map(|line| &line.track)
    }

    /// Adds a line behind those that wait.
    pub fn say(&mut self, clip: Handle<VoiceClip>) {
        self.queue.push_back(clip);
    }

    /// Stops speaking and forgets what waits. Sound and face fade out within `fade`; the mouth closes naturally.
    pub fn interrupt(&mut self, fade: Duration) {
        if let Some(mut line) = self.current.take() {
            self.interrupted.push((line.clip.clone(), line.clock.seconds()));
            if line.stage.is_heard() {
                line.stage.settle(fade.as_secs_f32());
                self.settle(line);
            } else {
                self.retired.extend(line.player);
            }
        }
        self.interrupted.extend(self.queue.drain(..).map(|clip| (clip, 0.0)));
    }

    fn settle(&mut self, line: Utterance) {
        let before = self.settling.replace(line);
        self.retired.extend(before.and_then(|line| line.player));
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
                let mut pose = line.track.sample_seconds(line.clock.seconds());
                let left = settling_weight(line.stage.settled(), 1.0);
                pose.weights.iter_mut().for_each(|weight| *weight *= left);
                (pose, left)
            }
            _ => (FacePose::REST, 0.0),
        };
        if let Some(Utterance { track, clock, stage: Stage::Settling { elapsed, fade }, .. }) = &self.settling {
            let left = settling_weight(*elapsed, *fade);
            let fading = track.sample_seconds(clock.seconds());
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
    let x = (1.0 - elapsed / fade).clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

impl Utterance {
    fn new(id: u64, clip: Handle<VoiceClip>) -> Self {
        Self {
            id,
            clip,
            sound: None,
            animation: Animation::Waiting,
            track: FaceTrack::new(FrameRate::per_second(50)),
            geometry: GeometryTrack::default(),
            shows_emotions: false,
            stage: Stage::Preparing,
            clock: HeardClock::default(),
            player: None,
        }
    }

    /// Length of its sound; a live voice has none that is known.
    fn seconds(&self) -> f64 {
        match &self.sound {
            Some(Sound::Recorded(sound)) => sound.seconds(),
            Some(Sound::Live(_)) => f64::INFINITY,
            None => 0.0,
        }
    }

    /// Whether all poses it will ever have are in its track.
    fn is_over(&self) -> bool {
        matches!(self.animation, Animation::Complete | Animation::Failed)
    }

    /// Whether no more sound of it will come.
    fn is_finished(&self) -> bool {
        match &self.sound {
            Some(Sound::Live(voice)) => voice.is_finished(),
            _ => true,
        }
    }

    /// Whether there is something for the networks to hear.
    fn has_news(&self) -> bool {
        match &self.sound {
            Some(Sound::Recorded(_)) => true,
            Some(Sound::Live(voice)) => voice.has_news(),
            None => false,
        }
    }
}

/// What became of poses that came back from a batch.
pub(crate) enum Animated {
    /// They are in the track, or nobody wants them any more.
    Stored,
    /// The line is heard without them.
    Failed { clip: Handle<VoiceClip>, reason: String },
}

/// The side that faces the networks.
impl Voice {
    /// Whether what is spoken, or was spoken last and is not settled yet, shows emotions by itself.
    pub(crate) fn network_shows_emotions(&self) -> bool {
        self.current.iter().chain(&self.settling).any(|line| line.shows_emotions)
    }

    /// Whether the current line needs poses and nobody computes them yet.
    pub(crate) fn wants_poses(&self, ahead_seconds: f64) -> bool {
        self.current.as_ref().is_some_and(|line| {
            matches!(line.animation, Animation::Waiting | Animation::Ready(_))
                && line.track.end_seconds() < line.clock.seconds() + ahead_seconds
                && line.has_news()
        })
    }

    /// Whether the current line is spoken live.
    pub(crate) fn is_live(&self) -> bool {
        self.current.as_ref().is_some_and(|line| matches!(line.sound, Some(Sound::Live(_))))
    }

    /// The meshes just before and after what is heard now, and how far it is from the one to the other.
    pub(crate) fn geometry(&self) -> Option<(&FaceGeometry, &FaceGeometry, f32)> {
        let line = self.current.as_ref().filter(|line| line.stage.is_heard())?;
        line.geometry.at(line.clock.seconds(), line.track.frame_rate())
    }

    /// The model that the current line began with, if it did.
    pub(crate) fn begun_with(&mut self) -> Option<FaceModel> {
        match &mut self.current.as_mut()?.animation {
            Animation::Ready(line) => Some(line.get().model.clone()),
            _ => None,
        }
    }

    /// Hands the current line over to be animated by this model.
    pub(crate) fn take_line(&mut self, speaker: Entity, model: &FaceModel) -> Option<Line> {
        let line = self.current.as_mut()?;
        match core::mem::replace(&mut line.animation, Animation::InFlight) {
            Animation::Waiting => {
                line.track = FaceTrack::new(model.frame_rate());
                line.shows_emotions = model.hears_emotions();
                Some(Line::new(speaker, line.id, line.sound.clone()?, model.clone()))
            }
            Animation::Ready(ready) => Some(SyncCell::to_inner(*ready)),
            other => {
                line.animation = other;
                None
            }
        }
    }

    /// Takes a line back with its poses.
    pub(crate) fn animated(&mut self, mut line: Line) -> Animated {
        let wanted = [&mut self.current, &mut self.settling].into_iter().flatten().find(|known| known.id == line.id);
        let Some(known) = wanted else { return Animated::Stored };
        known.track.forget_before(known.clock.seconds() - 1.0);
        line.poses.drain(..).for_each(|pose| known.track.push(pose));
        let rate = known.track.frame_rate();
        known.geometry.forget_before(known.clock.seconds() - 0.1, rate);
        line.geometry.drain(..).for_each(|mesh| known.geometry.push(mesh));
        if let Some(reason) = line.failure {
            known.animation = Animation::Failed;
            return Animated::Failed { clip: known.clip.clone(), reason };
        }
        known.animation = if line.done { Animation::Complete } else { Animation::Ready(Box::new(SyncCell::new(line))) };
        Animated::Stored
    }

    /// Gives up on animating the current line; tells which one it is.
    pub(crate) fn cannot_animate(&mut self) -> Option<Handle<VoiceClip>> {
        let line = self.current.as_mut()?;
        line.animation = Animation::Failed;
        Some(line.clip.clone())
    }
}

/// The verbs of speech, on the entity that has a [`TalkingFace`](crate::face::TalkingFace).
pub trait SpeechCommands {
    /// Speaks a line, after those that were given before. Ten lines in one frame are ten lines one after another.
    ///
    /// [`SpeechStarted`] and [`SpeechFinished`] tell when it is heard; [`SpeechFailed`] if it cannot be.
    fn say(&mut self, clip: Handle<VoiceClip>) -> &mut Self;

    /// Lets the face follow a voice that is live, after the lines that were given before, until it is
    /// [finished](VoiceStream::finish) or interrupted. It is animated by the
    /// [network for live voices](crate::face::TalkingFace::live_model) and not played.
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
        let clip = VoiceClip::from(voice.clone());
        self.queue(move |mut entity: EntityWorldMut<'_>| {
            let clip =
                entity.world_scope(|world| world.get_resource_mut::<Assets<VoiceClip>>().map(|mut all| all.add(clip)));
            if let Some(clip) = clip {
                with_voice(&mut entity, "start", |voice| voice.say(clip));
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

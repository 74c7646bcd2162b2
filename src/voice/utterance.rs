//! One line of a voice, from its first sample to rest.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bevy_asset::Handle;
use bevy_ecs::entity::Entity;
use bevy_platform::cell::SyncCell;
use rtrb::Producer;
use talkie::{
    animation::{FacePose, FaceTrack, FrameRate, SpeechHints},
    model::audio2face::FaceGeometry,
};

use super::{
    SETTLE, Sound, Voice, VoiceClip, VoiceStream, clock::HeardClock, geometry::GeometryTrack, latency::Delay,
    loudness::ByLoudness, playback::PlaybackState,
};
use crate::inference::{Exchange, FaceModel, KEPT, Line, Moment, Way};

/// A voice that gives nothing new for so many seconds is silent, whatever the reason.
const STALE: f32 = 0.1;
/// An animation that begins in the middle of a recording hears so much of what comes before, in seconds.
const WARM_UP: f64 = 1.0;
/// Sound that waits for poses begins without them after so many seconds, where networks have too much to do.
const PATIENCE: f64 = 1.0;
/// A recording whose poses are so many seconds late goes on with those of what is heard: that is less to compute than what it missed.
const LATE: f64 = WARM_UP + 0.25;
/// Sound waits for poses again when there are so many seconds of them.
const JOINED: f64 = 0.25;
/// Moments of a live voice that are remembered: some seconds.
const MOMENTS: usize = 512;

/// One line on its way through loading, animation and playing.
pub(super) struct Utterance {
    /// Tells lines of one voice apart, and the animations of a line that was sought in.
    pub(super) id: u64,
    pub(super) clip: Handle<VoiceClip>,
    pub(super) sound: Option<Sound>,
    /// Closes its stream with it.
    pub(super) stream: Option<Held>,
    animation: Animation,
    /// The poses that were computed.
    track: FaceTrack,
    /// Those that came with the line, instead of computed ones.
    pub(super) baked: Option<Arc<FaceTrack>>,
    /// What is said of it beside the sound.
    pub(super) hints: SpeechHints,
    /// The meshes that belong to the track, where they are wanted.
    geometry: GeometryTrack,
    /// Whether the network that animates it takes emotions and shows them.
    pub(super) shows_emotions: bool,
    pub(super) stage: Stage,
    pub(super) clock: HeardClock,
    /// For how long the clock has not moved, in seconds.
    pub(super) still: f32,
    /// A speech of which nothing is left to be heard, until there is enough again.
    pub(super) starved: bool,
    /// Where to go on.
    pub(super) seek: Option<f64>,
    /// Where a recording ends that is not repeated any more.
    pub(super) ends_at: Option<f64>,
    /// Where the animation begins, in frames of the track.
    first_frame: u64,
    /// Whether it is repeated.
    pub(super) looped: bool,
    pub(super) player: Option<Player>,
    /// What it shows without a network.
    pub(super) loudness: ByLoudness,
    /// Whether sound waits for poses, so that both begin together: not where the face went without for a while.
    waits_for_poses: bool,
    /// For how many seconds a network that is there gave no poses.
    waited: f64,
    /// Frames of the stream that somebody listened to before this line.
    pub(super) stream_start: u64,
    /// Whether the next animation of a stream begins where nobody listened yet, and not with the line.
    rejoins: bool,
    /// When parts of a live voice went which way.
    moments: VecDeque<Moment>,
}

/// What plays a line.
pub(super) struct Player {
    pub(super) entity: Entity,
    pub(super) state: Arc<PlaybackState>,
    /// Where the samples of a speech go, and how many went there.
    pub(super) feed: Option<SyncCell<Producer<f32>>>,
    pub(super) fed: u64,
    /// What it was told last.
    pub(super) volume: f32,
    pub(super) speed: f32,
    pub(super) paused: bool,
}

/// A stream that is closed when nobody wants it any more.
#[derive(Debug)]
pub(super) struct Held(pub(super) VoiceStream);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How far the poses of a line are.
enum Animation {
    /// The model is not loaded yet.
    Waiting,
    /// Ready for the next batch. In a cell, since resamplers can be sent but not shared.
    Ready(Box<SyncCell<Line>>),
    /// In a batch on the task pool.
    InFlight,
    /// On the thread for live voices.
    Live(LiveLink),
    /// All poses are in the track.
    Complete,
    /// There will be none.
    Failed,
}

/// The way to the thread for live voices.
pub(crate) struct LiveLink {
    pub(crate) passed: Arc<Exchange>,
    /// Whether the network takes wishes.
    pub(crate) is_official: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// Sound or model are still loading, or the first poses are not there yet.
    Preparing,
    /// The sound was started, but nothing of it is heard yet; counts the frames without a sink.
    Starting { frames: u32 },
    /// Heard through a device.
    Playing,
    /// Heard by nobody: runs with the time of the game.
    Simulated,
    /// Spoken now: shows the newest poses there are.
    Live,
    /// Over; its last poses give way to rest.
    Settling { elapsed: f32, fade: f32 },
}

impl Stage {
    /// Whether the face shows what is spoken.
    pub(super) fn is_heard(self) -> bool {
        matches!(self, Self::Playing | Self::Simulated | Self::Live)
    }
}

impl Utterance {
    pub(super) fn new(id: u64, clip: Handle<VoiceClip>, stream: Option<Held>) -> Self {
        Self {
            id,
            clip,
            sound: None,
            stream,
            animation: Animation::Waiting,
            track: FaceTrack::new(FrameRate::per_second(50)),
            baked: None,
            hints: SpeechHints::default(),
            geometry: GeometryTrack::default(),
            shows_emotions: false,
            stage: Stage::Preparing,
            clock: HeardClock::default(),
            still: 0.0,
            starved: false,
            seek: None,
            ends_at: None,
            first_frame: 0,
            looped: false,
            player: None,
            loudness: ByLoudness::default(),
            waits_for_poses: true,
            waited: 0.0,
            stream_start: 0,
            rejoins: false,
            moments: VecDeque::new(),
        }
    }

    /// Its poses as far as they are known.
    pub(super) fn track(&self) -> &FaceTrack {
        self.baked.as_deref().unwrap_or(&self.track)
    }

    /// Has all its poses from now on.
    pub(super) fn bake(&mut self, track: Arc<FaceTrack>) {
        self.baked = Some(track);
        self.animation = Animation::Complete;
    }

    /// The pose of the moment that is heard.
    pub(super) fn pose(&self) -> FacePose {
        let seconds = self.clock.seconds();
        let mut pose = match &self.baked {
            // A line that is repeated goes on counting.
            Some(track) => track.sample_seconds(if self.looped { seconds % self.round_seconds() } else { seconds }),
            None => self.track.sample_seconds(seconds),
        };
        self.hints.apply(seconds, &mut pose);
        self.loudness.show(pose)
    }

    /// How long a recording takes once.
    fn round_seconds(&self) -> f64 {
        match &self.sound {
            Some(Sound::Recorded(sound)) => sound.seconds().max(1e-3),
            _ => f64::INFINITY,
        }
    }

    /// How far the face has gone back to rest by itself, 0..=1, because nothing new is heard: no mouth stays open.
    pub(super) fn settled(&self) -> f32 {
        if self.stage.is_heard() { ((self.still - STALE) / SETTLE.as_secs_f32()).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Gives way to rest from now on, within `fade` seconds.
    pub(super) fn settle(&mut self, fade: f32) {
        self.stage = Stage::Settling { elapsed: self.settled() * fade, fade };
    }

    /// The stream, if its sound is one.
    pub(super) fn stream(&self) -> Option<&VoiceStream> {
        match &self.sound {
            Some(Sound::Stream(voice)) => Some(voice),
            _ => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stream().is_some_and(VoiceStream::is_live)
    }

    /// Length of its sound as far as it is known: a stream that is not finished has none, nor has a recording that is repeated.
    pub(super) fn seconds(&self) -> f64 {
        match &self.sound {
            Some(Sound::Recorded(_)) if self.looped => f64::INFINITY,
            Some(Sound::Recorded(sound)) => self.ends_at.unwrap_or_else(|| sound.seconds()),
            Some(Sound::Stream(voice)) if !voice.is_live() && voice.is_finished() => voice.received_seconds(),
            Some(Sound::Stream(_)) => f64::INFINITY,
            None => 0.0,
        }
    }

    /// Up to where a speech can be heard now: its sound is there, and so are its poses.
    pub(super) fn available_seconds(&self) -> f64 {
        let received = self.stream().map_or(f64::INFINITY, VoiceStream::received_seconds);
        received.min(self.posed_seconds())
    }

    /// Up to where poses are known; a line that has all it will get is not waited for.
    pub(super) fn posed_seconds(&self) -> f64 {
        if self.is_over() || !self.waits_for_poses { f64::INFINITY } else { self.track.end_seconds() }
    }

    /// Up to where a live voice is known: by its poses, or without networks by its sound.
    pub(super) fn newest_seconds(&self, networks: bool) -> f64 {
        match self.stream() {
            Some(voice) if !networks => voice.arrived_seconds(self.stream_start),
            _ => self.track.end_seconds(),
        }
    }

    /// Goes with or without networks for `delta` seconds. `next_id` is for animations that begin anew.
    pub(super) fn follow(&mut self, networks: bool, delta: f32, next_id: &mut u64) {
        // The thread for live voices and loudness cannot both listen.
        let leaves = !networks && matches!(self.animation, Animation::Live(_));
        if leaves {
            self.track = FaceTrack::starting_at(self.track.frame_rate(), self.track.end_frame());
        }
        let forgot = self.follow_loudness(networks, delta);
        let now = self.clock.seconds();
        if (leaves || forgot) && !self.is_over() {
            *next_id += 1;
            self.id = *next_id;
            self.animation = Animation::Waiting;
            self.rejoins = true;
        }
        if !networks || self.waited > PATIENCE {
            self.waits_for_poses = false;
        } else if !self.waits_for_poses && (self.is_over() || self.track.end_seconds() >= now + JOINED) {
            self.waits_for_poses = true;
        }
        // What nobody will see any more is not computed.
        if networks
            && matches!(self.sound, Some(Sound::Recorded(_)))
            && matches!(self.animation, Animation::Waiting | Animation::Ready(_))
            && self.track.end_seconds() < now - LATE
        {
            *next_id += 1;
            self.animate_anew(now, *next_id);
        }
    }

    /// Whether all poses it will ever have are in its track.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.animation, Animation::Complete | Animation::Failed)
    }

    /// Whether no more sound of it will come.
    pub(super) fn is_finished(&self) -> bool {
        self.stream().is_none_or(VoiceStream::is_finished)
    }

    /// Takes poses and meshes that were computed, and forgets those that are over.
    fn store(&mut self, poses: &mut Vec<FacePose>, meshes: &mut Vec<FaceGeometry>) {
        let (heard, rate) = (self.clock.seconds(), self.track.frame_rate());
        if !poses.is_empty() {
            self.waited = 0.0;
        }
        self.track.forget_before(heard - KEPT);
        poses.drain(..).for_each(|pose| self.track.push(pose));
        self.geometry.forget_before(heard - 0.1, rate);
        meshes.drain(..).for_each(|mesh| self.geometry.push(mesh));
    }

    /// Goes on elsewhere in a recording: the animation begins anew where the track does not reach.
    pub(super) fn go_to(&mut self, seconds: f64, new_id: u64) {
        self.ends_at = None;
        if self.baked.is_some() {
            return;
        }
        let known = self.track.start_seconds()..=self.track.end_seconds();
        if !known.contains(&seconds) || self.track.is_empty() {
            self.animate_anew(seconds, new_id);
        }
    }

    /// Throws the poses away and begins with those of this moment.
    pub(super) fn animate_anew(&mut self, seconds: f64, new_id: u64) {
        let rate = self.track.frame_rate();
        self.first_frame = ((seconds - WARM_UP).max(0.0) * rate.hertz()) as u64;
        self.id = new_id;
        self.animation = Animation::Waiting;
        self.track = FaceTrack::starting_at(rate, self.first_frame);
        self.geometry = GeometryTrack::default();
    }

    /// Where the sound of a live voice was on its way here when the moment that is shown was heard.
    pub(super) fn delay(&mut self, now: Instant) -> Option<Delay> {
        if self.stage != Stage::Live || self.still > 0.0 {
            return None;
        }
        let seconds = self.clock.seconds();
        while self.moments.front().is_some_and(|moment| moment.seconds < seconds) {
            self.moments.pop_front();
        }
        let first = |way: Way| self.moments.iter().find(|moment| moment.what == way && moment.seconds >= seconds);
        let (arrived, computed) = (first(Way::Arrived)?.at, first(Way::Computed)?.at);
        Some(Delay {
            total: now.saturating_duration_since(arrived),
            computing: computed.saturating_duration_since(arrived),
            showing: now.saturating_duration_since(computed.max(arrived)),
        })
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

    /// How many seconds of poses the current line has beyond what is heard, if it is to get more.
    pub(crate) fn ahead_seconds(&self) -> Option<f64> {
        let line = self.current.as_ref().filter(|line| self.networks && !line.is_over())?;
        Some(line.track.end_seconds() - line.clock.seconds())
    }

    /// The current line waits for poses for so many seconds more, if it has none that would do.
    pub(crate) fn note_waiting(&mut self, seconds: f64) {
        if let Some(line) = &mut self.current
            && line.track.end_seconds() < line.clock.seconds() + JOINED
        {
            line.waited += seconds;
        }
    }

    /// Whether the current line could get poses now and nobody computes them yet.
    pub(crate) fn wants_poses(&self) -> bool {
        self.current.as_ref().is_some_and(|line| {
            matches!(line.animation, Animation::Waiting | Animation::Ready(_))
                && line.sound.as_ref().is_some_and(Sound::has_news)
        })
    }

    /// Whether the current line is spoken live.
    pub(crate) fn is_live(&self) -> bool {
        self.current.as_ref().is_some_and(Utterance::is_live)
    }

    /// The way to the thread that animates the current line, if one does.
    pub(crate) fn live_exchange(&self) -> Option<&LiveLink> {
        match &self.current.as_ref()?.animation {
            Animation::Live(link) => Some(link),
            _ => None,
        }
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
        let mut taken = match core::mem::replace(&mut line.animation, Animation::InFlight) {
            Animation::Waiting => {
                let sound = line.sound.clone()?;
                let rate = model.frame_rate();
                let sample_rate = f64::from(sound.sample_rate());
                let first_frame = match &sound {
                    // The track may have been laid out for another rate before the model was known.
                    Sound::Recorded(_) => {
                        let begin = line.track.frame_rate().seconds(line.first_frame);
                        (begin * rate.hertz()).round() as u64
                    }
                    Sound::Stream(voice) if line.rejoins => {
                        let heard = voice.heard_frames().saturating_sub(line.stream_start) as f64 / sample_rate;
                        (heard * rate.hertz()).ceil() as u64
                    }
                    Sound::Stream(voice) => {
                        line.stream_start = voice.heard_frames();
                        0
                    }
                };
                let from = (rate.seconds(first_frame) * sample_rate).round() as u64;
                line.first_frame = first_frame;
                line.track = FaceTrack::starting_at(rate, first_frame);
                line.geometry = GeometryTrack::starting_at(first_frame);
                line.shows_emotions = model.hears_emotions();
                Line::new(speaker, line.id, sound, model.clone()).starting_at(first_frame, from, line.stream_start)
            }
            Animation::Ready(ready) => SyncCell::to_inner(*ready),
            other => {
                line.animation = other;
                return None;
            }
        };
        taken.looped = line.looped;
        Some(taken)
    }

    /// The current line is animated on the thread for live voices from now on.
    pub(crate) fn animated_live(&mut self, passed: Arc<Exchange>, is_official: bool) {
        if let Some(line) = &mut self.current {
            line.animation = Animation::Live(LiveLink { passed, is_official });
        }
    }

    /// Takes what the thread for live voices computed; tells if it failed.
    pub(crate) fn collect_live(&mut self) -> Option<(Handle<VoiceClip>, String)> {
        let line = self.current.as_mut()?;
        let Animation::Live(link) = &line.animation else { return None };
        let exchange = link.passed.clone();
        let mut passed = exchange.lock();
        let passed = &mut *passed;
        line.store(&mut passed.poses, &mut passed.geometry);
        line.moments.extend(passed.moments.drain(..));
        let surplus = line.moments.len().saturating_sub(MOMENTS);
        line.moments.drain(..surplus);
        if let Some(reason) = passed.failure.take() {
            line.animation = Animation::Failed;
            return Some((line.clip.clone(), reason));
        }
        if passed.done {
            line.animation = Animation::Complete;
        }
        None
    }

    /// Takes a line back with its poses.
    pub(crate) fn animated(&mut self, mut line: Line) -> Animated {
        let wanted = [&mut self.current, &mut self.settling].into_iter().flatten().find(|known| known.id == line.id);
        let Some(known) = wanted else { return Animated::Stored };
        known.store(&mut line.poses, &mut line.geometry);
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

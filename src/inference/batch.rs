//! One batch: from lines that need poses to poses in their tracks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::Thread,
    time::{Duration, Instant},
};

use bevy_asset::{AssetServer, Assets, LoadState};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    entity::Entity,
    query::Has,
    system::{Commands, Query, Res, ResMut},
};
use bevy_tasks::{AsyncComputeTaskPool, futures::check_ready};
use talkie::{
    animation::{FacePose, geometry::GeometryParameters},
    emotion::FACE_EMOTIONS,
    model::{Speech, SpeechOptions, audio2face::FaceGeometry},
};

use super::{
    Audio2FaceSettings, Batches, EmotionModel, FaceModel, InferenceStats, LiveVoices,
    model::{DefaultModelErrors, is_default},
};
use crate::{
    background::Background,
    face::{Emotions, TalkingFace},
    rig::BundleMeshes,
    voice::{Animated, Mark, Sound, SpeechFailed, Voice},
};

/// Poses each line gets from one batch at most: 1.3 seconds at 50 per second.
const FRAMES_PER_BATCH: usize = 64;
/// Seconds of poses that each line gets from one batch of an official network: its first poses come soon, large as it is.
const OFFICIAL_SECONDS_PER_BATCH: f64 = 0.5;
/// How far ahead of what is heard an official network computes, in seconds: far enough for a busy moment, and near enough for a
/// change of emotion or parameters to be seen soon.
const OFFICIAL_AHEAD_SECONDS: f64 = 1.5;
/// How far ahead of what is heard a track is computed, in seconds. Lines up to this length are computed at once, so that
/// nothing is left to do while they are heard; longer ones are computed as they go and need no more memory.
pub(crate) const AHEAD_SECONDS: f64 = 20.0;

/// What the game wants of the poses that come next.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Wish {
    identity: Option<String>,
    parameters: Option<GeometryParameters>,
    emotion: [f32; FACE_EMOTIONS.len()],
}

impl Wish {
    /// Notes what the game says now. Allocates nothing where it is the same as before.
    fn note(&mut self, settings: Option<&Audio2FaceSettings>, emotions: &Emotions) {
        match settings.and_then(|settings| settings.identity.as_ref()) {
            Some(identity) => identity.clone_into(self.identity.get_or_insert_default()),
            None => self.identity = None,
        }
        self.parameters = settings.and_then(|settings| settings.parameters);
        self.emotion = *emotions.current();
    }
}

/// A line on its way through the networks: travels to the task pool and back, or stays on the thread for live voices.
pub(crate) struct Line {
    pub(crate) speaker: Entity,
    pub(crate) id: u64,
    sound: Sound,
    /// The model that it began with: it stays with it, whatever becomes of the handle.
    pub(crate) model: FaceModel,
    emotion_model: Option<EmotionModel>,
    /// What is asked of an official network in the next batch.
    wish: Wish,
    /// The emotion in the order of the network, kept to be reused.
    translated: Vec<f32>,
    /// How many samples of a recording were pushed; where it is repeated, of its current round.
    pushed: usize,
    /// Whether the recording begins again at its end.
    pub(crate) looped: bool,
    /// What was taken of a stream last, kept to be reused, and when it arrived.
    heard: Vec<f32>,
    pub(super) marks: Vec<Mark>,
    /// Frames of a stream that it was given.
    given: u64,
    speech: Option<Speech>,
    pub(crate) poses: Vec<FacePose>,
    /// The meshes of these poses, where they are wanted.
    pub(crate) geometry: Vec<FaceGeometry>,
    wants_geometry: bool,
    pub(crate) failure: Option<String>,
    pub(crate) done: bool,
}

impl Line {
    pub(crate) fn new(speaker: Entity, id: u64, sound: Sound, model: FaceModel) -> Self {
        Self {
            speaker,
            id,
            sound,
            model,
            emotion_model: None,
            wish: Wish::default(),
            translated: Vec::new(),
            pushed: 0,
            looped: false,
            heard: Vec::new(),
            marks: Vec::new(),
            given: 0,
            speech: None,
            poses: Vec::new(),
            geometry: Vec::new(),
            wants_geometry: false,
            failure: None,
            done: false,
        }
    }

    /// A recording begins this many frames after its first, over as many rounds as it takes.
    pub(crate) fn starting_at(mut self, frame: u64) -> Self {
        if let Sound::Recorded(sound) = &self.sound {
            let frames = (sound.samples().len() / sound.channels()).max(1);
            self.pushed = frame as usize % frames * sound.channels();
        }
        self
    }

    /// Notes what the game wants of the next poses.
    pub(super) fn wish(&mut self, wish: &Wish) {
        if self.speech.is_none() {
            self.wish.identity.clone_from(&wish.identity);
        }
        (self.wish.parameters, self.wish.emotion) = (wish.parameters, wish.emotion);
    }

    /// Decides what holds for the whole line before it begins.
    fn equip(&mut self, emotion_model: Option<EmotionModel>, wants_geometry: bool) {
        if self.speech.is_none() {
            (self.emotion_model, self.wants_geometry) = (emotion_model, wants_geometry);
        }
    }

    /// Whether there is something to hear that was not heard yet.
    pub(super) fn has_news(&self) -> bool {
        self.sound.has_news()
    }

    /// Samples per second of its sound.
    pub(super) fn sample_rate(&self) -> u32 {
        self.sound.sample_rate()
    }

    /// Wakes this thread when there is more to hear.
    pub(super) fn wakes(&self, thread: &Thread) {
        if let Sound::Stream(voice) = &self.sound {
            voice.wakes(thread.clone());
        }
    }

    /// Begins the speech, if it was not begun yet.
    fn begin(&mut self, model: &talkie::model::FaceModel) -> Result<(), String> {
        if self.speech.is_some() {
            return Ok(());
        }
        let channels = self.sound.channels();
        let identity = self.wish.identity.clone().filter(|_| self.model.is_official());
        let options = SpeechOptions { identity, parameters: self.wish.parameters, geometry: self.wants_geometry };
        let mut speech = model.begin_with(self.sample_rate(), channels, &options).map_err(|error| error.to_string())?;
        if let Some(emotions) = self.emotion_model.as_ref().filter(|_| self.model.hears_emotions()) {
            let emotions = emotions.shared();
            let emotions = emotions.lock().unwrap_or_else(PoisonError::into_inner);
            emotions.attach(&mut speech, None).map_err(|error| error.to_string())?;
        }
        self.speech = Some(speech);
        Ok(())
    }

    /// Gives the speech as much sound as a batch can use, and tells it what the game wants.
    fn listen(&mut self, model: &talkie::model::FaceModel, frames: usize) {
        if let Err(reason) = self.begin(model) {
            self.failure = Some(reason);
        }
        let Some(speech) = &mut self.speech else { return };
        let all = match &self.sound {
            Sound::Recorded(sound) => {
                let hearing = self.emotion_model.as_ref().map_or(0.0, EmotionModel::look_ahead_seconds);
                let ahead = self.model.look_ahead_seconds().max(hearing);
                let seconds = self.model.frame_rate().seconds(frames as u64) + ahead + 0.1;
                let mut count = (seconds * f64::from(sound.sample_rate())).ceil() as usize * sound.channels();
                let samples = sound.samples();
                loop {
                    let end = samples.len().min(self.pushed + count);
                    speech.push(&samples[self.pushed..end]);
                    count -= end - self.pushed;
                    self.pushed = end;
                    if !self.looped || end < samples.len() || samples.is_empty() {
                        break end == samples.len();
                    }
                    self.pushed = 0;
                }
            }
            Sound::Stream(voice) => {
                let all = voice.take(&mut self.heard, &mut self.marks);
                self.marks.iter_mut().for_each(|mark| mark.end += self.given);
                self.given += (self.heard.len() / voice.channels().max(1)) as u64;
                speech.push(&self.heard);
                all
            }
        };
        if all {
            speech.finish();
        }
        self.translated.clear();
        self.translated.extend(self.model.translated(&self.wish.emotion));
        let wishes = match self.wish.parameters {
            Some(parameters) => speech.set_parameters(parameters).map_err(|error| error.to_string()),
            None => Ok(()),
        };
        // Where an emotion network hears the voice, the game's wish is what it prefers.
        let felt = speech.prefer_emotion(&self.translated).map_err(|error| error.to_string());
        if let Err(reason) = wishes.and(felt) {
            self.failure = Some(reason);
        }
    }

    fn take_poses(&mut self) {
        let Some(speech) = &mut self.speech else { return };
        speech.drain_geometry(|mesh| self.geometry.push(mesh));
        if let Err(error) = speech.drain(|pose| self.poses.push(pose)) {
            self.failure = Some(error.to_string());
        }
        self.done = speech.is_done();
    }
}

/// Poses each line gets from one batch at most.
fn frames_per_batch(model: &FaceModel) -> usize {
    if model.is_official() {
        (OFFICIAL_SECONDS_PER_BATCH * model.frame_rate().hertz()).ceil() as usize
    } else {
        FRAMES_PER_BATCH
    }
}

/// A batch that was run.
pub(super) struct Done {
    lines: Vec<Line>,
    /// Seconds of speech it gave poses for.
    seconds: f64,
    took: Duration,
}

/// Runs one batch. On the task pool.
fn run(model: &FaceModel, mut lines: Vec<Line>) -> Done {
    let started = Instant::now();
    let seconds = animate(model, &mut lines.iter_mut().collect::<Vec<_>>());
    Done { lines, seconds, took: started.elapsed() }
}

/// Lets lines of one model hear what is there of their sound and gives them poses; tells how many seconds of poses.
pub(super) fn animate(model: &FaceModel, lines: &mut [&mut Line]) -> f64 {
    let frames = frames_per_batch(model);
    let shared = model.shared();
    let mut network = shared.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter_mut().for_each(|line| line.listen(&network, frames));
    feel(lines);
    let going_on = lines.iter_mut().filter(|line| line.failure.is_none());
    network.advance(going_on.filter_map(|line| line.speech.as_mut()), frames);
    lines.iter_mut().for_each(|line| line.take_poses());
    let poses: usize = lines.iter().map(|line| line.poses.len()).sum();
    model.frame_rate().seconds(poses as u64)
}

/// Lets emotion networks hear the lines that have one, those of one network together.
fn feel(lines: &mut [&mut Line]) {
    let mut heard: Vec<Arc<Mutex<talkie::model::EmotionModel>>> = Vec::new();
    for index in 0..lines.len() {
        let Some(emotions) = lines[index].emotion_model.as_ref().map(EmotionModel::shared) else { continue };
        if heard.iter().any(|known| Arc::ptr_eq(known, &emotions)) {
            continue;
        }
        let theirs = |line: &Line| line.emotion_model.as_ref().is_some_and(|of| Arc::ptr_eq(&of.shared(), &emotions));
        let listeners = lines[index..].iter_mut().filter(|line| theirs(line)).filter_map(|line| line.speech.as_mut());
        let outcome = emotions.lock().unwrap_or_else(PoisonError::into_inner).advance(listeners);
        if let Err(error) = outcome {
            // Faces go on without.
            bevy_log::warn!("talkie: emotions are not heard any more: {error}");
        }
        heard.push(emotions);
    }
}

/// Puts the poses of finished batches into the tracks they belong to.
pub(super) fn collect(
    mut commands: Commands,
    mut batches: ResMut<Batches>,
    live: Res<LiveVoices>,
    mut stats: ResMut<InferenceStats>,
    mut voices: Query<(Entity, &mut Voice)>,
) {
    if let Some(more) = live.take_stats() {
        stats.batches += more.batches;
        stats.seconds_animated += more.seconds_animated;
        stats.seconds_busy += more.seconds_busy;
    }
    for (speaker, mut voice) in &mut voices {
        if let Some((clip, reason)) = voice.bypass_change_detection().collect_live() {
            bevy_log::warn!("talkie: {speaker} is not animated any more: {reason}");
            commands.trigger(SpeechFailed { entity: speaker, clip, reason });
        }
    }
    batches.0.retain(|_, task| {
        let Some(done) = check_ready(task) else { return true };
        stats.batches += 1;
        stats.seconds_animated += done.seconds;
        stats.seconds_busy += done.took.as_secs_f64();
        for line in done.lines {
            // Whoever was despawned or interrupted meanwhile does not want its line back.
            let Ok((_, mut voice)) = voices.get_mut(line.speaker) else { continue };
            let speaker = line.speaker;
            if let Animated::Failed { clip, reason } = voice.bypass_change_detection().animated(line) {
                bevy_log::warn!("talkie: {speaker} is heard but not animated: {reason}");
                commands.trigger(SpeechFailed { entity: speaker, clip, reason });
            }
        }
        false
    });
}

/// A face, and what it asks of its network.
type Speaker = (
    Entity,
    &'static TalkingFace,
    &'static Emotions,
    Option<&'static Audio2FaceSettings>,
    Has<BundleMeshes>,
    &'static mut Voice,
);

/// Gathers the lines that need poses and sends them off, one batch for each model; live ones go to their thread.
#[expect(clippy::too_many_arguments, reason = "a system's parameters")]
pub(super) fn dispatch(
    mut commands: Commands,
    mut batches: ResMut<Batches>,
    mut live: ResMut<LiveVoices>,
    mut voices: Query<Speaker>,
    models: Res<Assets<FaceModel>>,
    emotion_models: Res<Assets<EmotionModel>>,
    server: Res<AssetServer>,
    default_errors: Option<Res<DefaultModelErrors>>,
    background: Res<Background>,
) {
    let mut gathered: Vec<(FaceModel, Vec<Line>)> = Vec::new();
    for (entity, face, emotions, settings, has_meshes, mut voice) in &mut voices {
        let voice = voice.bypass_change_detection();
        if let Some(exchange) = voice.live_exchange() {
            if exchange.is_official {
                exchange.passed.lock().wish.note(settings, emotions);
            }
            continue;
        }
        if !voice.wants_poses(AHEAD_SECONDS) {
            continue;
        }
        let id = if voice.is_live() { face.live_model.id() } else { face.model.id() };
        let Some(model) = voice.begun_with().or_else(|| models.get(id).cloned()) else {
            let reason = match server.load_state(id) {
                LoadState::Failed(error) => Some(error.to_string()),
                _ if is_default(id) && cfg!(not(feature = "default_model")) => {
                    Some("no model is set, and the feature `default_model` is off".into())
                }
                _ => default_errors
                    .as_ref()
                    .and_then(|errors| errors.0.iter().find(|(of, _)| *of == id).map(|(_, error)| error.clone())),
            };
            if let Some(reason) = reason
                && let Some(clip) = voice.cannot_animate()
            {
                bevy_log::warn!("talkie: {entity} is heard but not animated: {reason}");
                commands.trigger(SpeechFailed { entity, clip, reason });
            }
            continue;
        };
        let is_live = voice.is_live();
        if (!is_live && batches.0.contains_key(&model.key()))
            || (model.is_official() && !voice.wants_poses(OFFICIAL_AHEAD_SECONDS))
        {
            continue;
        }
        // A line that begins waits for the emotion network; one that cannot be had is no reason to be silent.
        let emotion_model = face.emotion_model.as_ref().and_then(|of| match emotion_models.get(of) {
            None if !matches!(server.load_state(of.id()), LoadState::Failed(_)) => Some(None),
            found => found.map(|model| Some(model.clone())),
        });
        if matches!(emotion_model, Some(None)) && model.hears_emotions() {
            continue;
        }
        if let Some(mut line) = voice.take_line(entity, &model) {
            let mut wish = Wish::default();
            wish.note(settings, emotions);
            line.wish(&wish);
            line.equip(emotion_model.flatten(), has_meshes);
            if is_live {
                match live.add(line) {
                    Ok(exchange) => voice.animated_live(exchange, model.is_official()),
                    Err(reason) => {
                        if let Some(clip) = voice.cannot_animate() {
                            commands.trigger(SpeechFailed { entity, clip, reason });
                        }
                    }
                }
                continue;
            }
            match gathered.iter_mut().find(|(known, _)| known.key() == model.key()) {
                Some((_, lines)) => lines.push(line),
                None => gathered.push((model, vec![line])),
            }
        }
    }
    for (model, lines) in gathered {
        let (key, work) = (model.key(), background.work());
        let task = AsyncComputeTaskPool::get().spawn(async move {
            let _work = work;
            run(&model, lines)
        });
        batches.0.insert(key, task);
    }
}

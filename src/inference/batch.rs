//! One batch: from lines that need poses to poses in their tracks.

use std::{
    sync::{Arc, Mutex, PoisonError},
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
    Audio2FaceSettings, Batches, EmotionModel, FaceModel, InferenceStats,
    model::{DefaultModelErrors, is_default},
};
use crate::{
    face::{Emotions, TalkingFace},
    rig::BundleMeshes,
    voice::{Animated, Sound, SpeechFailed, Voice},
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

/// A line on its way through the networks: travels to the task pool and back.
pub(crate) struct Line {
    pub(crate) speaker: Entity,
    pub(crate) id: u64,
    sound: Sound,
    /// The model that it began with: it stays with it, whatever becomes of the handle.
    pub(crate) model: FaceModel,
    emotion_model: Option<EmotionModel>,
    /// What is asked of an official network in the next batch.
    identity: Option<String>,
    parameters: Option<GeometryParameters>,
    emotion: [f32; FACE_EMOTIONS.len()],
    /// The emotion in the order of the network, kept to be reused.
    translated: Vec<f32>,
    /// How many samples of a recording were pushed.
    pushed: usize,
    /// What was taken of a live voice last, kept to be reused.
    heard: Vec<f32>,
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
            identity: None,
            parameters: None,
            emotion: [0.0; FACE_EMOTIONS.len()],
            translated: Vec::new(),
            pushed: 0,
            heard: Vec::new(),
            speech: None,
            poses: Vec::new(),
            geometry: Vec::new(),
            wants_geometry: false,
            failure: None,
            done: false,
        }
    }

    /// Notes what the game wants of the next batch.
    fn ask(
        &mut self,
        settings: Option<&Audio2FaceSettings>,
        emotions: &Emotions,
        emotion_model: Option<EmotionModel>,
        wants_geometry: bool,
    ) {
        if let Some(settings) = settings {
            self.parameters = settings.parameters;
            if self.speech.is_none() {
                self.identity.clone_from(&settings.identity);
            }
        }
        if self.speech.is_none() {
            (self.emotion_model, self.wants_geometry) = (emotion_model, wants_geometry);
        }
        self.emotion = *emotions.current();
    }

    /// Begins the speech, if it was not begun yet.
    fn begin(&mut self, model: &talkie::model::FaceModel) -> Result<(), String> {
        if self.speech.is_some() {
            return Ok(());
        }
        let (sample_rate, channels) = match &self.sound {
            Sound::Recorded(sound) => (sound.sample_rate(), sound.channels()),
            Sound::Live(voice) => (voice.sample_rate(), voice.channels()),
        };
        let identity = self.identity.clone().filter(|_| self.model.is_official());
        let options = SpeechOptions { identity, parameters: self.parameters, geometry: self.wants_geometry };
        let mut speech = model.begin_with(sample_rate, channels, &options).map_err(|error| error.to_string())?;
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
                let count = (seconds * f64::from(sound.sample_rate())).ceil() as usize * sound.channels();
                let samples = sound.samples();
                let end = samples.len().min(self.pushed + count);
                speech.push(&samples[self.pushed..end]);
                self.pushed = end;
                end == samples.len()
            }
            Sound::Live(voice) => {
                let all = voice.take(&mut self.heard);
                speech.push(&self.heard);
                all
            }
        };
        if all {
            speech.finish();
        }
        self.translated.clear();
        self.translated.extend(self.model.translated(&self.emotion));
        let wishes = match self.parameters {
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
    let frames = frames_per_batch(model);
    let shared = model.shared();
    let mut network = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    lines.iter_mut().for_each(|line| line.listen(&network, frames));
    feel(&mut lines);
    let going_on = lines.iter_mut().filter(|line| line.failure.is_none());
    network.advance(going_on.filter_map(|line| line.speech.as_mut()), frames);
    lines.iter_mut().for_each(Line::take_poses);
    let poses: usize = lines.iter().map(|line| line.poses.len()).sum();
    Done { lines, seconds: model.frame_rate().seconds(poses as u64), took: started.elapsed() }
}

/// Lets emotion networks hear the lines that have one, those of one network together.
fn feel(lines: &mut [Line]) {
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
    mut stats: ResMut<InferenceStats>,
    mut voices: Query<&mut Voice>,
) {
    batches.0.retain(|_, task| {
        let Some(done) = check_ready(task) else { return true };
        stats.batches += 1;
        stats.seconds_animated += done.seconds;
        stats.seconds_busy += done.took.as_secs_f64();
        for line in done.lines {
            // Whoever was despawned or interrupted meanwhile does not want its line back.
            let Ok(mut voice) = voices.get_mut(line.speaker) else { continue };
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

/// Gathers the lines that need poses and sends them off, one batch for each model.
pub(super) fn dispatch(
    mut commands: Commands,
    mut batches: ResMut<Batches>,
    mut voices: Query<Speaker>,
    models: Res<Assets<FaceModel>>,
    emotion_models: Res<Assets<EmotionModel>>,
    server: Res<AssetServer>,
    default_errors: Option<Res<DefaultModelErrors>>,
) {
    let mut gathered: Vec<(FaceModel, Vec<Line>)> = Vec::new();
    for (entity, face, emotions, settings, has_meshes, mut voice) in &mut voices {
        let voice = voice.bypass_change_detection();
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
        if batches.0.contains_key(&model.key()) || (model.is_official() && !voice.wants_poses(OFFICIAL_AHEAD_SECONDS)) {
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
            line.ask(settings, emotions, emotion_model.flatten(), has_meshes);
            match gathered.iter_mut().find(|(known, _)| known.key() == model.key()) {
                Some((_, lines)) => lines.push(line),
                None => gathered.push((model, vec![line])),
            }
        }
    }
    for (model, lines) in gathered {
        batches.0.insert(model.key(), AsyncComputeTaskPool::get().spawn(async move { run(&model, lines) }));
    }
}

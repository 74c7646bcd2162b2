//! One batch: from lines that need poses to poses in their tracks.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bevy_asset::{AssetId, AssetServer, Assets, LoadState};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    entity::Entity,
    system::{Commands, Query, Res, ResMut},
};
use bevy_tasks::{AsyncComputeTaskPool, futures::check_ready};
use talkie::{animation::FacePose, model::Speech};

use super::{
    Batches, FaceModel, InferenceStats,
    model::{DefaultModelErrors, is_default},
};
use crate::{
    face::TalkingFace,
    voice::{Animated, Sound, SpeechFailed, Voice},
};

/// Poses each line gets from one batch at most: 1.3 seconds at 50 per second.
const FRAMES_PER_BATCH: usize = 64;
/// How far ahead of what is heard a track is computed, in seconds. Lines up to this length are computed at once, so that
/// nothing is left to do while they are heard; longer ones are computed as they go and need no more memory.
pub(crate) const AHEAD_SECONDS: f64 = 20.0;

/// A line on its way through the networks: travels to the task pool and back.
pub(crate) struct Line {
    pub(crate) speaker: Entity,
    pub(crate) id: u64,
    sound: Sound,
    /// How many samples of a recording were pushed.
    pushed: usize,
    /// What was taken of a live voice last, kept to be reused.
    heard: Vec<f32>,
    speech: Option<Speech>,
    pub(crate) poses: Vec<FacePose>,
    pub(crate) failure: Option<String>,
    pub(crate) done: bool,
}

impl Line {
    pub(crate) fn new(speaker: Entity, id: u64, sound: Sound) -> Self {
        Self {
            speaker,
            id,
            sound,
            pushed: 0,
            heard: Vec::new(),
            speech: None,
            poses: Vec::new(),
            failure: None,
            done: false,
        }
    }

    /// Gives the speech as much sound as a batch can use.
    fn listen(&mut self, model: &talkie::model::FaceModel) {
        let (sample_rate, channels) = match &self.sound {
            Sound::Recorded(sound) => (sound.sample_rate(), sound.channels()),
            Sound::Live(voice) => (voice.sample_rate(), voice.channels()),
        };
        if self.speech.is_none() {
            match model.begin(sample_rate, channels) {
                Ok(speech) => self.speech = Some(speech),
                Err(error) => self.failure = Some(error.to_string()),
            }
        }
        let Some(speech) = &mut self.speech else { return };
        let all = match &self.sound {
            Sound::Recorded(sound) => {
                let manifest = model.manifest();
                let seconds =
                    manifest.frame_rate.seconds(FRAMES_PER_BATCH as u64) + manifest.look_ahead_seconds() + 0.1;
                let count = (seconds * f64::from(sample_rate)).ceil() as usize * channels;
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
    }

    fn take_poses(&mut self) {
        let Some(speech) = &mut self.speech else { return };
        if let Err(error) = speech.drain(|pose| self.poses.push(pose)) {
            self.failure = Some(error.to_string());
        }
        self.done = speech.is_done();
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
fn run(model: &Mutex<talkie::model::FaceModel>, mut lines: Vec<Line>) -> Done {
    let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    lines.iter_mut().for_each(|line| line.listen(&model));
    model.advance(lines.iter_mut().filter_map(|line| line.speech.as_mut()), FRAMES_PER_BATCH);
    lines.iter_mut().for_each(Line::take_poses);
    let poses: usize = lines.iter().map(|line| line.poses.len()).sum();
    Done { lines, seconds: model.manifest().frame_rate.seconds(poses as u64), took: started.elapsed() }
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

/// Gathers the lines that need poses and sends them off, one batch for each model.
pub(super) fn dispatch(
    mut commands: Commands,
    mut batches: ResMut<Batches>,
    mut voices: Query<(Entity, &TalkingFace, &mut Voice)>,
    models: Res<Assets<FaceModel>>,
    server: Res<AssetServer>,
    default_errors: Option<Res<DefaultModelErrors>>,
) {
    let mut gathered: Vec<(AssetId<FaceModel>, Vec<Line>)> = Vec::new();
    for (entity, face, mut voice) in &mut voices {
        let voice = voice.bypass_change_detection();
        if !voice.wants_poses(AHEAD_SECONDS) {
            continue;
        }
        let id = if voice.is_live() { face.live_model.id() } else { face.model.id() };
        let Some(model) = models.get(id) else {
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
        if batches.0.contains_key(&id) {
            continue;
        }
        if let Some(line) = voice.take_line(entity, model.manifest().frame_rate) {
            match gathered.iter_mut().find(|(model, _)| *model == id) {
                Some((_, lines)) => lines.push(line),
                None => gathered.push((id, vec![line])),
            }
        }
    }
    for (id, lines) in gathered {
        if let Some(model) = models.get(id) {
            let model = model.shared();
            batches.0.insert(id, AsyncComputeTaskPool::get().spawn(async move { run(&model, lines) }));
        }
    }
}

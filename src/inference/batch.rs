//! One batch: from lines that need poses to poses in their tracks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bevy_app::{App, Last, MainScheduleOrder};
use bevy_asset::{AssetServer, Assets, LoadState};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    entity::Entity,
    query::Has,
    resource::Resource,
    schedule::{Schedule, ScheduleLabel, SingleThreadedExecutor},
    system::{Commands, Query, Res, ResMut, SystemParam},
};
use bevy_platform::cell::SyncCell;
use bevy_tasks::{AsyncComputeTaskPool, Task, futures::check_ready};
use bevy_time::{Real, Time};

use super::{
    Audio2FaceSettings, EmotionModel, FaceModel, InferenceBudget, InferenceStats, Line, LiveVoices,
    line::Wish,
    model::{DefaultModelErrors, is_default},
    schedule::{Cost, Need, Plan},
};
use crate::{
    background::{Background, Work},
    face::{Emotions, TalkingFace},
    rig::BundleMeshes,
    voice::{Animated, SpeechFailed, Voice},
};

/// Seconds of poses that each line gets from one batch of an official network: its first poses come soon, large as it is.
const OFFICIAL_SECONDS: f64 = 0.5;
/// How far ahead of what is heard an official network computes, in seconds: far enough for a busy moment, and near enough for a
/// change of emotion or parameters to be seen soon.
const OFFICIAL_AHEAD_SECONDS: f64 = 1.5;
/// How much the newest batch says about what the next one will take.
const COST_SHARE: f64 = 0.2;

/// The batches under way, at most one for each model, and what is known of the cost of others.
#[derive(Resource, Default)]
pub(super) struct Batches {
    /// By the model's [key](FaceModel::key).
    models: HashMap<usize, ModelBatches>,
    plan: Plan,
    /// The models of this frame, and the order in which they have their turn.
    wanted: Vec<FaceModel>,
    turns: Vec<usize>,
}

#[derive(Default)]
struct ModelBatches {
    /// What is sent off at the end of this frame.
    gathered: Option<SyncCell<Gathered>>,
    task: Option<Task<Done>>,
    /// What a pose took lately, in seconds; 0 before the first batch.
    seconds_per_pose: f64,
}

impl Batches {
    /// Whether everything that was sent off is done.
    pub(super) fn are_done(&self) -> bool {
        self.models.values().filter_map(|model| model.task.as_ref()).all(Task::is_finished)
    }

    /// The number of a model in this frame.
    fn number(&mut self, model: FaceModel) -> usize {
        self.wanted.iter().position(|known| known.key() == model.key()).unwrap_or_else(|| {
            self.wanted.push(model);
            self.wanted.len() - 1
        })
    }
}

/// A batch that is to be run.
struct Gathered {
    model: FaceModel,
    lines: Vec<Line>,
    frames: usize,
    work: Work,
}

/// A batch that was run.
pub(super) struct Done {
    lines: Vec<Line>,
    poses: usize,
    /// Seconds of speech it gave poses for.
    seconds: f64,
    took: Duration,
}

/// Runs one batch. On the task pool.
fn run(model: &FaceModel, mut lines: Vec<Line>, frames: usize) -> Done {
    let started = Instant::now();
    let poses = animate(model, &mut lines.iter_mut().collect::<Vec<_>>(), frames);
    Done { lines, poses, seconds: model.frame_rate().seconds(poses as u64), took: started.elapsed() }
}

/// Lets lines of one model hear what is there of their sound and gives each up to `frames` poses; tells how many poses.
pub(super) fn animate(model: &FaceModel, lines: &mut [&mut Line], frames: usize) -> usize {
    let shared = model.shared();
    let mut network = shared.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter_mut().for_each(|line| line.listen(&network, frames));
    feel(lines);
    let going_on = lines.iter_mut().filter(|line| line.failure.is_none());
    network.advance(going_on.filter_map(|line| line.speech.as_mut()), frames);
    model.place().note(network.device(), network.passed_over());
    lines.iter_mut().for_each(|line| line.take_poses());
    lines.iter().map(|line| line.poses.len()).sum()
}

/// Lets emotion networks hear the lines that have one, those of one network together.
fn feel(lines: &mut [&mut Line]) {
    let mut heard: Vec<Arc<Mutex<talkie::model::EmotionModel>>> = Vec::new();
    for index in 0..lines.len() {
        let Some(model) = lines[index].emotion_model.clone() else { continue };
        let emotions = model.shared();
        if heard.iter().any(|known| Arc::ptr_eq(known, &emotions)) {
            continue;
        }
        let theirs = |line: &Line| line.emotion_model.as_ref().is_some_and(|of| Arc::ptr_eq(&of.shared(), &emotions));
        let listeners = lines[index..].iter_mut().filter(|line| theirs(line)).filter_map(|line| line.speech.as_mut());
        let mut network = emotions.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = network.advance(listeners);
        model.place().note(network.device(), network.passed_over());
        drop(network);
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
        batches.plan.spend(more.seconds_busy);
        stats.count(more.batches, more.seconds_animated, more.seconds_busy);
    }
    for (speaker, mut voice) in &mut voices {
        if let Some((clip, reason)) = voice.bypass_change_detection().collect_live() {
            bevy_log::warn!("talkie: {speaker} is not animated any more: {reason}");
            commands.trigger(SpeechFailed { entity: speaker, clip, reason });
        }
    }
    let Batches { models, plan, .. } = &mut *batches;
    for model in models.values_mut() {
        let Some(done) = model.task.as_mut().and_then(check_ready) else { continue };
        model.task = None;
        let took = done.took.as_secs_f64();
        if done.poses > 0 {
            let cost = took / done.poses as f64;
            let share = if model.seconds_per_pose == 0.0 { 1.0 } else { COST_SHARE };
            model.seconds_per_pose += share * (cost - model.seconds_per_pose);
        }
        plan.spend(took);
        stats.count(1, done.seconds, took);
        for line in done.lines {
            // Whoever was despawned or interrupted meanwhile does not want its line back.
            let Ok((_, mut voice)) = voices.get_mut(line.speaker) else { continue };
            let speaker = line.speaker;
            if let Animated::Failed { clip, reason } = voice.bypass_change_detection().animated(line) {
                bevy_log::warn!("talkie: {speaker} is heard but not animated: {reason}");
                commands.trigger(SpeechFailed { entity: speaker, clip, reason });
            }
        }
    }
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

/// Where models come from, and what is known of those that do not come.
#[derive(SystemParam)]
pub(super) struct Models<'w> {
    faces: Res<'w, Assets<FaceModel>>,
    emotions: Res<'w, Assets<EmotionModel>>,
    server: Res<'w, AssetServer>,
    default_errors: Option<Res<'w, DefaultModelErrors>>,
}

impl Models<'_> {
    /// The model that animates what a voice says; `Err` says why there will be none, if that is known.
    fn of(&self, face: &TalkingFace, voice: &mut Voice) -> Result<FaceModel, Option<String>> {
        let id = if voice.is_live() { face.live_model.id() } else { face.model.id() };
        if let Some(model) = voice.begun_with().or_else(|| self.faces.get(id).cloned()) {
            return Ok(model);
        }
        Err(match self.server.load_state(id) {
            LoadState::Failed(error) => Some(error.to_string()),
            _ if is_default(id) && cfg!(not(feature = "default_model")) => {
                Some("no model is set, and the feature `default_model` is off".into())
            }
            _ => self
                .default_errors
                .as_ref()
                .and_then(|errors| errors.0.iter().find(|(of, _)| *of == id).map(|(_, error)| error.clone())),
        })
    }

    /// The network that hears emotions for a face; `None` if it is not there yet. One that cannot be had is no reason to be silent.
    fn hearing(&self, face: &TalkingFace, model: &FaceModel) -> Option<Option<EmotionModel>> {
        let Some(of) = face.emotion_model.as_ref().filter(|_| model.hears_emotions()) else { return Some(None) };
        match self.emotions.get(of) {
            None if !matches!(self.server.load_state(of.id()), LoadState::Failed(_)) => None,
            found => Some(found.cloned()),
        }
    }
}

/// Gathers the lines that need poses and sends them off, one batch for each model; live ones go to their thread.
#[expect(clippy::too_many_arguments, reason = "a system's parameters")]
pub(super) fn dispatch(
    mut commands: Commands,
    mut batches: ResMut<Batches>,
    mut live: ResMut<LiveVoices>,
    mut voices: Query<Speaker>,
    models: Models,
    mut stats: ResMut<InferenceStats>,
    budget: Res<InferenceBudget>,
    background: Res<Background>,
    time: Option<Res<Time<Real>>>,
) {
    let delta = time.map_or(0.0, |time| time.delta_secs_f64());
    batches.plan.begin(&budget, delta);
    for (entity, face, emotions, settings, has_meshes, mut voice) in &mut voices {
        let voice = voice.bypass_change_detection();
        if let Some(exchange) = voice.live_exchange() {
            if exchange.is_official {
                exchange.passed.lock().wish.note(settings, emotions);
            }
            continue;
        }
        let Some(ahead) = voice.ahead_seconds() else { continue };
        batches.plan.note_speaker();
        if ahead >= batches.plan.ahead_seconds() || !voice.wants_poses() {
            continue;
        }
        let model = match models.of(face, voice) {
            Ok(model) => model,
            Err(reason) => {
                if let Some(reason) = reason
                    && let Some(clip) = voice.cannot_animate()
                {
                    bevy_log::warn!("talkie: {entity} is heard but not animated: {reason}");
                    commands.trigger(SpeechFailed { entity, clip, reason });
                }
                continue;
            }
        };
        // A line that begins waits for the emotion network.
        let Some(hearing) = models.hearing(face, &model) else { continue };
        if !voice.is_live() {
            if !model.is_official() || ahead < OFFICIAL_AHEAD_SECONDS {
                voice.note_waiting(delta);
                let model = batches.number(model);
                batches.plan.add(Need { speaker: entity, ahead, model });
            }
        } else if let Some(mut line) = voice.take_line(entity, &model) {
            let mut wish = Wish::default();
            wish.note(settings, emotions);
            line.wish(&wish);
            line.equip(hearing, has_meshes);
            match live.add(line) {
                Ok(exchange) => voice.animated_live(exchange, model.is_official()),
                Err(reason) => {
                    if let Some(clip) = voice.cannot_animate() {
                        commands.trigger(SpeechFailed { entity, clip, reason });
                    }
                }
            }
        }
    }
    let Batches { models: known, plan, wanted, turns } = &mut *batches;
    (stats.waiting, stats.late) = plan.waiting();
    plan.order(turns);
    for model in turns.drain(..) {
        let Some(share) = wanted.get(model).and_then(|of| {
            let known = known.entry(of.key()).or_default();
            let most_seconds = if of.is_official() { OFFICIAL_SECONDS } else { f64::INFINITY };
            let (hertz, seconds_per_pose) = (of.frame_rate().hertz(), known.seconds_per_pose);
            let is_free = known.task.is_none();
            is_free.then(|| plan.share(model, &Cost { hertz, seconds_per_pose, most_seconds })).flatten()
        }) else {
            continue;
        };
        let model = wanted[model].clone();
        let mut lines = Vec::with_capacity(share.speakers.len());
        for speaker in share.speakers {
            let Ok((entity, face, emotions, settings, has_meshes, mut voice)) = voices.get_mut(speaker) else {
                continue;
            };
            let Some(mut line) = voice.bypass_change_detection().take_line(entity, &model) else { continue };
            let mut wish = Wish::default();
            wish.note(settings, emotions);
            line.wish(&wish);
            line.equip(models.hearing(face, &model).flatten(), has_meshes);
            lines.push(line);
        }
        let (key, frames, work) = (model.key(), share.frames, background.work());
        known.entry(key).or_default().gathered = Some(SyncCell::new(Gathered { model, lines, frames, work }));
    }
    wanted.clear();
}

/// After everything else in a frame: where there are few cores, what is sent off sooner takes one that the frame needs.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
struct AfterFrame;

/// Adds the schedule in which batches are sent off.
pub(super) fn add_after_frame(app: &mut App) {
    let mut schedule = Schedule::new(AfterFrame);
    // On the main thread, which has nothing to wait for then.
    schedule.set_executor(SingleThreadedExecutor::new()).add_systems(send_off);
    app.add_schedule(schedule);
    if let Some(mut order) = app.world_mut().get_resource_mut::<MainScheduleOrder>() {
        order.insert_after(Last, AfterFrame);
    }
}

/// Sends off what was gathered.
fn send_off(mut batches: ResMut<Batches>) {
    for model in batches.models.values_mut() {
        let Some(gathered) = model.gathered.take() else { continue };
        let Gathered { model: of, lines, frames, work } = SyncCell::to_inner(gathered);
        model.task = Some(AsyncComputeTaskPool::get().spawn(async move {
            let _work = work;
            run(&of, lines, frames)
        }));
    }
}

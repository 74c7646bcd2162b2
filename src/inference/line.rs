//! A line on its way through the networks.

use std::{sync::PoisonError, thread::Thread};

use bevy_ecs::entity::Entity;
use talkie::{
    animation::{FacePose, geometry::GeometryParameters},
    emotion::FACE_EMOTIONS,
    model::{Speech, SpeechOptions, audio2face::FaceGeometry},
};

use super::{Audio2FaceSettings, EmotionModel, FaceModel};
use crate::{
    face::Emotions,
    voice::{Mark, Sound},
};

/// What the game wants of the poses that come next.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Wish {
    identity: Option<String>,
    parameters: Option<GeometryParameters>,
    emotion: [f32; FACE_EMOTIONS.len()],
}

impl Wish {
    /// Notes what the game says now. Allocates nothing where it is the same as before.
    pub(super) fn note(&mut self, settings: Option<&Audio2FaceSettings>, emotions: &Emotions) {
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
    pub(super) emotion_model: Option<EmotionModel>,
    /// What is asked of an official network in the next batch.
    wish: Wish,
    /// The emotion in the order of the network, kept to be reused.
    translated: Vec<f32>,
    /// How many samples of a recording were pushed; where it is repeated, of its current round.
    pushed: usize,
    /// Samples of a stream that are left out before it begins.
    skipped: usize,
    first_pose: u64,
    /// Whether the recording begins again at its end.
    pub(crate) looped: bool,
    /// What was taken of a stream last, kept to be reused, and when it arrived.
    heard: Vec<f32>,
    pub(super) marks: Vec<Mark>,
    /// Frames of a stream that it was given.
    given: u64,
    pub(super) speech: Option<Speech>,
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
            skipped: 0,
            first_pose: 0,
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

    /// Its first pose is this one, whose moment is this frame of the sound: of a recording over as many rounds as it takes, of a stream
    /// one that nobody listened to yet, counted from that after `before`.
    pub(crate) fn starting_at(mut self, pose: u64, frame: u64, before: u64) -> Self {
        match &self.sound {
            Sound::Recorded(sound) => {
                let frames = (sound.samples().len() / sound.channels()).max(1);
                self.pushed = frame as usize % frames * sound.channels();
            }
            Sound::Stream(voice) => {
                self.skipped = (before + frame).saturating_sub(voice.heard_frames()) as usize * voice.channels();
                self.given = frame;
            }
        }
        self.first_pose = pose;
        self
    }

    /// The number of its first pose on the clock of the speech.
    pub(super) fn first_pose(&self) -> u64 {
        self.first_pose
    }

    /// Notes what the game wants of the next poses.
    pub(super) fn wish(&mut self, wish: &Wish) {
        if self.speech.is_none() {
            self.wish.identity.clone_from(&wish.identity);
        }
        (self.wish.parameters, self.wish.emotion) = (wish.parameters, wish.emotion);
    }

    /// Decides what holds for the whole line before it begins.
    pub(super) fn equip(&mut self, emotion_model: Option<EmotionModel>, wants_geometry: bool) {
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
    pub(super) fn listen(&mut self, model: &talkie::model::FaceModel, frames: usize) {
        if let Err(reason) = self.begin(model) {
            self.failure = Some(reason);
        }
        let Some(speech) = &mut self.speech else { return };
        let hearing = self.emotion_model.as_ref().map_or(0.0, EmotionModel::look_ahead_seconds);
        let ahead = self.model.look_ahead_seconds().max(hearing);
        let seconds = self.model.frame_rate().seconds(frames as u64) + ahead + 0.1;
        let needed = (seconds * f64::from(self.sound.sample_rate())).ceil() as usize;
        let all = match &self.sound {
            Sound::Recorded(sound) => {
                let mut count = needed * sound.channels();
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
                let all = voice.take(needed, &mut self.heard, &mut self.marks);
                let left_out = self.skipped.min(self.heard.len());
                self.skipped -= left_out;
                let heard = &self.heard[left_out..];
                self.marks.iter_mut().for_each(|mark| mark.end += self.given);
                self.given += (heard.len() / voice.channels().max(1)) as u64;
                speech.push(heard);
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

    pub(super) fn take_poses(&mut self) {
        let Some(speech) = &mut self.speech else { return };
        speech.drain_geometry(|mesh| self.geometry.push(mesh));
        if let Err(error) = speech.drain(|pose| self.poses.push(pose)) {
            self.failure = Some(error.to_string());
        }
        self.done = speech.is_done();
    }
}

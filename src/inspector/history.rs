//! What a face showed in the last seconds.

use std::collections::VecDeque;

use bevy_ecs::{
    component::Component,
    entity::Entity,
    system::{Commands, Query, Res},
};
use bevy_time::Time;
use talkie::animation::{CHANNEL_COUNT, FaceChannel};

use crate::{
    face::{LivePose, TalkingFace},
    voice::Voice,
};

/// How far back it goes, in seconds.
pub(super) const SPAN: f64 = 5.0;
/// Frames after which a face that no inspector shows is forgotten.
const FORGOTTEN: u32 = 60;

/// The weights of all channels at the three places where they can be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stages {
    /// What network or track say.
    pub(super) raw: [f32; CHANNEL_COUNT],
    /// After the [`Animator`](talkie::animation::Animator).
    pub(super) animated: [f32; CHANNEL_COUNT],
    /// With emotions, expression and life: the [`LivePose`].
    pub(super) applied: [f32; CHANNEL_COUNT],
}

impl Stages {
    pub(super) fn of(face: &TalkingFace, voice: &Voice, live: &LivePose) -> Self {
        let (mut pose, _) = voice.speech_pose();
        let raw = pose.weights;
        face.animator.apply(&mut pose);
        Self { raw, animated: pose.weights, applied: live.0.weights }
    }

    /// One channel, in this order.
    pub(super) fn weights(&self, channel: FaceChannel) -> [f32; 3] {
        [&self.raw, &self.animated, &self.applied].map(|weights| weights[channel.index()])
    }
}

/// What a face showed in the last [`SPAN`], on faces that an inspector shows.
#[derive(Component, Debug, Default)]
pub(super) struct History {
    frames: VecDeque<(f64, Stages)>,
    /// Frames since an inspector showed it.
    unseen: u32,
}

impl History {
    /// Keeps it alive.
    pub(super) fn seen(&mut self) {
        self.unseen = 0;
    }

    /// The newest moment in it, in seconds of the game.
    pub(super) fn end(&self) -> Option<f64> {
        self.frames.back().map(|(seconds, _)| *seconds)
    }

    /// Moments and weights, the oldest first.
    pub(super) fn frames(&self) -> impl Iterator<Item = &(f64, Stages)> {
        self.frames.iter()
    }
}

/// Remembers one frame of every face that is shown.
pub(super) fn record(
    mut faces: Query<(Entity, &TalkingFace, &Voice, &LivePose, &mut History)>,
    time: Res<Time>,
    mut commands: Commands,
) {
    for (entity, face, voice, live, mut history) in &mut faces {
        history.unseen += 1;
        if history.unseen > FORGOTTEN {
            commands.entity(entity).remove::<History>();
            continue;
        }
        let now = time.elapsed_secs_f64();
        if history.end().is_none_or(|end| end < now) {
            history.frames.push_back((now, Stages::of(face, voice, live)));
        }
        while history.frames.front().is_some_and(|(seconds, _)| *seconds < now - SPAN) {
            history.frames.pop_front();
        }
    }
}

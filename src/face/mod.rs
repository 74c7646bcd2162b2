//! The layers of a face, from what is said to what shows.
//!
//! | layer | what it gives | how it joins |
//! |---|---|---|
//! | speech | lips, jaw, tongue, cheeks, accents of the brows from [`Voice`] | first |
//! | [`Expression`] | what the game wants to show: a smile, a frown | added; on the mouth it yields while speech needs it |
//! | [`FaceLife`] | blinks, nods, small movements of gaze and head | lids by maximum, gaze and head added |
//!
//! The result is the [`LivePose`] of the frame, which the rig writes. A layer of your own goes between
//! [`TalkieSystems::Face`] and [`TalkieSystems::Rig`].

mod life;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_asset::Handle;
use bevy_ecs::{
    change_detection::DetectChangesMut as _,
    component::Component,
    entity::Entity,
    schedule::IntoScheduleConfigs,
    system::{Query, Res},
};
use bevy_time::Time;
use bevy_transform::components::Transform;
use talkie::animation::{Animator, CHANNEL_COUNT, FaceChannel, FacePose};

pub use life::FaceLife;
use life::LifeState;

use crate::{
    TalkieSystems,
    inference::{FaceModel, LIVE_MODEL},
    voice::{Voice, VoiceSettings},
};

/// How much of an [`Expression`] remains on the mouth while it speaks.
const EXPRESSION_WHILE_SPEAKING: f32 = 0.35;

/// Makes an entity speak. Put it on the entity that has the character's scene, or on any ancestor of the character.
///
/// The character below it is bound by itself when its scene is ready ([`FaceBound`](crate::rig::FaceBound)); speech starts
/// with [`say`](crate::voice::SpeechCommands::say).
#[derive(Component, Debug, Clone)]
#[require(Voice, VoiceSettings, Expression, FaceLife, LifeState, LivePose, Transform)]
pub struct TalkingFace {
    /// The network that animates recorded lines, whose future is known. The default handle is the embedded default model.
    pub model: Handle<FaceModel>,
    /// The network that animates [live voices](crate::voice::VoiceStream). Default [`LIVE_MODEL`], which is embedded too.
    pub live_model: Handle<FaceModel>,
    /// How strongly it performs.
    pub animator: Animator,
}

impl Default for TalkingFace {
    fn default() -> Self {
        Self { model: Handle::default(), live_model: LIVE_MODEL, animator: Animator::default() }
    }
}

/// What the game wants a face to show, by itself or while it speaks. Rest by default; ease it as you like.
#[derive(Component, Debug, Clone, PartialEq)]
pub struct Expression {
    /// Weight of every channel by its index, 0..=1.
    pub weights: [f32; CHANNEL_COUNT],
}

impl Default for Expression {
    fn default() -> Self {
        Self { weights: [0.0; CHANNEL_COUNT] }
    }
}

impl Expression {
    /// Sets some channels, the others are at rest.
    pub fn new(weights: impl IntoIterator<Item = (FaceChannel, f32)>) -> Self {
        let mut expression = Self::default();
        for (channel, weight) in weights {
            expression.set(channel, weight);
        }
        expression
    }

    /// Sets one channel.
    pub fn set(&mut self, channel: FaceChannel, weight: f32) {
        self.weights[channel.index()] = weight;
    }

    /// Weight of one channel.
    pub fn weight(&self, channel: FaceChannel) -> f32 {
        self.weights[channel.index()]
    }
}

/// The pose a face shows in this frame: all layers together. Written in [`TalkieSystems::Face`], always finite.
#[derive(Component, Debug, Clone, Default, PartialEq)]
pub struct LivePose(pub FacePose);

/// Composes the layers. See [`TalkiePlugins`](crate::TalkiePlugins).
#[derive(Debug, Clone, Copy, Default)]
pub struct FacePlugin;

impl Plugin for FacePlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(PostUpdate, compose.in_set(TalkieSystems::Face));
    }
}

fn compose(
    mut faces: Query<(Entity, &TalkingFace, &Voice, &Expression, &FaceLife, &mut LifeState, &mut LivePose)>,
    time: Res<Time>,
) {
    for (entity, face, voice, expression, life, mut state, mut live) in &mut faces {
        let (mut pose, speaking) = voice.speech_pose();
        face.animator.apply(&mut pose);
        life.advance(&mut state, entity, time.delta_secs(), &pose);
        show(expression, speaking, &mut pose);
        life.show(&state, &mut pose);
        if !pose.is_finite() {
            pose = FacePose::REST;
        }
        // Only a face that moves counts as changed.
        live.set_if_neq(LivePose(pose));
    }
}

/// Adds an expression; on the mouth it yields to speech.
fn show(expression: &Expression, speaking: f32, pose: &mut FacePose) {
    let mouth = 1.0 - (1.0 - EXPRESSION_WHILE_SPEAKING) * speaking;
    for (channel, (weight, shown)) in FaceChannel::ALL.into_iter().zip(pose.weights.iter_mut().zip(&expression.weights))
    {
        if *shown != 0.0 && shown.is_finite() {
            let share = if channel.is_upper_face() { 1.0 } else { mouth };
            *weight = (*weight + shown * share).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_yields_the_mouth_to_speech_but_keeps_the_brows() {
        let smile = Expression::new([(FaceChannel::MouthSmileLeft, 0.6), (FaceChannel::BrowInnerUp, 0.6)]);
        let shown = |speaking| {
            let mut pose = FacePose::REST;
            show(&smile, speaking, &mut pose);
            (pose.weight(FaceChannel::MouthSmileLeft), pose.weight(FaceChannel::BrowInnerUp))
        };
        assert_eq!(shown(0.0), (0.6, 0.6));
        let (mouth, brow) = shown(1.0);
        assert!((mouth - 0.6 * EXPRESSION_WHILE_SPEAKING).abs() < 1e-6);
        assert_eq!(brow, 0.6);
    }

    #[test]
    fn an_expression_that_is_not_a_number_shows_nothing() {
        let mut pose = FacePose::REST;
        show(&Expression::new([(FaceChannel::JawOpen, f32::NAN), (FaceChannel::BrowDownLeft, 7.0)]), 0.0, &mut pose);
        assert_eq!(pose.weight(FaceChannel::JawOpen), 0.0);
        assert_eq!(pose.weight(FaceChannel::BrowDownLeft), 1.0);
    }
}

//! The layers of a face, from what is said to what shows.
//!
//! | layer | what it gives | how it joins |
//! |---|---|---|
//! | speech | lips, jaw, tongue, cheeks, accents of the brows from [`Voice`] | first |
//! | [`Emotions`] | what the character feels, eased, by priority | added; on the mouth it yields while speech needs it |
//! | [`Expression`] | what else the game wants to show: a smile, a frown | added in the same way, or covering what is below |
//! | [`FaceLife`] | blinks, nods, small movements of gaze and head | lids by maximum, gaze and head added |
//!
//! The result is the [`LivePose`] of the frame, less what a [`ChannelMask`] hides. The rig writes it; where a clip of the character moves the same shapes and joints,
//! [`FaceAuthority`] says who is seen. A layer of your own goes between
//! [`TalkieSystems::Face`] and [`TalkieSystems::Rig`].

mod detail;
mod emotion;
mod life;
mod mask;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_asset::Handle;
use bevy_ecs::{
    change_detection::DetectChangesMut as _,
    component::Component,
    entity::Entity,
    query::QueryItem,
    schedule::IntoScheduleConfigs,
    system::{Query, Res},
};
use bevy_time::Time;
use bevy_transform::components::Transform;
use talkie::animation::{Animator, CHANNEL_COUNT, FaceChannel, FacePose, FaceRegion};

use detail::DetailState;
pub use detail::{AutoDetail, DetailSettings, FaceDetail};
pub use emotion::{Emotions, Feeling};
pub use life::FaceLife;
use life::LifeState;
pub use mask::ChannelMask;

use crate::{
    TalkieSystems,
    inference::{EmotionModel, FaceModel, InferenceBudget, InferenceStats, LIVE_MODEL},
    rig::{FaceAuthority, RigProfile},
    voice::{Voice, VoiceSettings},
};

/// How much of the [`Emotions`] is added while a network speaks that takes them itself and shows them in speech.
const ADDED_TO_NETWORK: f32 = 0.0;

/// Makes an entity speak. Put it on the entity that has the character's scene, or on any ancestor of the character.
///
/// The character below it is bound by itself when its scene is ready ([`FaceBound`](crate::rig::FaceBound)); speech starts
/// with [`say`](crate::voice::SpeechCommands::say).
#[derive(Component, Debug, Clone)]
#[require(
    Voice,
    VoiceSettings,
    Emotions,
    Expression,
    FaceLife,
    LifeState,
    FaceDetail,
    DetailState,
    LivePose,
    FaceAuthority,
    Transform
)]
pub struct TalkingFace {
    /// The network that animates recorded lines, whose future is known. The default handle is the embedded default model.
    pub model: Handle<FaceModel>,
    /// The network that animates [live voices](crate::voice::VoiceStream). Default [`LIVE_MODEL`], which is embedded too.
    pub live_model: Handle<FaceModel>,
    /// Hears emotions in the voice, for networks that take some; others do without. Default none.
    pub emotion_model: Option<Handle<EmotionModel>>,
    /// How strongly it performs.
    pub animator: Animator,
    /// What its character calls its shapes and joints. Default none: whichever of the [`RigProfiles`](crate::rig::RigProfiles) and
    /// the built-in profiles knows most of them. When it changes, the face is bound anew.
    pub profile: Option<Handle<RigProfile>>,
}

impl Default for TalkingFace {
    fn default() -> Self {
        Self {
            model: Handle::default(),
            live_model: LIVE_MODEL,
            emotion_model: None,
            animator: Animator::default(),
            profile: None,
        }
    }
}

/// What the game wants a face to show besides [`Emotions`], by itself or while it speaks. Rest by default; ease it as you like.
///
/// While the face speaks it shows in full on brows and lids and less on corners of the mouth, cheeks and nose; jaw, lips and
/// tongue are left to speech. Where it [`covers`](Self::covers) a region it is shown in full, and what speech and emotions say there is
/// not.
#[derive(Component, Debug, Clone, PartialEq)]
pub struct Expression {
    /// Weight of every channel by its index, 0..=1.
    pub weights: [f32; CHANNEL_COUNT],
    /// How much of speech and emotions it covers. Default nothing.
    pub covers: Cover,
}

/// How much of what lies below an [`Expression`] it covers in each region, 0..=1; ease it as you like. Blinks, gaze and nods go on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cover {
    /// Jaw, lips, tongue, cheeks and nose.
    pub mouth: f32,
    /// Lids and gaze.
    pub eyes: f32,
    /// Brows.
    pub brows: f32,
}

impl Cover {
    /// Everything.
    pub const ALL: Self = Self { mouth: 1.0, eyes: 1.0, brows: 1.0 };

    /// How much in a region.
    fn of(&self, region: FaceRegion) -> f32 {
        let share = match region {
            FaceRegion::Mouth => self.mouth,
            FaceRegion::Eyes => self.eyes,
            FaceRegion::Brows => self.brows,
            FaceRegion::Head => 0.0,
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Takes away what is covered.
    fn clear(&self, pose: &mut FacePose) {
        if *self != Self::default() {
            for (weight, channel) in pose.weights.iter_mut().zip(FaceChannel::ALL) {
                *weight *= 1.0 - self.of(channel.region());
            }
        }
    }
}

impl Default for Expression {
    fn default() -> Self {
        Self { weights: [0.0; CHANNEL_COUNT], covers: Cover::default() }
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

    /// With more of what lies below it covered.
    #[must_use]
    pub fn covering(self, covers: Cover) -> Self {
        Self { covers, ..self }
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
        app.init_resource::<DetailSettings>()
            .init_resource::<InferenceBudget>()
            .init_resource::<InferenceStats>()
            .add_systems(PostUpdate, detail::choose.before(TalkieSystems::Voice))
            .add_systems(PostUpdate, compose.in_set(TalkieSystems::Face));
    }
}

/// The layers of one face, and what they become.
type Layers = (
    Entity,
    &'static TalkingFace,
    &'static Voice,
    &'static mut Emotions,
    &'static Expression,
    &'static FaceLife,
    &'static mut LifeState,
    (&'static FaceDetail, &'static mut DetailState),
    Option<&'static ChannelMask>,
    &'static mut LivePose,
);

/// So many faces are composed in parallel; fewer are not worth the tasks, which allocate.
pub(crate) const MANY_FACES: usize = 64;

fn compose(mut faces: Query<Layers>, time: Res<Time>) {
    let delta = time.delta_secs();
    if faces.iter().len() < MANY_FACES {
        faces.iter_mut().for_each(|layers| compose_face(layers, delta));
    } else {
        faces.par_iter_mut().for_each(|layers| compose_face(layers, delta));
    }
}

fn compose_face(layers: QueryItem<'_, '_, Layers>, delta: f32) {
    let (entity, face, voice, mut emotions, expression, life, mut state, (detail, mut shares), mask, mut live) = layers;
    // Only what moves counts as changed.
    if !emotions.is_steady() && emotions.bypass_change_detection().advance(delta) {
        emotions.set_changed();
    }
    let Some(work) = shares.advance(entity, *detail, delta) else { return };
    let (mut pose, speaking) = voice.speech_pose();
    face.animator.apply(&mut pose);
    let speech = pose;
    if work.layers > 0.0 {
        life.advance(&mut state, entity, work.delta, &pose);
        let beside = if voice.network_shows_emotions() { ADDED_TO_NETWORK } else { 1.0 };
        show_emotions(&emotions, speaking, beside, &mut pose);
        expression.covers.clear(&mut pose);
        let left_to_speech = speaking * (1.0 - expression.covers.of(FaceRegion::Mouth));
        pose.add_expression(&expression.weights, left_to_speech);
        life.show(&state, &mut pose);
    }
    if work.layers < 1.0 {
        pose = speech.lerp(&pose, work.layers);
    }
    if work.shown < 1.0 {
        pose = FacePose::REST.lerp(&pose, work.shown);
    }
    if let Some(mask) = mask {
        mask.apply(&mut pose);
    }
    if !pose.is_finite() {
        pose = FacePose::REST;
    }
    live.set_if_neq(LivePose(pose));
}

/// Adds emotions, of which `beside` (0..=1) is left where all of the face belongs to speech.
fn show_emotions(emotions: &Emotions, speaking: f32, beside: f32, pose: &mut FacePose) {
    let left = 1.0 - (1.0 - beside) * speaking;
    let shown = emotions.current().map(|intensity| intensity * left);
    if shown.iter().any(|intensity| *intensity > 0.0) {
        pose.add_expression(&talkie::emotion::expression(&shown), speaking);
    }
}

#[cfg(test)]
mod tests {
    use talkie::emotion::Emotion;

    use super::*;

    #[test]
    fn what_an_expression_covers_is_not_seen() {
        let mut pose = FacePose::REST;
        for channel in [FaceChannel::JawOpen, FaceChannel::EyeSquintLeft, FaceChannel::BrowInnerUp] {
            pose.set(channel, 0.8);
        }
        Cover { mouth: 0.5, brows: 1.0, eyes: f32::NAN }.clear(&mut pose);
        assert_eq!(
            [FaceChannel::JawOpen, FaceChannel::EyeSquintLeft, FaceChannel::BrowInnerUp].map(|c| pose.weight(c)),
            [0.4, 0.8, 0.0]
        );
    }

    #[test]
    fn a_network_that_shows_emotions_leaves_a_part_of_them_to_be_added() {
        let mut emotions = Emotions::default();
        emotions.request(Feeling::new(Emotion::Anger, 1.0).easing(0.0, 0.0));
        emotions.advance(0.1);
        let brow = |speaking, beside| {
            let mut pose = FacePose::REST;
            show_emotions(&emotions, speaking, beside, &mut pose);
            pose.weight(FaceChannel::BrowDownLeft)
        };
        let full = brow(0.0, 0.25);
        assert!(full > 0.5);
        assert_eq!(brow(1.0, 1.0), full);
        assert!((brow(1.0, 0.25) - 0.25 * full).abs() < 1e-6);
    }
}

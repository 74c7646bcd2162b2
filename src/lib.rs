//! `bevy_talkie` gives characters in Bevy games a face that speaks.
//!
//! Sound becomes facial animation through a small neural network that runs on a background task pool, with ONNX Runtime
//! or without it, on any machine. The face of any glTF or VRM character is bound by itself; the ECS
//! drives it every frame.
//!
//! # Quick start
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_talkie::prelude::*;
//!
//! fn main() {
//!     App::new()
//!         .add_plugins((DefaultPlugins, TalkiePlugins))
//!         .add_systems(Startup, setup)
//!         .run();
//! }
//!
//! fn setup(mut commands: Commands, assets: Res<AssetServer>) {
//!     commands.spawn((Camera3d::default(), Transform::from_xyz(0.0, 0.1, 0.6).looking_at(Vec3::Y * 0.1, Vec3::Y)));
//!     commands.spawn(DirectionalLight::default());
//!     commands
//!         .spawn((
//!             WorldAssetRoot(assets.load("characters/ada.glb#Scene0")),
//!             TalkingFace::default(),
//!         ))
//!         .say(assets.load("voices/01_ada.ogg"));
//! }
//! ```
//!
//! # What is in it
//!
//! | module | what it is about |
//! |---|---|
//! | [`voice`] | what a character says: clips, streams, microphones, baked motion, the queue, the clock of what is heard |
//! | [`inference`] | models as assets; one batch for all speakers, off the main thread, within a budget |
//! | [`face`] | the layers of a face: speech, emotions, expression, blink, gaze and head life; how much is done for it |
//! | [`rig`] | binding to morph targets and joints, and the report about it |
//! | `inspector` | faces at work in `egui`, everything that can be set, profiles saved (feature `inspector`) |
//!
//! The parts without Bevy (decoding, features, networks, poses) are the crate [`talkie`].
//!
//! # Cargo features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `asset_processor` | no | `voice::BakeVoicesPlugin`: Bevy's asset processor animates voice lines when a game is built |
//! | `bevy_audio` | yes | plays the voice through `bevy_audio`, spatial if asked, and follows what is heard |
//! | `bevy_kira_audio` | no | `voice::KiraVoicePlugin`: `bevy_kira_audio` plays clips |
//! | `bevy_seedling` | no | `voice::SeedlingVoicePlugin`: `bevy_seedling` plays clips and streams |
//! | `coreml`, `cuda`, `directml`, `openvino`, `tensorrt`, `webgpu` | no | lets networks compute there ([`Device`](talkie::inference::Device)) |
//! | `default_model` | yes | embeds the default voice models, so that no file is needed beside the binary |
//! | `inspector` | no | `inspector::FaceInspector` and `FaceInspectorPlugin`: faces at work in `bevy_egui` |
//! | `microphone` | yes | captures microphones through `cpal` |
//! | `vrm` | yes | `rig::VrmPlugin`: reads VRM avatars |
//!
//! # When nothing moves
//!
//! - **The log says "nothing opens the mouth".** The character has no shape named `jawOpen` (in any spelling) and no joint
//!   `jaw`. Look at [`BindingReport`](rig::BindingReport) on the entity with [`TalkingFace`](face::TalkingFace).
//! - **There is no report at all.** The scene has not spawned: is the path right, and does it end in `#Scene0`?
//! - **The mouth moves, nothing is heard.** No audio device, or `AudioPlugin` is not added; the face then runs on simulated
//!   time.
//! - **[`SpeechFailed`](voice::SpeechFailed) arrives.** Its `reason` names the file and what was expected.
//! - To see what is decided and when: `RUST_LOG=bevy_talkie=debug,talkie=debug`.
#![forbid(unsafe_code)]

mod background;
mod ease;
pub mod face;
pub mod inference;
#[cfg(feature = "inspector")]
pub mod inspector;
pub mod rig;
pub mod voice;

use bevy_app::{AnimationSystems, App, Plugin, PluginGroup, PluginGroupBuilder, PostUpdate};
use bevy_ecs::schedule::{IntoScheduleConfigs, SystemSet};
use bevy_transform::TransformSystems;

pub use talkie;

/// Everything a game needs.
pub mod prelude {
    pub use talkie::{
        animation::{Animator, FaceChannel, FacePose},
        emotion::Emotion,
    };

    pub use crate::{
        TalkiePlugins, TalkieSystems,
        face::{
            AutoDetail, Cover, DetailSettings, Emotions, Expression, FaceDetail, FaceLife, Feeling, LivePose,
            TalkingFace,
        },
        inference::{FaceModel, InferenceBudget},
        rig::{Authority, BindingReport, FaceAuthority, FaceBound, FaceRig, RigProfile, RigProfiles},
        voice::{
            SpeechCommands, SpeechFailed, SpeechFinished, SpeechInterrupted, SpeechStarted, SpeechUnderrun, Voice,
            VoiceClip, VoiceSettings, VoiceStream,
            microphone::{Microphone, MicrophoneState, MicrophoneStatus, Microphones},
        },
    };
}

/// The steps of a frame, all in [`PostUpdate`] between [`AnimationSystems`] and [`TransformSystems::Propagate`], in this
/// order.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TalkieSystems {
    /// Collects what the networks computed, starts and ends speech, advances the clock of what is heard.
    Voice,
    /// Gathers waiting sound for the networks, which get it when the frame is over.
    Inference,
    /// Composes the layers into the [`LivePose`](face::LivePose) of this frame. Write your own layer after it.
    Face,
    /// Writes poses to morph weights and joints.
    Rig,
}

/// All plugins of this crate.
///
/// | plugin | what it does |
/// |---|---|
/// | [`TalkieSchedulePlugin`] | orders the [`TalkieSystems`] |
/// | [`inference::InferencePlugin`] | loads models, runs them on the task pool |
/// | [`voice::VoicePlugin`] | clips, streams, microphones, queue, clock, sound |
/// | [`face::FacePlugin`] | speech, emotions, expression, blink, gaze and head layers |
/// | [`rig::RigPlugin`] | binds characters and writes to them |
/// | [`rig::MorphVisibilityPlugin`] | works around a defect of Bevy 0.19 that freezes morphs after leaving view |
/// | `rig::VrmPlugin` (feature `vrm`) | reads VRM avatars: `.vrm` files, their expressions and bones |
///
/// Each can be left out or replaced: `TalkiePlugins.build().disable::<MorphVisibilityPlugin>()`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TalkiePlugins;

impl PluginGroup for TalkiePlugins {
    fn build(self) -> PluginGroupBuilder {
        let group = PluginGroupBuilder::start::<Self>()
            .add(TalkieSchedulePlugin)
            .add(inference::InferencePlugin::default())
            .add(voice::VoicePlugin)
            .add(face::FacePlugin)
            .add(rig::RigPlugin)
            .add(rig::MorphVisibilityPlugin);
        #[cfg(feature = "vrm")]
        let group = group.add(rig::VrmPlugin);
        group
    }
}

/// Puts the [`TalkieSystems`] in their place.
#[derive(Debug, Clone, Copy, Default)]
pub struct TalkieSchedulePlugin;

impl Plugin for TalkieSchedulePlugin {
    fn build(&self, app: &mut App) {
        app.configure_sets(
            PostUpdate,
            (TalkieSystems::Voice, TalkieSystems::Inference, TalkieSystems::Face, TalkieSystems::Rig)
                .chain()
                .after(AnimationSystems)
                .before(TransformSystems::Propagate),
        );
    }
}

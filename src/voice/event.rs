//! What happened to a speech, told to the entity that speaks.

use bevy_asset::Handle;
use bevy_ecs::{entity::Entity, event::EntityEvent};

use super::VoiceClip;

/// The first sample of a line is heard now.
#[derive(EntityEvent, Debug, Clone)]
pub struct SpeechStarted {
    /// The face that speaks.
    pub entity: Entity,
    /// The line.
    pub clip: Handle<VoiceClip>,
}

/// A line was heard to its end.
#[derive(EntityEvent, Debug, Clone)]
pub struct SpeechFinished {
    /// The face that spoke.
    pub entity: Entity,
    /// The line.
    pub clip: Handle<VoiceClip>,
}

/// The sound of a [speech that comes in pieces](super::VoiceStream::speech) did not come in time: the voice is silent and the mouth
/// closes until a tenth of a second of it is there again.
#[derive(EntityEvent, Debug, Clone)]
pub struct SpeechUnderrun {
    /// The face that waits.
    pub entity: Entity,
    /// The line.
    pub clip: Handle<VoiceClip>,
    /// How much of it was heard, in seconds.
    pub heard_seconds: f64,
}

/// A line was cut off by [`interrupt`](super::SpeechCommands::interrupt): sent once for each line that had started or
/// waited in the queue.
#[derive(EntityEvent, Debug, Clone)]
pub struct SpeechInterrupted {
    /// The face that spoke.
    pub entity: Entity,
    /// The line.
    pub clip: Handle<VoiceClip>,
    /// How much of it was heard, in seconds; 0 if it had not started.
    pub heard_seconds: f64,
}

/// A line could not be spoken, or could only be heard: its file cannot be loaded, or its face cannot be animated.
///
/// Where only the animation failed, [`SpeechStarted`] and [`SpeechFinished`] come as well: the line is heard, from a face
/// at rest. Other speakers are not affected.
#[derive(EntityEvent, Debug, Clone)]
pub struct SpeechFailed {
    /// The face that should have spoken.
    pub entity: Entity,
    /// The line.
    pub clip: Handle<VoiceClip>,
    /// What is wrong, with what, and what was expected.
    pub reason: String,
}

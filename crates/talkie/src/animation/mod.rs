//! Face poses and how they move: channels, poses, tracks, hints and the animator's settings.

pub mod blendshapes;

mod animator;
mod channel;
pub mod direct;
pub mod geometry;
mod hints;
mod layer;
mod pose;
mod track;

pub use animator::Animator;
pub use channel::{ARKIT_COUNT, CHANNEL_COUNT, FaceChannel, FaceRegion};
pub use hints::{HintError, HintKind, SpeechHint, SpeechHints, Viseme};
pub use pose::{FacePose, JOINT_COLUMNS};
pub use track::{FaceTrack, FrameRate, TrackError};

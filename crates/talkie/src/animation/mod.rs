//! Face poses and how they move: channels, poses, tracks and their files, hints and the animator's settings.

pub mod blendshapes;

mod animator;
mod channel;
mod content_hash;
pub mod direct;
pub mod geometry;
mod hints;
mod layer;
mod level;
mod pose;
mod table;
mod track;
mod track_file;

pub use animator::Animator;
pub use channel::{ARKIT_COUNT, CHANNEL_COUNT, FaceChannel, FaceRegion};
pub use content_hash::ContentHash;
pub use hints::{HintError, HintKind, SpeechHint, SpeechHints, Viseme};
pub use level::{LevelJaw, root_mean_square};
pub use pose::{FacePose, JOINT_COLUMNS};
pub(crate) use table::{Table, TableRow};
pub use table::{TableError, TableTrack};
pub use track::{FaceTrack, FrameRate, TrackError};
pub use track_file::{TRACK_EXTENSION, TrackFileError, TrackSource};

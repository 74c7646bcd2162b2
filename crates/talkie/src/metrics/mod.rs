//! How well a face speaks: a track compared with what was said, phone by phone.
//!
//! The truth is phonetic: an [`Alignment`] says which phone is spoken when, and the score asks whether the mouth does
//! what that phone needs. Plain data in, plain data out; reading sound and running networks happens elsewhere.
//!
//! ```
//! use talkie::animation::FaceChannel;
//! use talkie::metrics::{Alignment, ChannelCurves, ClipEvents, Score};
//!
//! let said = Alignment::from_json(r#"{"phones": [["AA", 0.0, 0.2], ["P", 0.2, 0.3], ["AA", 0.3, 0.5]]}"#)?;
//! let times = vec![0.0, 0.19, 0.21, 0.29, 0.31, 0.5];
//! let jaw = vec![0.5, 0.5, 0.0, 0.0, 0.5, 0.5];
//! let track = ChannelCurves::new(times, vec![(FaceChannel::JawOpen, jaw)])?;
//! let events = ClipEvents::measure(&said, &track, 0.0);
//! let score = Score::pooled([&events]);
//! assert_eq!(score.bilabial_recall, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Lip aperture
//!
//! Most figures look at one number, in units of `jawOpen`:
//!
//! ```text
//! aperture = max(0, max(0, jawOpen - mouthClose) + 0.15 lowerDown + 0.15 upperUp + 0.25 mouthFunnel
//!                   - 0.10 press - 0.06 rollLower - 0.04 rollUpper)
//! ```
//!
//! `lowerDown`, `upperUp` and `press` are the mean of left and right. ARKit's `mouthClose` does not close a mouth by
//! itself: it cancels the lip opening that `jawOpen` makes, hence the inner difference. The other factors are rounded
//! from a measured head.
//!
//! Every track is resampled linearly to 200 Hz first, so its frame rate does not change what "at any time" means. The
//! pooled [`Score`] puts the events of all clips together; it is not a mean of scores. What each figure means is said at
//! the fields of [`Score`].
//!
//! # On a head
//!
//! Channels are only weights; whether lips meet shows on a face. [`LipMesh`] is a head with ARKit shapes, read from a GLB
//! file (feature `gltf`) or made of plain positions. [`ClipEvents::measure_on`] reads the aperture off its inner lips in
//! millimetres, for the figures of [`Score`] that end in `_mm`.
//!
//! # Between two tracks
//!
//! Where a better track of the same speech is at hand, a teacher's or a captured one, [`ChannelError`] says how far each
//! channel is from it, and [`LipMesh::vertex_error`] how far the lips are.
//!
//! # Elsewhere than in a studio
//!
//! [`conditions`] makes a recording sound like one with noise, over a telephone or in a room.

mod alignment;
mod aperture;
pub mod conditions;
mod curves;
mod difference;
mod events;
mod lips;
mod phones;
mod score;
mod statistics;
#[cfg(test)]
mod tests;

pub(crate) use aperture::lip_opening;

pub use alignment::{Alignment, AlignmentError, Phone};
pub use curves::{ChannelCurves, CurvesError};
pub use difference::ChannelError;
pub use events::ClipEvents;
pub use lips::{CLOSED_MM, LipMesh, LipMeshError, LipVertexError};
pub use score::{EventCounts, Score};

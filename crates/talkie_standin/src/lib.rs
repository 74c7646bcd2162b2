//! Writes *stand-in bundles*: folders of exactly the layout of NVIDIA's Audio2Face-3D and Audio2Emotion bundles, of their sizes
//! if wished, with small networks of our own inside. Whoever has no official weights can test and measure with them.
//!
//! ```no_run
//! use talkie_standin::{Family, Size, StandIn};
//!
//! StandIn::new(Family::Regression, Size::Tiny).write("folder".as_ref())?;
//! # Ok::<(), talkie_standin::Error>(())
//! ```
//!
//! | family | network | what it does |
//! |---|---|---|
//! | [`Family::Regression`] | Audio2Face-3D v2.3 | the mouth follows four bands of the sound, the face its emotions |
//! | [`Family::Diffusion`] | Audio2Face-3D v3.0 | the same for thirty frames at once, with identities, a state and noise |
//! | [`Family::Emotion`] | Audio2Emotion | guesses emotions by how loud and bright the voice is |
//!
//! The poses are those of a [`Head`], so that solving for blend shapes gives weights that make sense: the face opens its jaw
//! when it hears a vowel, smiles when it is happy and rests in silence. It is no lip sync that anybody should look at.
//!
//! Numbers that are known of the official bundles are used as they are. Where they are not (solver settings of the diffusion
//! identities, say), those of the regression bundle *Mark* stand for them. `a2f_ms_config.json`, which no runtime reads, is
//! not written. One number is not official at other sizes: `templateBBSize` grows as vertices get fewer, because the solver
//! weighs the size of weights against a sum over vertices.

mod arrays;
mod basis;
mod behaviour;
mod data;
mod head;
mod names;
mod network;
mod random;
mod settings;
mod stand_in;
#[cfg(test)]
mod tests;

pub use head::{Head, HeadError};
pub use names::{EMOTIONS, HEARD_EMOTIONS, SKIN_POSES, TONGUE_POSES};
pub use stand_in::{Error, Family, Size, StandIn};

/// Samples per second of every network.
pub const SAMPLE_RATE: usize = 16_000;

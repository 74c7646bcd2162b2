//! Bundles of NVIDIA's Audio2Face-3D and Audio2Emotion, as they are published.
//!
//! | file | read by |
//! |---|---|
//! | `model.json` | [`BundleFiles`] |
//! | `network_info.json` | [`RegressionInfo`], [`DiffusionInfo`], [`EmotionInfo`] |
//! | `model_data.npz` | [`GeometryData`] |
//! | `implicit_emo_db.npz` | [`EmotionDatabase`] |
//! | `model_config.json` | [`IdentityConfig`], [`EmotionConfig`] |
//! | `bs_*_config.json`, `bs_*.npz` | [`BlendshapeSolver`](crate::animation::blendshapes::BlendshapeSolver) |
//!
//! [`FaceBundle`] and [`EmotionBundle`] read all of them together.
//!
//! The official loader reinterprets bytes and checks little; here every key, type, shape and number is checked, and an error
//! names the file, the key or array, what was found and what was expected.

mod arrays;
mod bundle;
mod config;
mod data;
mod face;
mod files;
mod info;
#[cfg(feature = "ort")]
mod network;
#[cfg(feature = "ort")]
mod noise;
mod shapes;
#[cfg(test)]
mod tests;

pub use bundle::{BundleSource, EmotionBundle, FaceBundle, FaceInfo, Identity};
pub use config::{EmotionConfig, IdentityConfig};
pub use data::{EmotionDatabase, GeometryData};
pub use face::{FaceFrames, FaceGeometry, FaceShapes, FrameError, RawFrame};
pub use files::{BlendshapeFiles, BundleFiles, Family, IdentityFiles, SolverFiles};
pub use info::{DiffusionInfo, EmotionInfo, RegressionInfo};
#[cfg(feature = "ort")]
pub(crate) use network::{WindowedNetwork, WindowedSpeech};

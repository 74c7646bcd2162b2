//! Models: the bundle on disk, the features a network hears, the network families.

pub mod audio2face;
mod bundle;
#[cfg(feature = "ort")]
pub(crate) mod emotion_model;
#[cfg(feature = "ort")]
mod face_model;
pub mod features;
#[cfg(feature = "ort")]
mod streaming;
mod windows;

pub use bundle::{BundleError, FeatureSpec, Kind, Manifest, StateTensor, TensorNames};
#[cfg(feature = "ort")]
pub use emotion_model::{EmotionModel, EmotionModelOptions};
#[cfg(feature = "ort")]
pub use face_model::{AnimateError, BeginError, FaceModel, ModelOptions, Speech, SpeechOptions};
pub use windows::{Window, WindowError, WindowLayout, WindowSchedule};

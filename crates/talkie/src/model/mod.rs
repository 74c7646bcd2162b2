//! Models: the bundle on disk, the features a network hears, the network families.

mod bundle;
#[cfg(feature = "ort")]
mod face_model;
pub mod features;
#[cfg(feature = "ort")]
mod streaming;
mod windows;

pub use bundle::{BundleError, FeatureSpec, Kind, Manifest, StateTensor, TensorNames};
#[cfg(feature = "ort")]
pub use face_model::{AnimateError, FaceModel, Speech};
pub use windows::{Window, WindowError, WindowLayout, WindowSchedule};

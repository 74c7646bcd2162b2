//! Which shape and which joint of a rig answers to which channel of a face, and the report about it.

#[cfg(feature = "gltf")]
mod file;
mod joint;
mod report;
mod shape;

#[cfg(feature = "gltf")]
pub use file::{open_gltf, target_names};
pub use joint::Joint;
pub use report::{BindingReport, BoundJoint, BoundShape};
pub use shape::{JAW_OPEN_RADIANS, ShapeMatch, match_shape};

//! Which shape and which joint of a rig answers to which channel of a face, and the report about it.

mod joint;
mod report;
mod shape;

pub use joint::Joint;
pub use report::{BindingReport, BoundJoint, BoundShape};
pub use shape::{JAW_OPEN_RADIANS, ShapeMatch, match_shape};

//! Which shapes and joints of a character answer to the channels of a face: profiles, binding, mixing, and the report about it.
//!
//! A [`RigProfile`] says in data what a family of characters calls its shapes and joints, and what each takes from the channels. A
//! [`Rig`] is what a character offers. [`bind`] brings them together: the [`Binding`] follows a pose in every frame, the
//! [`BindingReport`] says in words what is bound, missing and doubtful.

#[cfg(feature = "gltf")]
mod animation;
mod bind;
#[cfg(feature = "gltf")]
mod file;
#[cfg(feature = "gltf")]
mod glb;
mod joint;
mod joints;
mod likeness;
mod mixer;
mod own;
mod profile;
mod report;
mod rig;
mod shape;
#[cfg(test)]
mod tests;
mod vrm;

#[cfg(feature = "gltf")]
pub use animation::{AnimateGlbError, animate_glb};
pub use bind::bind;
#[cfg(feature = "transfer")]
pub(crate) use file::readable;
#[cfg(feature = "gltf")]
pub use file::{open_gltf, read_vectors, rig_of, target_names};
#[cfg(feature = "gltf")]
pub use glb::Glb;
pub use joint::{FULL_LOOK, JAW_OPEN_RADIANS, Joint, JointMotion};
pub use mixer::{Binding, JointDrive, ShapeDrive, TargetDrive};
pub use profile::{ChannelMix, JointRule, ProfileError, RigProfile, ShapeRule};
pub use report::{BindingReport, BoundJoint, BoundShape, Finding, FindingKind};
#[cfg(feature = "transfer")]
pub(crate) use rig::Facing;
pub use rig::{Displacements, Rig, RigMesh, RigNode, unnamed_shape};
pub use shape::{ShapeMatch, match_shape};
pub use vrm::{Vrm, VrmExpression, VrmOverride};

//! From one face to another by geometry alone: shapes for a head that has none, meaning for shapes whose names say nothing.
//!
//! A [`FaceTemplate`] is a face whose shapes are known. [`FaceTemplate::fit`] lays it upon any other [`Head`] without landmarks
//! and the [`FaceFit`] carries over what its channels do by deformation transfer, part by part: skin
//! by its triangles, what sits on the skin with the skin, teeth, tongue and eyes as those of the template. [`FaceFit::add_shapes`]
//! writes that into a file; [`FaceFit::explain`] says what the shapes of the head itself show, as a mix of channels.

mod deformation;
mod explain;
mod fit;
mod guess;
mod head;
mod profile;
mod range;
mod registration;
mod sparse;
mod template;
mod write;

pub use explain::ExplainedShape;
pub use fit::FaceFit;
pub use head::Head;
pub use profile::GeometryProfile;
pub use range::RangeFit;
pub use template::FaceTemplate;

/// Why nothing can be carried over.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// It is no glTF file, or not a sound one.
    #[error("{0}")]
    File(String),
    /// There is nothing to work on.
    #[error(
        "there are no triangles that can be read: positions must be 32-bit floats in the file itself, not compressed"
    )]
    NoTriangles,
    /// The template is none.
    #[error("it cannot be a template: {0}")]
    NoTemplate(String),
    /// Nothing in the file looks like a face.
    #[error(
        "no face was found that the template fits ({found:.0} % of it lies on something, {needed:.0} % are needed): the head should \
         look along +Z with +Y up, with eyes that are joints or round meshes, and a closed, relaxed mouth"
    )]
    NoFace {
        /// How much of the template's face found a surface, in percent.
        found: f32,
        /// How much of it must.
        needed: f32,
    },
}

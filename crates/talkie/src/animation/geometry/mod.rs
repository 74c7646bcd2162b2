//! The animator of Audio2Face-3D: what a network says about skin, tongue, jaw and eyes becomes positions and rotations.
//!
//! A network that gives geometry says how far every vertex is from where it is at rest ([`PcaBasis`] expands the short
//! form that the regression networks use), how far five points of the jaw are, and how the eyes turn. One animator for
//! each part makes of it what is shown:
//!
//! | part | in, for each frame | out | remembers |
//! |---|---|---|---|
//! | [`SkinAnimator`] | differences of all vertices | positions | two stages of smoothing |
//! | [`TongueAnimator`] | differences of all vertices | positions | nothing |
//! | [`JawAnimator`] | differences of a few points | a 4x4 matrix | nothing |
//! | [`EyeAnimator`] | two rotations for each eye | three for each eye | how long it has been looking |
//!
//! Formulas, defaults and ranges are those of the Audio2Face-3D SDK, and so is the order of operations: everything is
//! computed in single precision, one rounding after the other, and agrees with the reference to its last few bits. Unlike
//! there, all parameters may change while a character speaks.
//!
//! Positions are interleaved `x y z x y z ...` in the units of the model, which are about centimetres, +Y up, +Z to where
//! the face looks. Nothing here allocates once it is built.

mod eyes;
mod jaw;
mod parameters;
mod pca;
mod skin;
#[cfg(test)]
mod tests;
mod tongue;

pub use eyes::EyeAnimator;
pub use jaw::{JawAnimator, fit_rigid};
pub use parameters::{
    EyeParameters, GeometryParameters, ParameterError, ParameterRange, SkinParameters, TeethParameters,
    TongueParameters,
};
pub use pca::PcaBasis;
pub(crate) use skin::share_of;
pub use skin::{SkinAnimator, SkinShape};
pub use tongue::TongueAnimator;

/// No face is larger, in any unit. What is beyond it counts as not a number, so that sums and products stay finite.
const LARGEST: f32 = 1e9;

/// Geometry that cannot be animated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A parameter is not a number or outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Arrays that belong together do not fit each other.
    #[error("{what} has {found} values; expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// How many values it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// An array cannot be what it is said to be.
    #[error("{what} has {found} values; expected {expected}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// How many values it has.
        found: usize,
        /// What would do.
        expected: &'static str,
    },
    /// A value is not a number, or so large that nothing can be computed with it.
    #[error("{what}: value {index} is {value}; expected a finite number of at most {LARGEST:e}")]
    NotFinite {
        /// Which array.
        what: &'static str,
        /// Which of its values, from 0.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// The time between two frames makes no sense.
    #[error("the time step is {seconds} s; expected a finite number of seconds{}", if *.forwards { ", at least 0" } else { "" })]
    TimeStep {
        /// As given, in seconds.
        seconds: f32,
        /// Whether time may only go forwards here.
        forwards: bool,
    },
    /// All vertices of the skin are at the same height, so there is no upper and no lower face.
    #[error("all vertices of the neutral skin are at height {height}; expected a face that extends upwards")]
    Flat {
        /// The height of them all.
        height: f32,
    },
}

pub(crate) fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), GeometryError> {
    if found == expected { Ok(()) } else { Err(GeometryError::Length { what, found, expected }) }
}

/// Checks an array of points: three values each, at least `points` of them, all finite.
fn check_points(
    what: &'static str,
    values: &[f32],
    points: usize,
    expected: &'static str,
) -> Result<(), GeometryError> {
    if !values.len().is_multiple_of(3) || values.len() < 3 * points {
        return Err(GeometryError::Shape { what, found: values.len(), expected });
    }
    check_finite(what, values)
}

pub(crate) fn check_finite(what: &'static str, values: &[f32]) -> Result<(), GeometryError> {
    // The bits of floats without their sign are in the order of their magnitudes, those of NaN beyond infinity: a maximum
    // over integers finds the worst in one fast pass.
    let magnitude = |value: &f32| value.to_bits() & 0x7fff_ffff;
    let worst = values.iter().fold(0, |worst: u32, value| worst.max(magnitude(value)));
    if worst <= LARGEST.to_bits() {
        return Ok(());
    }
    let index = values.iter().position(|value| magnitude(value) == worst).unwrap_or(0);
    Err(GeometryError::NotFinite { what, index, value: values.get(index).copied().unwrap_or(f32::NAN) })
}

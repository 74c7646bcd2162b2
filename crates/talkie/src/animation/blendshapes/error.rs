//! What can be wrong with blendshapes.

use super::bounded::BoundedError;

/// Blendshapes that cannot be solved for: always says what is wrong, where, and what was expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlendshapeError {
    /// A list of the wrong length.
    #[error("{what}: {found} values; expected {expected}")]
    Length {
        /// Which list.
        what: &'static str,
        /// How many values it has.
        found: usize,
        /// How many are expected, and why.
        expected: String,
    },
    /// Not a finite number.
    #[error("{what}: value {index} is {value}; expected a finite number")]
    NotFinite {
        /// Which list.
        what: &'static str,
        /// Which of its values, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A vertex that does not exist.
    #[error("the mask names vertex {vertex} at place {place}; the mesh has {vertices} vertices")]
    MaskVertex {
        /// Where in the mask, from 0.
        place: usize,
        /// The vertex.
        vertex: u32,
        /// How many there are.
        vertices: usize,
    },
    /// Two poses of one name.
    #[error("two poses are called {0:?}; expected every name once")]
    PoseName(String),
    /// No pose may be used.
    #[error("no pose is active; expected at least one")]
    NoActivePose,
    /// A pair of three, or of one.
    #[error("{list}: id {id} occurs {count} times; expected exactly two poses (-1 for none)")]
    Pair {
        /// Which list.
        list: &'static str,
        /// The id.
        id: i32,
        /// How often it occurs.
        count: usize,
    },
    /// A parameter out of its range.
    #[error("{name} is {value}; expected a finite number of at least {minimum}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// Its value.
        value: f32,
        /// The smallest value allowed.
        minimum: f32,
    },
    /// Data, configuration or parameters are newer than the last [`prepare`](super::BlendshapeSolver::prepare).
    #[error("something has changed since the solver was last prepared; expected a call of `prepare` before `solve`")]
    NotPrepared,
    /// The small problem of a frame has no solution.
    #[error("the weights cannot be solved for: {0}")]
    Bounded(#[from] BoundedError),
}

/// The first value that is not finite is an error.
pub(super) fn all_finite(what: &'static str, values: &[f32]) -> Result<(), BlendshapeError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(BlendshapeError::NotFinite { what, index, value: values[index].into() }),
        None => Ok(()),
    }
}

//! The tongue: stronger, higher, further forward.

use std::sync::Arc;

use super::{GeometryError, ParameterError, TongueParameters, check_finite, check_length, check_points};

/// Makes the tongue of one character from what a network says about it: `neutral + tongue_strength x`, then
/// `tongue_height_offset` on y and `tongue_depth_offset` on z. Remembers nothing between frames.
#[derive(Debug, Clone)]
pub struct TongueAnimator {
    neutral: Arc<[f32]>,
    parameters: TongueParameters,
}

impl TongueAnimator {
    /// An animator of a tongue that is here at rest (`shapes_mean_tongue` or `neutral_tongue` of a bundle), three values
    /// for each vertex.
    ///
    /// # Errors
    /// [`GeometryError`] if they are not whole vertices or not finite, or a parameter is out of its range.
    pub fn new(neutral: Arc<[f32]>, parameters: TongueParameters) -> Result<Self, GeometryError> {
        parameters.validate()?;
        check_points("the neutral tongue", &neutral, 1, "three for each vertex")?;
        Ok(Self { neutral, parameters })
    }

    /// The parameters as they are.
    pub fn parameters(&self) -> &TongueParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on.
    ///
    /// # Errors
    /// [`ParameterError`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: TongueParameters) -> Result<(), ParameterError> {
        parameters.validate()?;
        self.parameters = parameters;
        Ok(())
    }

    /// Positions of all vertices. `deltas` and `out` have three values for each vertex.
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite.
    pub fn animate(&self, deltas: &[f32], out: &mut [f32]) -> Result<(), GeometryError> {
        check_length("the tongue deltas", deltas.len(), self.neutral.len())?;
        check_length("the tongue output", out.len(), self.neutral.len())?;
        check_finite("the tongue deltas", deltas)?;
        let TongueParameters { tongue_strength, tongue_height_offset, tongue_depth_offset } = self.parameters;
        let vertices = self.neutral.chunks_exact(3).zip(deltas.chunks_exact(3));
        for (place, (neutral, delta)) in out.chunks_exact_mut(3).zip(vertices) {
            place[0] = neutral[0] + tongue_strength * delta[0];
            place[1] = neutral[1] + tongue_strength * delta[1] + tongue_height_offset;
            place[2] = neutral[2] + tongue_strength * delta[2] + tongue_depth_offset;
        }
        Ok(())
    }
}

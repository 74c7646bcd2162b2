//! The eyes: what the network says, and the small jumps that living eyes make.

use std::sync::Arc;

use super::{EyeParameters, GeometryError, LARGEST, ParameterError, check_finite, check_length};

/// Rows of a saccade table in a second.
const SACCADE_RATE: f32 = 30.0;
/// Row numbers up to here are exact in single precision.
const MOST_ROWS: usize = 1 << 24;

/// Turns the eyes of one character.
///
/// Each angle is `offset + eyeballs_strength x + saccade_strength saccade`, in degrees. Both eyes make the same saccades:
/// those of a table with 30 rows for each second, which is repeated for ever and entered at `saccade_seed`.
#[derive(Debug, Clone)]
pub struct EyeAnimator {
    /// x and y, row after row.
    saccades: Arc<[f32]>,
    parameters: EyeParameters,
    /// How long the eyes have been looking, in rows of the table.
    live_time: f32,
}

impl EyeAnimator {
    /// An animator at the start of a speech, with a table of saccades (`saccade_rot_matrix` of a bundle): degrees about x
    /// and y, row after row.
    ///
    /// # Errors
    /// [`GeometryError`] if the table is empty, half a row or not finite, or a parameter is out of its range.
    pub fn new(saccades: Arc<[f32]>, parameters: EyeParameters) -> Result<Self, GeometryError> {
        parameters.validate()?;
        if saccades.is_empty() || !saccades.len().is_multiple_of(2) || saccades.len() / 2 > MOST_ROWS {
            let expected = "two for each of 1 to 16777216 rows";
            return Err(GeometryError::Shape { what: "saccade_rot_matrix", found: saccades.len(), expected });
        }
        check_finite("saccade_rot_matrix", &saccades)?;
        Ok(Self { saccades, parameters, live_time: 0.0 })
    }

    /// The parameters as they are.
    pub fn parameters(&self) -> &EyeParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on; the time goes on.
    ///
    /// # Errors
    /// [`ParameterError`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: EyeParameters) -> Result<(), ParameterError> {
        parameters.validate()?;
        self.parameters = parameters;
        Ok(())
    }

    /// Back to the start of a speech.
    pub fn reset(&mut self) {
        self.live_time = 0.0;
    }

    /// Rotations of the right eye about x, y and z and then those of the left, in degrees (those about z are 0), and lets
    /// `dt` seconds pass for the next frame. `rotations` are those of the network: right x, right y, left x, left y.
    ///
    /// # Errors
    /// [`GeometryError`] if there are not four rotations, or something is not finite; then no time passes.
    pub fn animate(&mut self, rotations: &[f32], dt: f32) -> Result<[f32; 6], GeometryError> {
        let turned = self.compute(rotations)?;
        self.advance(dt)?;
        Ok(turned)
    }

    /// The same without letting time pass.
    ///
    /// # Errors
    /// [`GeometryError`] if there are not four rotations, or something is not finite.
    pub fn compute(&self, rotations: &[f32]) -> Result<[f32; 6], GeometryError> {
        check_length("the eye rotations", rotations.len(), 4)?;
        check_finite("the eye rotations", rotations)?;
        let parameters = &self.parameters;
        let row = self.wrapped(parameters.saccade_seed + self.live_time) as usize;
        let turned = |offset: f32, which: usize| {
            let saccade = self.saccades[2 * row + which % 2];
            offset + parameters.eyeballs_strength * rotations[which] + parameters.saccade_strength * saccade
        };
        Ok([
            turned(parameters.right_eyeball_rotation_offset_x, 0),
            turned(parameters.right_eyeball_rotation_offset_y, 1),
            0.0,
            turned(parameters.left_eyeball_rotation_offset_x, 2),
            turned(parameters.left_eyeball_rotation_offset_y, 3),
            0.0,
        ])
    }

    /// Lets time pass, or go back where `dt` is negative.
    ///
    /// # Errors
    /// [`GeometryError::TimeStep`] if it is not finite; then no time passes.
    pub fn advance(&mut self, dt: f32) -> Result<(), GeometryError> {
        check_seconds(dt)?;
        self.live_time = self.wrapped(self.live_time + dt * SACCADE_RATE);
        Ok(())
    }

    /// Goes to a time in seconds after the start of the speech.
    ///
    /// # Errors
    /// [`GeometryError::TimeStep`] if it is not finite; then the time stays.
    pub fn set_live_time(&mut self, seconds: f32) -> Result<(), GeometryError> {
        check_seconds(seconds)?;
        self.live_time = seconds * SACCADE_RATE;
        Ok(())
    }

    /// Goes to where this many rows of the table have passed since the start of the speech.
    pub fn set_frame_index(&mut self, rows: usize) {
        self.live_time = (rows % self.rows()) as f32;
    }

    fn rows(&self) -> usize {
        self.saccades.len() / 2
    }

    /// A time in rows, within the table.
    fn wrapped(&self, time: f32) -> f32 {
        let rows = self.rows() as f32;
        let rest = time % rows;
        let rest = if rest < 0.0 { rest + rows } else { rest };
        // A tiny negative rest is rounded up to the whole.
        if rest < rows { rest } else { 0.0 }
    }
}

fn check_seconds(seconds: f32) -> Result<(), GeometryError> {
    if seconds.abs() <= LARGEST { Ok(()) } else { Err(GeometryError::TimeStep { seconds, forwards: false }) }
}

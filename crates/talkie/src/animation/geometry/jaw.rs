//! The jaw: the rigid motion that takes a few points of the lower teeth to where the network wants them.

use glam::{DMat3, DQuat, DVec3};

use super::{GeometryError, ParameterError, TeethParameters, check_finite, check_length, check_points};

/// Eigenvalues that differ by less, relative to the largest, count as one: the points then leave open how to turn.
const DEGENERATE: f64 = 1e-9;

/// Makes the transform of the lower teeth of one character from what a network says about a few points of its jaw.
///
/// The points are wanted at `neutral + lower_teeth_strength x`, raised by `lower_teeth_height_offset` and moved forward
/// by `lower_teeth_depth_offset`; [`fit_rigid`] says how the jaw moves to bring them there. Remembers nothing between
/// frames.
#[derive(Debug, Clone)]
pub struct JawAnimator {
    neutral: Vec<f32>,
    parameters: TeethParameters,
}

impl JawAnimator {
    /// An animator of a jaw whose points are here at rest (`neutral_jaw` of a bundle), three values for each of at least
    /// three points.
    ///
    /// # Errors
    /// [`GeometryError`] if they are fewer or not finite, or a parameter is out of its range.
    pub fn new(neutral: Vec<f32>, parameters: TeethParameters) -> Result<Self, GeometryError> {
        parameters.validate()?;
        check_points("neutral_jaw", &neutral, 3, "three for each of at least three points")?;
        Ok(Self { neutral, parameters })
    }

    /// The parameters as they are.
    pub fn parameters(&self) -> &TeethParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on.
    ///
    /// # Errors
    /// [`ParameterError`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: TeethParameters) -> Result<(), ParameterError> {
        parameters.validate()?;
        self.parameters = parameters;
        Ok(())
    }

    /// The transform of the lower teeth as a 4x4 matrix, column after column: the last column is the translation. `deltas`
    /// has three values for each point.
    ///
    /// # Errors
    /// [`GeometryError`] if the length is wrong or something is not finite.
    pub fn animate(&self, deltas: &[f32]) -> Result<[f32; 16], GeometryError> {
        check_length("the jaw deltas", deltas.len(), self.neutral.len())?;
        check_finite("the jaw deltas", deltas)?;
        let TeethParameters { lower_teeth_strength, lower_teeth_height_offset, lower_teeth_depth_offset } =
            self.parameters;
        let offset = [0.0, lower_teeth_height_offset, lower_teeth_depth_offset];
        let wanted = |point: usize| {
            let axis = |axis: usize| {
                f64::from(
                    self.neutral[3 * point + axis] + lower_teeth_strength * deltas[3 * point + axis] + offset[axis],
                )
            };
            DVec3::new(axis(0), axis(1), axis(2))
        };
        Ok(rigid(self.neutral.len() / 3, |point| point_of(&self.neutral, point), wanted))
    }
}

/// The rotation and translation that bring points closest to others, in the sense of least squares, as a 4x4 matrix,
/// column after column. Both arrays have three values for each of at least three points.
///
/// It never mirrors. Where the points leave open how to turn, because they lie on a line or all in one place, it is the
/// smallest turn of those that do equally well.
///
/// This is the orthogonal Procrustes problem that Kabsch solves with singular vectors (1976); here it is solved with
/// unit quaternions (B. K. P. Horn, *Closed-form solution of absolute orientation using unit quaternions*, 1987), which
/// cannot mirror, in double precision.
///
/// # Errors
/// [`GeometryError`] if lengths differ, there are fewer than three points, or something is not finite.
pub fn fit_rigid(from: &[f32], to: &[f32]) -> Result<[f32; 16], GeometryError> {
    check_points("the points to move", from, 3, "three for each of at least three points")?;
    check_length("the points to reach", to.len(), from.len())?;
    check_finite("the points to reach", to)?;
    Ok(rigid(from.len() / 3, |point| point_of(from, point), |point| point_of(to, point)))
}

fn point_of(points: &[f32], point: usize) -> DVec3 {
    DVec3::new(points[3 * point].into(), points[3 * point + 1].into(), points[3 * point + 2].into())
}

fn rigid(count: usize, from: impl Fn(usize) -> DVec3, to: impl Fn(usize) -> DVec3) -> [f32; 16] {
    let centre_from = (0..count).map(&from).sum::<DVec3>() / count as f64;
    let centre_to = (0..count).map(&to).sum::<DVec3>() / count as f64;
    let mut covariance = DMat3::ZERO;
    for point in 0..count {
        let (from, to) = (from(point) - centre_from, to(point) - centre_to);
        // Column j holds the products with component j of the target.
        covariance += DMat3::from_cols(from * to.x, from * to.y, from * to.z);
    }
    let rotation = DMat3::from_quat(best_turn(&covariance));
    let translation = centre_to - rotation * centre_from;
    let column = |of: DVec3, last: f32| [of.x as f32, of.y as f32, of.z as f32, last];
    let columns = [
        column(rotation.x_axis, 0.0),
        column(rotation.y_axis, 0.0),
        column(rotation.z_axis, 0.0),
        column(translation, 1.0),
    ];
    let mut matrix = [0.0; 16];
    matrix.copy_from_slice(columns.as_flattened());
    matrix
}

/// The rotation that a matrix of products asks for.
fn best_turn(covariance: &DMat3) -> DQuat {
    let DMat3 { x_axis: x, y_axis: y, z_axis: z } = *covariance;
    let mut matrix = [
        [x.x + y.y + z.z, z.y - y.z, x.z - z.x, y.x - x.y],
        [z.y - y.z, x.x - y.y - z.z, y.x + x.y, x.z + z.x],
        [x.z - z.x, y.x + x.y, y.y - x.x - z.z, z.y + y.z],
        [y.x - x.y, x.z + z.x, z.y + y.z, z.z - x.x - y.y],
    ];
    let vectors = diagonalise(&mut matrix);
    let value = |index: usize| matrix[index][index];
    let largest = (1..4).fold(0, |best, index| if value(index) > value(best) { index } else { best });
    let scale = (0..4).map(|index| value(index).abs()).fold(0.0, f64::max);
    let vector = |index: usize| [0, 1, 2, 3].map(|row: usize| vectors[row][index]);
    // Of all that do equally well, what is closest to no turn at all: the identity (w = 1), projected onto them.
    let mut turn = [0.0; 4];
    for index in (0..4).filter(|index| value(*index) >= value(largest) - DEGENERATE * scale) {
        let vector = vector(index);
        turn.iter_mut().zip(vector).for_each(|(turn, component)| *turn += vector[0] * component);
    }
    let length = |of: &[f64; 4]| of.iter().map(|component| component * component).sum::<f64>().sqrt();
    if length(&turn) < 1e-12 {
        // Half a turn: none of them is closer to the identity than another.
        turn = vector(largest);
    }
    let [w, x, y, z] = turn.map(|component| component / length(&turn));
    DQuat::from_xyzw(x, y, z, w)
}

/// Makes a symmetric matrix diagonal (cyclic Jacobi rotations) and returns the vectors that do so in columns.
fn diagonalise(matrix: &mut [[f64; 4]; 4]) -> [[f64; 4]; 4] {
    let mut vectors: [[f64; 4]; 4] =
        core::array::from_fn(|row| core::array::from_fn(|column| f64::from(row == column)));
    // Each sweep squares the error; 4x4 needs about five.
    for _ in 0..32 {
        let size: f64 = matrix.as_flattened().iter().map(|value| value * value).sum();
        let rest: f64 =
            (0..4).flat_map(|row| (0..row).map(move |column| (row, column))).map(|(r, c)| matrix[r][c].powi(2)).sum();
        if rest <= 1e-32 * size {
            break;
        }
        for p in 0..3 {
            for q in p + 1..4 {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                let ratio = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let tangent = ratio.signum() / (ratio.abs() + (ratio * ratio + 1.0).sqrt());
                let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                let sine = tangent * cosine;
                let turn = |a: &mut f64, b: &mut f64| (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                for row in matrix.iter_mut().chain(&mut vectors) {
                    let (left, right) = row.split_at_mut(q);
                    turn(&mut left[p], &mut right[0]);
                }
                let (above, below) = matrix.split_at_mut(q);
                above[p].iter_mut().zip(&mut below[0]).for_each(|(a, b)| turn(a, b));
            }
        }
    }
    vectors
}

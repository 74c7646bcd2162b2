//! From the few numbers of a regression network to the differences of all vertices.

use super::{GeometryError, check_finite, check_length};

/// Components that are summed at once: few enough to stay in the fastest memory while all shapes are added.
const BLOCK: usize = 2048;

/// The shapes that a regression network mixes: `deltas = sum of coefficient k times shape k`.
///
/// The mean shape is not part of it; the animators add what is at rest. The shapes of a face are large (200 MB for one
/// with 61 520 vertices and 272 shapes) and every frame reads all of them once: frames that are ready together are best
/// expanded together, see [`expand_batch`](Self::expand_batch).
#[derive(Debug, Clone, PartialEq)]
pub struct PcaBasis {
    /// Shape after shape.
    shapes: Vec<f32>,
    count: usize,
}

impl PcaBasis {
    /// A basis of `count` shapes, one after the other (`shapes_matrix_skin` or `shapes_matrix_tongue` of a bundle).
    ///
    /// # Errors
    /// [`GeometryError`] if there are none, they are not of the same size of whole vertices, or not finite.
    pub fn new(shapes: Vec<f32>, count: usize) -> Result<Self, GeometryError> {
        if count == 0
            || shapes.is_empty()
            || !shapes.len().is_multiple_of(count)
            || !(shapes.len() / count).is_multiple_of(3)
        {
            let expected = "three for each vertex of each shape";
            return Err(GeometryError::Shape { what: "the PCA basis", found: shapes.len(), expected });
        }
        check_finite("the PCA basis", &shapes)?;
        Ok(Self { shapes, count })
    }

    /// How many shapes there are: the number of coefficients of a frame.
    pub fn shape_count(&self) -> usize {
        self.count
    }

    /// Values of a shape: three for each vertex.
    pub fn shape_len(&self) -> usize {
        self.shapes.len() / self.count
    }

    /// A shape, three values for each vertex; `None` if there are not so many.
    pub fn shape(&self, index: usize) -> Option<&[f32]> {
        self.shapes.chunks_exact(self.shape_len()).nth(index)
    }

    /// Differences of all vertices for one frame.
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite.
    pub fn expand(&self, coefficients: &[f32], deltas: &mut [f32]) -> Result<(), GeometryError> {
        check_length("the PCA coefficients", coefficients.len(), self.count)?;
        self.expand_batch(coefficients, deltas)
    }

    /// Differences of all vertices for any number of frames, frame after frame: what [`expand`](Self::expand) gives for
    /// each, to the last bit, but the shapes are read only once.
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite.
    pub fn expand_batch(&self, coefficients: &[f32], deltas: &mut [f32]) -> Result<(), GeometryError> {
        let length = self.shape_len();
        if !coefficients.len().is_multiple_of(self.count) {
            let expected = "one for each shape and frame";
            return Err(GeometryError::Shape { what: "the PCA coefficients", found: coefficients.len(), expected });
        }
        check_length("the PCA output", deltas.len(), coefficients.len() / self.count * length)?;
        check_finite("the PCA coefficients", coefficients)?;
        deltas.fill(0.0);
        for start in (0..length).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(length);
            // Four shapes at once, so that sums are loaded and stored only every fourth time. The order of additions is
            // that of the shapes nevertheless.
            let mut shape = 0;
            while shape < self.count {
                let together = if shape + 4 <= self.count { 4 } else { 1 };
                let piece = |index: usize| &self.shapes[(shape + index) * length..][range.clone()];
                let frames = deltas.chunks_exact_mut(length).zip(coefficients.chunks_exact(self.count));
                for (deltas, coefficients) in frames {
                    let sums = &mut deltas[range.clone()];
                    if let [a, b, c, d] = coefficients[shape..shape + together] {
                        let pieces = piece(0).iter().zip(piece(1)).zip(piece(2).iter().zip(piece(3)));
                        for (sum, ((w, x), (y, z))) in sums.iter_mut().zip(pieces) {
                            *sum = *sum + a * w + b * x + c * y + d * z;
                        }
                    } else {
                        let coefficient = coefficients[shape];
                        sums.iter_mut().zip(piece(0)).for_each(|(sum, value)| *sum += coefficient * value);
                    }
                }
                shape += together;
            }
        }
        Ok(())
    }
}

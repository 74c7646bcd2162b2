//! From a mesh to the little that the solve needs of it.

use super::data::BlendshapeData;

/// Coordinates whose products are summed in single precision before they go to double precision.
const BLOCK: usize = 1024;
/// Sums that do not wait for one another: eight vectors of four.
const LANES: usize = 32;

/// The displacements of the active poses at the masked vertices, `D`, and their products `DᵀD`.
#[derive(Debug)]
pub(super) struct Projection {
    /// The active poses, ascending.
    pub(super) active: Vec<usize>,
    /// `D`: one active pose after the other.
    pub(super) deltas: Vec<f32>,
    /// The neutral mesh at the masked vertices.
    pub(super) neutral: Vec<f32>,
    /// `DᵀD`, row after row.
    pub(super) products: Vec<f64>,
}

impl Projection {
    pub(super) fn new(data: &BlendshapeData, active: Vec<usize>) -> Self {
        let mut deltas = Vec::with_capacity(active.len() * data.row_count());
        for delta in active.iter().filter_map(|pose| data.delta(*pose)) {
            deltas.extend(data.masked(delta));
        }
        let neutral: Vec<f32> = data.masked(data.neutral()).collect();
        let mut projection = Self { products: vec![0.0; active.len() * active.len()], active, deltas, neutral };
        let mut products = core::mem::take(&mut projection.products);
        for (row, delta) in products.chunks_exact_mut(projection.active.len()).zip(projection.rows()) {
            projection.project(delta, row);
        }
        projection.products = products;
        projection
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.deltas.chunks_exact(self.neutral.len())
    }

    /// `Dᵀ v` for a displacement `v` of the masked vertices.
    pub(super) fn project(&self, displacement: &[f32], products: &mut [f64]) {
        project(&self.deltas, displacement, products);
    }
}

/// The products of a vector with all rows of a matrix, one after the other in `rows`.
pub(crate) fn project(rows: &[f32], vector: &[f32], products: &mut [f64]) {
    products.fill(0.0);
    let width = vector.len();
    // Block after block, so that the vector stays in the nearest cache for all rows.
    for (block, vector) in vector.chunks(BLOCK).enumerate() {
        for (product, row) in products.iter_mut().zip(rows.chunks_exact(width.max(1))) {
            *product += f64::from(dot(&row[block * BLOCK..][..vector.len()], vector));
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (pieces_a, rest_a) = a.as_chunks::<LANES>();
    let (pieces_b, rest_b) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in pieces_a.iter().zip(pieces_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0] + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f32>()
}

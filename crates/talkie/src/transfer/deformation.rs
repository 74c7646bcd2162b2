//! Deformation transfer: what a change of one surface is on another.
//!
//! Sumner & Popović, "Deformation transfer for triangle meshes" (SIGGRAPH 2004): each triangle of the target is to change as its
//! counterpart on the source does (stretched, sheared, turned), and the vertices are found that come closest to that for all triangles
//! together. Solved in the form of Botsch, Sumner, Pauly & Gross, "Deformation transfer for detail-preserving surface editing" (VMV
//! 2006), which is the same least squares without a fourth vertex: a Poisson equation over the target's gradients. A weak pull
//! towards the source's own displacement fixes where pieces end up that no triangle connects.

use glam::{DMat3, DVec3, Mat3, Vec3};

use super::sparse::{Sparse, conjugate_gradients};

/// The pull towards the source's displacement beside what the triangles about a point weigh.
const PULL: f64 = 0.02;

/// A surface that takes on the changes of another.
#[derive(Debug)]
pub(super) struct Deformer {
    triangles: Vec<[u32; 3]>,
    /// For each triangle: area, and the gradients of what is 1 at one corner and 0 at the others.
    gradients: Vec<(f64, [DVec3; 3])>,
    matrix: Sparse,
    diagonal: Vec<f64>,
    pull: Vec<f64>,
}

impl Deformer {
    /// For points, and triangles of them.
    pub(super) fn new(points: &[Vec3], triangles: Vec<[u32; 3]>) -> Self {
        let mut entries = Vec::new();
        let mut gradients = Vec::with_capacity(triangles.len());
        let mut weight = vec![0.0; points.len()];
        for triangle in &triangles {
            let [a, b, c] = triangle.map(|corner| points[corner as usize].as_dvec3());
            let normal = (b - a).cross(c - a);
            let double = normal.length();
            if double < 1e-12 {
                gradients.push((0.0, [DVec3::ZERO; 3]));
                continue;
            }
            let normal = normal / double;
            let of = [(b, c), (c, a), (a, b)].map(|(from, to)| normal.cross(to - from) / double);
            let area = double / 2.0;
            for (i, row) in triangle.iter().enumerate() {
                weight[*row as usize] += area * of[i].length_squared();
                for (j, column) in triangle.iter().enumerate() {
                    entries.push((*row, *column, area * of[i].dot(of[j])));
                }
            }
            gradients.push((area, of));
        }
        let pull: Vec<f64> = weight.iter().map(|weight| PULL * weight.max(1e-9)).collect();
        let diagonal = weight.iter().zip(&pull).map(|(weight, pull)| weight + pull).collect();
        let matrix = Sparse::new(points.len(), entries);
        Self { triangles, gradients, matrix, diagonal, pull }
    }

    /// The displacements of the points, where each triangle is to change by a matrix (less one) and each point is pulled to a
    /// displacement.
    pub(super) fn solve(&self, changes: &[Mat3], towards: &[Vec3]) -> Vec<Vec3> {
        let mut right: Vec<DVec3> =
            towards.iter().zip(&self.pull).map(|(towards, pull)| towards.as_dvec3() * *pull).collect();
        for ((triangle, (area, of)), change) in self.triangles.iter().zip(&self.gradients).zip(changes) {
            let change: DMat3 = change.as_dmat3();
            for (corner, gradient) in triangle.iter().zip(of) {
                right[*corner as usize] += change * *gradient * *area;
            }
        }
        let mut moved: Vec<DVec3> = towards.iter().map(|towards| towards.as_dvec3()).collect();
        let apply = |x: &[DVec3], y: &mut [DVec3]| {
            self.matrix.multiply(x, y);
            y.iter_mut().zip(x).zip(&self.pull).for_each(|((y, x), pull)| *y += *x * *pull);
        };
        conjugate_gradients(apply, &self.diagonal, &right, &mut moved, 400);
        moved.into_iter().map(|moved| moved.as_vec3()).collect()
    }
}

/// By which matrix (less one) triangles change where points are displaced: none for those without area.
pub(super) fn changes(points: &[Vec3], moved: &[Vec3], triangles: &[[u32; 3]]) -> Vec<Mat3> {
    let frame = |[a, b, c]: [Vec3; 3]| {
        let (along, across) = (b - a, c - a);
        let normal = along.cross(across);
        // As long as a side, so that the matrix means the same at every size.
        let normal = normal / normal.length().sqrt();
        Mat3::from_cols(along, across, normal)
    };
    triangles
        .iter()
        .map(|triangle| {
            if triangle.iter().all(|corner| moved[*corner as usize] == Vec3::ZERO) {
                return Mat3::ZERO;
            }
            let before = frame(triangle.map(|corner| points[corner as usize]));
            let after = frame(triangle.map(|corner| points[corner as usize] + moved[corner as usize]));
            let change = after * before.inverse() - Mat3::IDENTITY;
            if change.is_finite() { change } else { Mat3::ZERO }
        })
        .collect()
}

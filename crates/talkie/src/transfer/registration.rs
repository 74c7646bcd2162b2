//! Laying one face upon another.
//!
//! First as a whole: turned, shifted and scaled by iterated closest points, each distance taken along the normal (Chen & Medioni 1992).
//! Then point by point: the displacements are to be smooth, less and less strictly, while each point is drawn to the closest one of the
//! other surface that faces the same way (Allen, Curless & Popović 2003; Amberg, Romdhani & Vetter 2007). Nobody marks landmarks.

use glam::{DMat3, DVec3, Mat3, Vec3};
use rstar::{RTree, primitives::GeomWithData};

use super::{
    FaceTemplate, Head,
    sparse::{Sparse, conjugate_gradients},
};
use crate::animation::blendshapes::{factorise, solve_factorised};

/// Points by place, with their numbers.
pub(super) type Index = RTree<GeomWithData<[f32; 3], u32>>;

pub(super) fn index_of(points: impl Iterator<Item = (u32, Vec3)>) -> Index {
    RTree::bulk_load(points.map(|(number, point)| GeomWithData::new(point.to_array(), number)).collect())
}

/// From the axes of a file to those of the template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Similarity {
    pub(super) turn: Mat3,
    pub(super) scale: f32,
    pub(super) shift: Vec3,
}

impl Similarity {
    pub(super) fn apply(&self, point: Vec3) -> Vec3 {
        self.turn * point * self.scale + self.shift
    }

    /// Another one and then this one.
    fn after(&self, first: &Self) -> Self {
        Self { turn: self.turn * first.turn, scale: self.scale * first.scale, shift: self.apply(first.shift) }
    }
}

/// How far apart points of two surfaces may be to belong together, at first and at last, in distances between the eyes.
const REACH: (f32, f32) = (0.6, 0.12);
/// The share of closest points that count: what is furthest off is hair, ears or clothes.
const KEPT: f32 = 0.8;
/// How many points are looked at while the head is moved as a whole, and how often.
const PROBES: usize = 500;
const ALIGNMENTS: usize = 30;
/// A point of the skin that no channel moves further than this is none of the face.
pub(super) const STILL: f32 = 0.01;
/// How stiff the skin is in each round, beside the pull of one point.
const STIFFNESS: [f64; 6] = [300.0, 100.0, 30.0, 10.0, 3.0, 1.0];
const ROUNDS: usize = 3;
/// What is drawn along the normal is drawn so much across it.
const ACROSS: f64 = 0.3;

/// What a whole turn of a normal counts beside a distance, while the head is moved as a whole and while its skin is.
pub(super) const TURNED: (f32, f32) = (0.02, 0.1);

/// Places and, behind them, normals by a weight.
type Oriented = RTree<GeomWithData<[f32; 6], u32>>;

fn oriented(point: Vec3, normal: Vec3, weight: f32) -> [f32; 6] {
    let ([x, y, z], [u, v, w]) = (point.to_array(), (normal * weight).to_array());
    [x, y, z, u, v, w]
}

/// The surface that is laid upon, in the axes of the template.
pub(super) struct Surface {
    pub(super) points: Vec<Vec3>,
    pub(super) normals: Vec<Vec3>,
    /// Points that count.
    index: Oriented,
    weight: f32,
}

impl Surface {
    pub(super) fn new(head: &Head, place: &Similarity, weight: f32, counts: impl Fn(usize) -> bool) -> Self {
        let points: Vec<Vec3> = head.points.iter().map(|point| place.apply(*point)).collect();
        let normals: Vec<Vec3> = head.normals.iter().map(|normal| place.turn * *normal).collect();
        let counted = (0..points.len()).filter(|point| counts(*point));
        let index = counted.map(|i| GeomWithData::new(oriented(points[i], normals[i], weight), i as u32)).collect();
        Self { index: RTree::bulk_load(index), points, normals, weight }
    }

    /// The closest point that faces the same way: of two as close the one whose normal is more alike.
    pub(super) fn closest(&self, point: Vec3, normal: Vec3, reach: f32, agree: f32) -> Option<(usize, f32)> {
        let far = reach * reach + 2.0 * self.weight * self.weight;
        self.index
            .nearest_neighbor_iter_with_distance_2(oriented(point, normal, self.weight))
            .take(32)
            .take_while(|(_, distance)| *distance <= far)
            .map(|(found, _)| (found.data as usize, self.points[found.data as usize].distance(point)))
            .find(|(found, distance)| *distance <= reach && self.normals[*found].dot(normal) >= agree)
    }
}

/// Turns, shifts and scales the head until it lies best upon the face of the template; gives the mean distance of the points that
/// count as well, and the share of them that found anything.
pub(super) fn align(template: &FaceTemplate, head: &Head, first: Similarity) -> (Similarity, f32, f32) {
    let surface = Surface::new(head, &first, TURNED.0, |_| true);
    // From there on.
    let mut place = Similarity { turn: Mat3::IDENTITY, scale: 1.0, shift: Vec3::ZERO };
    let face: Vec<usize> = template.face().collect();
    let face: Vec<usize> = face.iter().copied().step_by(face.len().div_ceil(PROBES).max(1)).collect();
    let (mut wrong, mut share) = (f32::MAX, 0.0);
    for round in 0..ALIGNMENTS {
        let reach = REACH.0 + (REACH.1 * 2.0 - REACH.0) * round as f32 / ALIGNMENTS as f32;
        let mut pairs: Vec<(usize, usize, f32)> = face
            .iter()
            .filter_map(|point| {
                let (at, normal) = (template.points[*point], template.normals[*point]);
                let back = place.turn.transpose();
                let from = back * (at - place.shift) / place.scale;
                let (found, distance) = surface.closest(from, back * normal, reach / place.scale, 0.6)?;
                Some((*point, found, distance * place.scale))
            })
            .collect();
        share = pairs.len() as f32 / face.len().max(1) as f32;
        pairs.sort_by(|a, b| a.2.total_cmp(&b.2));
        pairs.truncate((pairs.len() as f32 * KEPT) as usize);
        if pairs.len() < 20 {
            return (first, f32::MAX, 0.0);
        }
        wrong = pairs.iter().map(|pair| pair.2).sum::<f32>() / pairs.len() as f32;
        // Seven unknowns: turn, shift, growth of the head, so that its points come to the planes of the template.
        let mut matrix = vec![0.0; 49];
        let mut right = vec![0.0; 7];
        for (point, found, _) in &pairs {
            let (at, normal, from) =
                (template.points[*point], template.normals[*point], place.apply(surface.points[*found]));
            let turned = from.cross(normal);
            let row = [turned.x, turned.y, turned.z, normal.x, normal.y, normal.z, from.dot(normal)].map(f64::from);
            let off = f64::from((at - from).dot(normal));
            for a in 0..7 {
                right[a] += row[a] * off;
                for b in 0..7 {
                    matrix[a * 7 + b] += row[a] * row[b];
                }
            }
        }
        let trace: f64 = (0..7).map(|k| matrix[k * 8]).sum();
        (0..7).for_each(|k| matrix[k * 8] += 1e-6 * trace);
        if !factorise(&mut matrix, 7) {
            break;
        }
        solve_factorised(&matrix, 7, &mut right);
        let [a, b, c, x, y, z, growth] = [0, 1, 2, 3, 4, 5, 6].map(|k| right[k] as f32);
        let turn = Mat3::from_quat(glam::Quat::from_scaled_axis(Vec3::new(a, b, c)));
        let growth = growth.clamp(-0.2, 0.2).exp();
        place = Similarity { turn, scale: growth, shift: Vec3::new(x, y, z) }.after(&place);
    }
    (place.after(&first), wrong, share)
}

/// The template with its points drawn onto a surface, and for each point whether it found one.
pub(super) fn drape(template: &FaceTemplate, surface: &Surface) -> (Vec<Vec3>, Vec<bool>) {
    let count = template.points.len();
    let graph = graph_laplacian(count, &template.triangles);
    let mut moved = vec![DVec3::ZERO; count];
    let mut points = template.points.clone();
    let mut found = vec![false; count];
    for (step, stiffness) in STIFFNESS.into_iter().enumerate() {
        let reach = REACH.0 + (REACH.1 - REACH.0) * step as f32 / (STIFFNESS.len() - 1) as f32;
        for _ in 0..ROUNDS {
            let normals = super::head::normals_of(&points, &template.triangles);
            let mut pulls: Vec<DMat3> = vec![DMat3::ZERO; count];
            let mut right = vec![DVec3::ZERO; count];
            found.fill(false);
            for point in 0..template.outer {
                let Some((other, _)) = surface.closest(points[point], normals[point], reach, 0.5) else { continue };
                found[point] = true;
                let normal = surface.normals[other].as_dvec3();
                let pull = DMat3::from_cols(normal * normal.x, normal * normal.y, normal * normal.z)
                    + DMat3::from_diagonal(DVec3::splat(ACROSS));
                pulls[point] = pull;
                right[point] = pull * (surface.points[other] - template.points[point]).as_dvec3();
            }
            let diagonal: Vec<f64> = (0..count)
                .map(|point| {
                    let square: f64 = graph.row(point).map(|(_, value)| value * value).sum();
                    stiffness * square + pulls[point].x_axis.x.max(pulls[point].y_axis.y).max(pulls[point].z_axis.z)
                })
                .collect();
            let apply = |x: &[DVec3], y: &mut [DVec3]| {
                let mut bent = vec![DVec3::ZERO; count];
                graph.multiply(x, &mut bent);
                graph.multiply(&bent, y);
                for (point, y) in y.iter_mut().enumerate() {
                    *y = *y * stiffness + pulls[point] * x[point] + x[point] * 1e-6;
                }
            };
            conjugate_gradients(apply, &diagonal, &right, &mut moved, 150);
            points
                .iter_mut()
                .zip(&template.points)
                .zip(&moved)
                .for_each(|((p, rest), moved)| *p = *rest + moved.as_vec3());
        }
    }
    (points, found)
}

/// One less the mean of the neighbours, made symmetric: what a displacement that is linear over the surface does not notice.
fn graph_laplacian(count: usize, triangles: &[[u32; 3]]) -> Sparse {
    let mut edges: Vec<(u32, u32)> = triangles
        .iter()
        .flat_map(|[a, b, c]| [(*a, *b), (*b, *c), (*c, *a)])
        .flat_map(|(a, b)| [(a, b), (b, a)])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut degree = vec![0.0_f64; count];
    edges.iter().for_each(|(a, _)| degree[*a as usize] += 1.0);
    let mut entries: Vec<(u32, u32, f64)> =
        edges.iter().map(|(a, b)| (*a, *b, -1.0 / (degree[*a as usize] * degree[*b as usize]).sqrt())).collect();
    let mut sums = vec![0.0; count];
    entries.iter().for_each(|(a, _, value)| sums[*a as usize] -= value);
    entries.extend((0..count as u32).map(|point| (point, point, sums[point as usize])));
    Sparse::new(count, entries)
}

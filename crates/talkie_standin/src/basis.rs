//! Poses as a principal component analysis would give them: mixed, so that no component is a pose.

use crate::{
    behaviour::is_driven,
    head::{Part, Vector},
    random::Random,
};

/// By how much components beyond the number of poses move a vertex, in centimetres, and how much of them a pose has.
const SMALL: f32 = 0.05;

/// How the components of a part are made of its poses. The mix is a reflection, so a pose is given back by the same numbers that
/// made the components; it turns neither small poses into large numbers nor the reverse.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    /// Poses in the mix. All of them, or, where there are fewer components than poses, those that something moves.
    order: Vec<usize>,
    /// The reflection is `1 - 2 v v'` of this `v`, of length 1.
    normal: Vec<f32>,
    components: usize,
    seed: u64,
}

impl Basis {
    /// Components of a part with so many poses, the first of which is number `first` among all poses.
    pub(crate) fn new(poses: usize, first: usize, components: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..poses).collect();
        if components < poses {
            order.sort_by_key(|pose| !is_driven(first + pose));
            order.truncate(components);
        }
        let mut random = Random::new(seed);
        let normal: Vec<f32> = order.iter().map(|_| random.uniform()).collect();
        let norm = normal.iter().map(|value| value * value).sum::<f32>().sqrt();
        Self { order, normal: normal.iter().map(|value| value / norm).collect(), components, seed }
    }

    /// How much of each component a pose has.
    pub(crate) fn coefficients(&self, pose: usize) -> Vec<f32> {
        let mut random = Random::new(self.seed + 1 + pose as u64);
        let place = self.order.iter().position(|known| *known == pose);
        (0..self.components)
            .map(|component| match (self.normal.get(component), place) {
                (Some(normal), Some(place)) => {
                    let same = if component == place { 1.0 } else { 0.0 };
                    same - 2.0 * normal * self.normal[place]
                }
                (Some(_), None) => 0.0,
                (None, _) => SMALL * random.uniform(),
            })
            .collect()
    }

    /// By how much each component moves the vertices of a part, one component after the other.
    pub(crate) fn shapes<'a>(&'a self, part: &'a Part) -> impl Iterator<Item = Vec<Vector>> + 'a {
        let mixed: Vec<Vector> = (0..part.neutral.len())
            .map(|vertex| {
                core::array::from_fn(|axis| {
                    let moves = self.order.iter().zip(&self.normal);
                    moves.map(|(pose, normal)| normal * part.poses[*pose][vertex][axis]).sum()
                })
            })
            .collect();
        (0..self.components).map(move |component| match self.normal.get(component) {
            Some(normal) => {
                let pose = &part.poses[self.order[component]];
                let reflected = |(moved, mixed): (&Vector, &Vector)| {
                    core::array::from_fn(|axis| moved[axis] - 2.0 * normal * mixed[axis])
                };
                pose.iter().zip(&mixed).map(reflected).collect()
            }
            None => waves(part, self.seed + component as u64),
        })
    }
}

/// A small smooth shape that is no pose.
fn waves(part: &Part, seed: u64) -> Vec<Vector> {
    let mut random = Random::new(seed);
    let wave: [[f32; 4]; 3] = core::array::from_fn(|_| core::array::from_fn(|_| random.uniform()));
    let at = |[x, y, z]: &Vector| wave.map(|[a, b, c, phase]| SMALL * (a * x + b * y + c * z + 3.0 * phase).sin());
    part.neutral.iter().map(at).collect()
}

//! The head whose shapes a bundle holds.

mod glb;
mod procedural;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use glb::HeadError;

use crate::{
    names::{SKIN_POSES, TONGUE_POSES},
    random::Random,
};

/// Three coordinates in centimetres: x to the left of the character, y up, z forward.
pub(crate) type Vector = [f32; 3];

/// How far a pose must move some vertex to count as one, in centimetres.
const LEAST_MOVE: f32 = 1e-3;

/// A face and a tongue with the poses that they can take.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub(crate) skin: Part,
    pub(crate) tongue: Part,
}

/// Vertices at rest, and by how much each pose moves them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) neutral: Vec<Vector>,
    pub(crate) poses: Vec<Vec<Vector>>,
}

pub(crate) fn length(vector: Vector) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

impl Head {
    /// A face made of formulas: 2700 vertices on a curved sheet, 240 on a tongue. Needs no file.
    pub fn procedural() -> Self {
        Self { skin: procedural::skin(), tongue: procedural::tongue() }
    }

    /// The same head with so many vertices.
    pub(crate) fn resized(&self, skin: usize, tongue: usize) -> Self {
        Self { skin: self.skin.resized(skin), tongue: self.tongue.resized(tongue) }
    }

    /// The same head, larger at rest by a factor.
    pub(crate) fn scaled(&self, factor: f32) -> Self {
        let scaled = |part: &Part| {
            let neutral = part.neutral.iter().map(|vertex| vertex.map(|value| factor * value)).collect();
            Part { neutral, poses: part.poses.clone() }
        };
        Self { skin: scaled(&self.skin), tongue: scaled(&self.tongue) }
    }
}

impl Part {
    /// A part that moves in every pose: where nothing was given, a small bump rises somewhere, each at another place.
    fn new(neutral: Vec<Vector>, mut poses: Vec<Vec<Vector>>) -> Self {
        let mut random = Random::new(poses.len() as u64);
        for pose in &mut poses {
            if pose.iter().any(|moved| length(*moved) > LEAST_MOVE) {
                continue;
            }
            let chosen = ((random.uniform() + 1.0) / 2.0 * neutral.len() as f32) as usize;
            let centre = neutral[chosen.min(neutral.len() - 1)];
            let up = [random.uniform(), random.uniform(), 1.0].map(|value| 0.1 * value);
            let bump = |vertex: &Vector| {
                let distance = length(core::array::from_fn(|axis| vertex[axis] - centre[axis]));
                up.map(|value| value * (-distance * distance).exp())
            };
            *pose = neutral.iter().map(bump).collect();
        }
        Self { neutral, poses }
    }

    /// The part with so many vertices: more than there are repeat them, fewer are [chosen](Self::chosen).
    fn resized(&self, count: usize) -> Self {
        let there = self.neutral.len();
        let vertices =
            if count < there { self.chosen(count) } else { (0..count).map(|vertex| vertex % there).collect() };
        let pick = |all: &Vec<Vector>| vertices.iter().map(|vertex| all[*vertex]).collect();
        Self { neutral: pick(&self.neutral), poses: self.poses.iter().map(pick).collect() }
    }

    /// A few vertices that still show everything: half of them evenly from the whole, for its form; the others, pose by pose,
    /// those that it moves most, for lips and lids.
    fn chosen(&self, count: usize) -> Vec<usize> {
        let there = self.neutral.len();
        let half = count.div_ceil(2);
        let mut chosen: BTreeSet<usize> = (0..half).map(|index| index * there / half).collect();
        let mut most_moved: Vec<_> = self
            .poses
            .iter()
            .map(|pose| {
                let mut order: Vec<usize> = (0..there).collect();
                order.sort_by(|a, b| length(pose[*b]).total_cmp(&length(pose[*a])));
                order.into_iter()
            })
            .collect();
        for pose in (0..most_moved.len()).cycle() {
            if chosen.len() == count {
                break;
            }
            let next = most_moved[pose].find(|vertex| !chosen.contains(vertex));
            chosen.extend(next);
        }
        chosen.into_iter().collect()
    }

    /// So many vertices that some pose moves, evenly from all of those, in rising order: what a frontal mask lists.
    pub(crate) fn frontal(&self, count: usize) -> Vec<usize> {
        let moves = |vertex: &usize| self.poses.iter().any(|pose| length(pose[*vertex]) > LEAST_MOVE);
        let moving: Vec<usize> = (0..self.neutral.len()).filter(moves).collect();
        let count = count.min(moving.len());
        (0..count).map(|index| moving[index * moving.len() / count]).collect()
    }
}

/// How many key points of the jaw there are.
pub(crate) const JAW_POINTS: usize = 5;

/// How far the jaw turns when it is fully open, in radians; about 25 degrees.
const JAW_ANGLE: f32 = 0.44;

/// Key points of the lower jaw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Jaw {
    /// At rest.
    pub(crate) neutral: [Vector; JAW_POINTS],
    /// What a pose of the skin adds to them.
    pub(crate) poses: [(&'static str, [Vector; JAW_POINTS]); 4],
}

impl Jaw {
    /// The jaw of a head, from how its skin moves: what `jawOpen` moves most lies before the lower teeth, and has turned
    /// about the hinge.
    pub(crate) fn new(skin: &Part) -> Self {
        let pose = |name: &str| &skin.poses[SKIN_POSES.iter().position(|known| *known == name).unwrap_or_default()];
        let open = pose("jawOpen");
        let lip = (0..open.len()).max_by(|a, b| length(open[*a]).total_cmp(&length(open[*b]))).unwrap_or_default();
        let ([_, y, z], [_, down, back]) = (skin.neutral[lip], open[lip]);
        // The way of the lip is a chord of its circle; the hinge lies at a right angle to the middle of it, up and back.
        let distance = 0.5 / (0.5 * JAW_ANGLE).tan();
        let [hinge_y, hinge_z] = [y + 0.5 * down - distance * back, z + 0.5 * back + distance * down];
        let neutral = [[0.0, -0.5, -1.0], [1.5, -0.5, -1.8], [-1.5, -0.5, -1.8], [2.5, -0.3, -4.5], [-2.5, -0.3, -4.5]]
            .map(|[right, up, forward]| [right, y + up, z + forward]);
        let (sin, cos) = JAW_ANGLE.sin_cos();
        let opened = neutral.map(|[_, y, z]| {
            let (up, forward) = (y - hinge_y, z - hinge_z);
            [0.0, up * cos - forward * sin - up, up * sin + forward * cos - forward]
        });
        let shifted = |name| (name, [pose(name)[lip]; JAW_POINTS]);
        Self { neutral, poses: [("jawOpen", opened), shifted("jawForward"), shifted("jawLeft"), shifted("jawRight")] }
    }
}

/// How many poses the tongue has.
pub(crate) const TONGUE: usize = TONGUE_POSES.len();

//! What shapes show whose names say nothing.

use glam::Vec3;

use super::FaceFit;
use crate::{
    animation::{
        FaceChannel,
        blendshapes::{ActiveSet, BoundedSolver, Objective},
    },
    retarget::{ChannelMix, ShapeRule, unnamed_shape},
};

/// A shape of a head as a mix of channels.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ExplainedShape {
    /// Node that shows its mesh.
    pub mesh: String,
    /// Its name, as a [`ShapeRule`] names it.
    pub shape: String,
    /// What comes closest to it: channels and how much of each.
    pub mix: ChannelMix,
    /// The channel that it is: the one that explains it nearly as well alone.
    pub channel: Option<FaceChannel>,
    /// How much of its motion that explains, 0..=1: one less the squared rest in parts of the whole.
    pub confidence: f32,
}

/// The greatest weight of a channel in a mix.
const MOST: f64 = 1.5;
/// What one unit of a channel costs, in shares of what it is worth alone: of two explanations the one with fewer channels.
const COST: f64 = 0.002;
/// What moves all vertices together less than this, in squared distances between the eyes, moves nothing.
const STILL: f64 = 1e-5;
/// Less of a channel than this is left out.
const LEAST: f32 = 0.01;
/// A channel that alone explains so much of what all do is the shape's meaning.
const ALONE: f32 = 0.85;

impl ExplainedShape {
    /// The rule for a profile: the shape follows the one channel that it is, or shows the mix that it is.
    pub fn rule(&self) -> ShapeRule {
        let names = vec![self.shape.clone()];
        match self.channel {
            Some(channel) => ShapeRule { names, from: [(channel, 1.0)].into(), ..ShapeRule::default() },
            None => ShapeRule { names, shows: self.mix.clone(), ..ShapeRule::default() },
        }
    }
}

/// A channel as far as it moves a mesh.
struct Known {
    channel: FaceChannel,
    moved: Vec<Vec3>,
    /// Its product with itself.
    own: f64,
}

fn dot(a: &[Vec3], b: &[Vec3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.dot(*b))).sum()
}

impl FaceFit<'_> {
    /// What the shapes of the head show, each as the mix of channels whose displacements come closest to its own: least squares with
    /// weights of 0 to 1.5. Shapes that move nothing of the face are left out, and so are those of meshes that no channel moves.
    pub fn explain(&self) -> Vec<ExplainedShape> {
        let mut explained = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for part in self.head.parts.iter().filter(|part| !part.shapes.is_empty()) {
            if seen.insert(part.mesh) {
                self.explain_mesh(part.mesh, &mut explained);
            }
        }
        explained
    }

    fn explain_mesh(&self, mesh: usize, explained: &mut Vec<ExplainedShape>) {
        let parts: Vec<usize> = (0..self.head.parts.len()).filter(|part| self.head.parts[*part].mesh == mesh).collect();
        let carried = |channel: usize| -> Vec<Vec3> {
            let of_part = |part: &usize| match &self.carried[channel][*part] {
                Some(moved) => moved.clone(),
                None => vec![Vec3::ZERO; self.head.parts[*part].points.len()],
            };
            parts.iter().flat_map(of_part).collect()
        };
        let known = self.channels.iter().enumerate().filter_map(|(index, channel)| {
            let moved = carried(index);
            let own = dot(&moved, &moved);
            (own > STILL).then_some(Known { channel: *channel, moved, own })
        });
        let known: Vec<Known> = known.collect();
        let count = known.len();
        let mut matrix = vec![0.0; count * count];
        for (row, a) in known.iter().enumerate() {
            for (column, b) in known.iter().enumerate().skip(row) {
                let value = dot(&a.moved, &b.moved);
                (matrix[row * count + column], matrix[column * count + row]) = (value, value);
            }
            matrix[row * (count + 1)] *= 1.0 + 1e-4;
        }
        let Ok(mut solver) = BoundedSolver::new(&matrix, count, Objective::Energy) else { return };
        let shapes = parts.iter().map(|part| self.head.parts[*part].shapes.len()).max().unwrap_or(0);
        for shape in 0..shapes {
            let own = |part: &usize| {
                let part = &self.head.parts[*part];
                match part.shapes.get(shape) {
                    Some(Some(moved)) => moved.iter().map(|v| self.place.turn * *v * self.place.scale).collect(),
                    _ => vec![Vec3::ZERO; part.points.len()],
                }
            };
            let mut moved: Vec<Vec3> = parts.iter().flat_map(own).collect();
            let whole = dot(&moved, &moved);
            if whole < STILL {
                continue;
            }
            let (mix, channel) = mix(&mut solver, &known, &moved, whole);
            for (channel, weight) in &mix {
                if let Some(known) = known.iter().find(|known| known.channel == *channel) {
                    moved.iter_mut().zip(&known.moved).for_each(|(moved, known)| *moved -= *known * *weight);
                }
            }
            let confidence = (1.0 - dot(&moved, &moved) / whole).max(0.0) as f32;
            let part = &self.head.parts[parts[0]];
            let name = part.names.get(shape).filter(|name| !name.is_empty()).cloned();
            explained.push(ExplainedShape {
                mesh: part.node.clone(),
                shape: name.unwrap_or_else(|| unnamed_shape(&part.node, shape)),
                mix,
                channel,
                confidence,
            });
        }
    }
}

/// The mix of channels that comes closest, and the one that does nearly as well.
fn mix(solver: &mut BoundedSolver, known: &[Known], moved: &[Vec3], whole: f64) -> (ChannelMix, Option<FaceChannel>) {
    let count = known.len();
    let towards: Vec<f64> = known.iter().map(|known| dot(&known.moved, moved)).collect();
    let right: Vec<f64> = towards.iter().zip(known).map(|(towards, known)| towards - COST * known.own).collect();
    let mut found = vec![0.0; count];
    let mut active = ActiveSet::all_free(count);
    if solver.solve(&right, &vec![0.0; count], &vec![MOST; count], &mut active, &mut found).is_err() {
        return (ChannelMix::new(), None);
    }
    let together: f64 = found.iter().zip(&towards).map(|(weight, towards)| weight * towards).sum::<f64>() / whole;
    // What the best one explains by itself.
    let alone = |index: usize| towards[index].max(0.0).powi(2) / (known[index].own * whole);
    let best = (0..count).max_by(|a, b| alone(*a).total_cmp(&alone(*b)));
    let best = best.filter(|best| alone(*best) >= f64::from(ALONE) * together).map(|best| known[best].channel);
    let all = known.iter().zip(&found).map(|(known, weight)| (known.channel, *weight as f32));
    (all.filter(|(_, weight)| *weight >= LEAST).collect(), best)
}

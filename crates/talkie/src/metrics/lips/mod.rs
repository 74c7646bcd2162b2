//! The lips of a head with ARKit shapes: apertures and distances in millimetres.

#[cfg(feature = "gltf")]
mod glb;
#[cfg(test)]
mod tests;

use core::ops::Range;

use super::ChannelCurves;
use super::difference::DIFFERENCE_RATE;
use crate::animation::FaceChannel as C;

/// The usual limit of closed lips on a head, in millimetres of inner-lip aperture beyond that at rest.
pub const CLOSED_MM: f64 = 1.5;

/// Shapes that move the lips and little else: who follows them is a lip.
const LIP_CHANNELS: [C; 10] = [
    C::MouthClose,
    C::MouthFunnel,
    C::MouthRollLower,
    C::MouthRollUpper,
    C::MouthShrugLower,
    C::MouthShrugUpper,
    C::MouthLowerDownLeft,
    C::MouthLowerDownRight,
    C::MouthUpperUpLeft,
    C::MouthUpperUpRight,
];
/// A lip vertex moves at least this share of what the one that moves furthest does.
const LIP_SHARE: f64 = 0.5;
/// Lip vertices lie within this many metres of the middle of the mouth: half a mouth is about 25 mm wide.
const LIP_RADIUS: f64 = 0.03;
/// Moments that are compared at once.
const PIECE: usize = 1000;

/// The lips of a head: where its skin is at rest and how far each ARKit shape moves it.
///
/// Positions are metres, +Y up, +X to a side, the face symmetrical about X = 0, as glTF heads are. Shapes are linear: a
/// weight of 0.5 moves half as far.
///
/// The **inner lips** are a pair of vertices on the middle line: the upper is moved less than 15 % as far down by
/// `jawOpen` as the vertex that it moves furthest, the lower more than 50 %, and they are within 4 mm of each other at
/// rest. Of the pairs whose separation is within 10 % of the greatest it is the one that is closest at rest.
///
/// The **lip vertices** are those within 30 mm of the middle of that pair which move at least half as far as any vertex
/// does under one of `mouthClose`, `mouthFunnel`, `mouthRollLower`, `mouthRollUpper`, `mouthShrugLower`, `mouthShrugUpper`,
/// `mouthLowerDown` and `mouthUpperUp` (left or right), and the pair itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LipMesh {
    pair: [usize; 2],
    rest: f64,
    /// By how many metres a channel moves the inner lips apart.
    openings: Vec<(C, f64)>,
    vertices: Vec<usize>,
    /// How a channel moves each lip vertex, in metres.
    displacements: Vec<(C, Vec<[f64; 3]>)>,
}

/// Why a head has no lips to measure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LipMeshError {
    /// The file is not a binary glTF, or not a valid one.
    #[error("not a usable GLB file: {0}")]
    Glb(String),
    /// Positions are elsewhere, cut off, or not what the standard says.
    #[error(
        "mesh {mesh:?}, primitive {primitive}: {what} cannot be read; positions must be VEC3 of 32-bit floats in the file itself"
    )]
    Positions {
        /// Name of the mesh, or its number.
        mesh: String,
        /// Number of the primitive in it.
        primitive: usize,
        /// What was read.
        what: String,
    },
    /// Nothing says what the shapes are called.
    #[error("no mesh has names for its morph targets (`targetNames` in the extras of the mesh)")]
    NoTargetNames,
    /// The jaw cannot be opened.
    #[error("no morph target `jawOpen`")]
    NoJawOpen,
    /// A shape has displacements for more or fewer vertices than there are.
    #[error("{channel} displaces {displacements} vertices of {vertices}")]
    Length {
        /// Which shape.
        channel: C,
        /// Displacements given.
        displacements: usize,
        /// Vertices of the head.
        vertices: usize,
    },
    /// Nothing looks like two lips.
    #[error(
        "no primitive with a lip pair that jawOpen separates: two vertices on the middle line (X = 0), within 4 mm of \
         each other at rest, the upper still and the lower dropped by 5 mm or more; positions must be metres"
    )]
    NoLipPair,
}

/// How far the lips of one track are from those of another, as that field measures it.
///
/// The *lip vertex error* of a frame is the distance of the lip vertex that is furthest off; the error of a sequence is its
/// mean over frames (A. Richard et al., "`MeshTalk`: 3D face animation from speech using cross-modality disentanglement",
/// ICCV 2021). Published figures are of other heads with other lip vertices: only figures on the same head compare.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct LipVertexError {
    /// Mean over frames of the distance of the lip vertex that is furthest off, in millimetres.
    pub largest_mm: f64,
    /// Mean over frames and lip vertices of the distance, in millimetres.
    pub mean_mm: f64,
}

impl LipMesh {
    /// The lips of a head of these `positions` (metres) with these shapes: a displacement of every vertex for each channel.
    ///
    /// # Errors
    /// No `jawOpen`, a shape of another length, or no pair of inner lips.
    pub fn new(positions: &[[f32; 3]], shapes: &[(C, Vec<[f32; 3]>)]) -> Result<Self, LipMeshError> {
        for (channel, shape) in shapes {
            if shape.len() != positions.len() {
                let (displacements, vertices) = (shape.len(), positions.len());
                return Err(LipMeshError::Length { channel: *channel, displacements, vertices });
            }
        }
        let (_, jaw) = shapes.iter().find(|(channel, _)| *channel == C::JawOpen).ok_or(LipMeshError::NoJawOpen)?;
        let pair = inner_lips(positions, jaw).ok_or(LipMeshError::NoLipPair)?;
        let [upper, lower] = pair;
        let apart = |at: &[[f32; 3]]| f64::from(at[upper][1]) - f64::from(at[lower][1]);
        let vertices = lip_vertices(positions, shapes, pair);
        let of_lips = |shape: &[[f32; 3]]| vertices.iter().map(|vertex| shape[*vertex].map(f64::from)).collect();
        Ok(Self {
            rest: apart(positions),
            openings: shapes
                .iter()
                .map(|(channel, shape)| (*channel, apart(shape)))
                .filter(|(_, opening)| opening.abs() > 1e-7)
                .collect(),
            displacements: shapes.iter().map(|(channel, shape)| (*channel, of_lips(shape))).collect(),
            vertices,
            pair,
        })
    }

    /// The upper and the lower inner lip: indices of vertices.
    pub fn inner_lips(&self) -> [usize; 2] {
        self.pair
    }

    /// The lip vertices: indices in increasing order.
    pub fn lip_vertices(&self) -> &[usize] {
        &self.vertices
    }

    /// Signed distance of the inner lips at rest in millimetres, the upper above the lower.
    pub fn rest_mm(&self) -> f64 {
        self.rest * 1e3
    }

    /// By how many millimetres a channel at 1 moves the inner lips apart; negative brings them together.
    pub fn opening_mm(&self, channel: C) -> f64 {
        self.openings.iter().find(|(other, _)| *other == channel).map_or(0.0, |(_, opening)| opening * 1e3)
    }

    /// Vertical aperture of the inner lips on the middle line in millimetres, less that at rest: 0 where they are as close
    /// as at rest or closer. `weight` is asked for the weight of every channel that moves them.
    pub fn aperture_mm(&self, weight: impl Fn(C) -> f64) -> f64 {
        self.openings.iter().map(|(channel, opening)| opening * weight(*channel)).sum::<f64>().max(0.0) * 1e3
    }

    pub(super) fn aperture_curve(&self, track: &ChannelCurves, rate: f64, count: usize, shift: f64) -> Vec<f64> {
        let mut curve = vec![0.0; count];
        for (channel, opening) in &self.openings {
            curve.iter_mut().zip(track.resampled(*channel, rate, count, shift)).for_each(|(c, w)| *c += opening * w);
        }
        curve.iter_mut().for_each(|aperture| *aperture = aperture.max(0.0) * 1e3);
        curve
    }

    /// How far the lips of tracks are from those of references, pair by pair, over all moments that both of a pair cover
    /// (200 a second). `None` if there are none.
    pub fn vertex_error<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a ChannelCurves, &'a ChannelCurves)>,
    ) -> Option<LipVertexError> {
        let (mut largest, mut total, mut frames) = (0.0, 0.0, 0usize);
        for (track, reference) in pairs {
            let Some(Range { start, end }) = track.common(reference) else { continue };
            let count = ((end - start) * DIFFERENCE_RATE) as usize + 1;
            // Piece by piece, so that long tracks need little memory.
            for from in (0..count).step_by(PIECE) {
                let frames = PIECE.min(count - from);
                for offsets in self.offsets(track, reference, start + from as f64 / DIFFERENCE_RATE, frames) {
                    let distances = offsets.iter().map(|[x, y, z]| (x * x + y * y + z * z).sqrt());
                    largest += distances.clone().fold(0.0, f64::max);
                    total += distances.sum::<f64>() / self.vertices.len() as f64;
                }
            }
            frames += count;
        }
        let mean_mm = |sum: f64| sum / frames as f64 * 1e3;
        (frames > 0).then(|| LipVertexError { largest_mm: mean_mm(largest), mean_mm: mean_mm(total) })
    }

    /// How far each lip vertex is off, in metres, for `frames` moments from `start` on.
    fn offsets(
        &self,
        track: &ChannelCurves,
        reference: &ChannelCurves,
        start: f64,
        frames: usize,
    ) -> Vec<Vec<[f64; 3]>> {
        let mut offsets = vec![vec![[0.0; 3]; self.vertices.len()]; frames];
        for (channel, displacements) in &self.displacements {
            let curve = |of: &ChannelCurves| of.resampled(*channel, DIFFERENCE_RATE, frames, start);
            for (frame, (ours, theirs)) in offsets.iter_mut().zip(curve(track).into_iter().zip(curve(reference))) {
                let weight = ours - theirs;
                for (offset, displacement) in frame.iter_mut().zip(displacements) {
                    offset.iter_mut().zip(displacement).for_each(|(offset, moved)| *offset += weight * moved);
                }
            }
        }
        offsets
    }
}

/// The upper and the lower inner lip, if there are such vertices.
fn inner_lips(positions: &[[f32; 3]], jaw: &[[f32; 3]]) -> Option<[usize; 2]> {
    let drop = |vertex: &usize| -f64::from(jaw[*vertex][1]);
    let furthest = (0..jaw.len()).map(|vertex| drop(&vertex)).fold(f64::NEG_INFINITY, f64::max);
    if furthest < 5e-3 {
        return None;
    }
    let across = |position: &[f32; 3]| f64::from(position[0]);
    let left = positions.iter().map(across).fold(f64::INFINITY, f64::min);
    let right = positions.iter().map(across).fold(f64::NEG_INFINITY, f64::max);
    let reach = 0.003 * (right - left).max(1e-6) + 1e-5;
    let middle: Vec<usize> = (0..positions.len()).filter(|vertex| across(&positions[*vertex]).abs() < reach).collect();
    let uppers = middle.iter().filter(|vertex| drop(vertex) < 0.15 * furthest);
    let lowers = || middle.iter().filter(|vertex| drop(vertex) > 0.5 * furthest);
    let pairs: Vec<([usize; 2], f64, f64)> = uppers
        .flat_map(|upper| lowers().map(move |lower| [*upper, *lower]))
        .map(|pair| (pair, distance(positions[pair[0]], positions[pair[1]]), drop(&pair[1]) - drop(&pair[0])))
        .filter(|(_, apart, _)| *apart < 0.004)
        .collect();
    let widest = pairs.iter().map(|(_, _, separation)| *separation).fold(f64::NEG_INFINITY, f64::max);
    pairs
        .into_iter()
        .filter(|(_, _, separation)| *separation >= 0.9 * widest)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(pair, ..)| pair)
}

fn lip_vertices(positions: &[[f32; 3]], shapes: &[(C, Vec<[f32; 3]>)], [upper, lower]: [usize; 2]) -> Vec<usize> {
    let centre = [0, 1, 2].map(|axis| (positions[upper][axis] + positions[lower][axis]) / 2.0);
    let mut is_lip = vec![false; positions.len()];
    for (_, shape) in shapes.iter().filter(|(channel, _)| LIP_CHANNELS.contains(channel)) {
        let moved: Vec<f64> = shape.iter().map(|displacement| distance(*displacement, [0.0; 3])).collect();
        let furthest = moved.iter().copied().fold(0.0, f64::max);
        if furthest > 0.0 {
            is_lip.iter_mut().zip(moved).for_each(|(lip, moved)| *lip |= moved >= LIP_SHARE * furthest);
        }
    }
    let near = |vertex: &usize| distance(positions[*vertex], centre) <= LIP_RADIUS;
    (0..positions.len()).filter(|vertex| [upper, lower].contains(vertex) || (is_lip[*vertex] && near(vertex))).collect()
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2)).sum::<f64>().sqrt()
}

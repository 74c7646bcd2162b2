//! The networks inside.

mod diffusion;
mod emotion;
mod hearing;
mod regression;
#[cfg(test)]
mod tests;
mod wav2vec;

pub(crate) use diffusion::diffusion;
pub(crate) use emotion::emotion;
pub(crate) use regression::regression;

use talkie_onnx::{Attribute, Dimension, Graph, GraphError};

use crate::{
    basis::Basis,
    behaviour,
    head::{Jaw, TONGUE},
    names::{SKIN_POSES, poses},
    random::Random,
};

/// How little the result of a large front is worth: enough that no optimiser can leave it out, too little to be seen.
const SLIGHT: f32 = 1e-3;

/// The batch, the only dimension that is free, but for the length of the sound of Audio2Emotion.
fn batch(fixed: &[usize]) -> Vec<Dimension> {
    let fixed = fixed.iter().map(|size| Dimension::Value(*size as i64));
    core::iter::once(Dimension::Parameter("batch".into())).chain(fixed).collect()
}

/// A matrix of these rows.
fn matrix<const N: usize>(graph: &mut Graph, rows: &[[f32; N]]) -> Result<String, GraphError> {
    graph.constant(&[rows.len(), N], rows.as_flattened())
}

/// One number.
fn number(graph: &mut Graph, value: f32) -> Result<String, GraphError> {
    graph.constant(&[1], &[value])
}

/// A layer with random weights from `inputs` to `outputs` numbers, along the last dimension.
fn linear(
    graph: &mut Graph,
    random: &mut Random,
    value: &str,
    inputs: usize,
    outputs: usize,
) -> Result<String, GraphError> {
    let weights = random.weights(inputs * outputs, (inputs as f32).recip().sqrt());
    let weights = graph.constant(&[inputs, outputs], &weights)?;
    let bias = graph.constant(&[outputs], &random.weights(outputs, 0.01))?;
    let product = graph.apply("MatMul", &[value, &weights], &[])?;
    graph.apply("Add", &[&product, &bias], &[])
}

/// Part of a value along one axis.
fn slice(graph: &mut Graph, value: &str, axis: i64, range: core::ops::Range<usize>) -> Result<String, GraphError> {
    let [start, end, axis] = [range.start as i64, range.end as i64, axis].map(|number| graph.list(&[number]));
    graph.apply("Slice", &[value, &start?, &end?, &axis?], &[])
}

/// The loudness of speech as poses, none of them below zero.
fn spoken(graph: &mut Graph, loudness: &str) -> Result<String, GraphError> {
    let speech = matrix(graph, &behaviour::speech())?;
    let product = graph.apply("MatMul", &[loudness, &speech], &[])?;
    graph.apply("Relu", &[&product], &[])
}

/// What comes after skin and tongue in a result: key points of the jaw and eyes, for every pose.
fn jaw_and_eyes(jaw: &Jaw, pose: &str) -> Vec<f32> {
    let points = behaviour::jaw(jaw, pose);
    points.as_flattened().iter().copied().chain(behaviour::eyes(pose)).collect()
}

/// From poses to a result: for every pose what it adds to skin, tongue, jaw and eyes.
fn results<'a>(
    jaw: &'a Jaw,
    skin: impl Fn(usize) -> Vec<f32> + 'a,
    tongue: impl Fn(usize) -> Vec<f32> + 'a,
) -> impl Iterator<Item = f32> + 'a {
    // A pose of one part leaves the other where it is, which takes as many zeros as another pose takes numbers.
    let still = |numbers: Vec<f32>| vec![0.0; numbers.len()];
    poses().enumerate().flat_map(move |(index, pose)| {
        let (mut row, tongue) = match index.checked_sub(SKIN_POSES.len()) {
            None => (skin(index), still(tongue(0))),
            Some(index) => (still(skin(0)), tongue(index)),
        };
        row.extend(tongue);
        row.extend(jaw_and_eyes(jaw, pose));
        row
    })
}

/// Components of skin and tongue.
pub(crate) fn bases(skin_shapes: usize, tongue_shapes: usize, seed: u64) -> [Basis; 2] {
    [
        Basis::new(SKIN_POSES.len(), 0, skin_shapes, seed ^ 0x51),
        Basis::new(TONGUE, SKIN_POSES.len(), tongue_shapes, seed ^ 0x70),
    ]
}

/// `Concat` along the last axis.
fn beside(graph: &mut Graph, values: &[&str]) -> Result<String, GraphError> {
    graph.apply("Concat", values, &[Attribute::One("axis", -1)])
}

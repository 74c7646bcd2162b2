//! A front of the form and size of wav2vec2-base, with random weights: it costs what the official networks cost.

use talkie_onnx::{Attribute, Graph, GraphError};

use super::{linear, number};
use crate::random::Random;

/// Values for each of its frames.
pub(super) const WIDTH: usize = 768;
/// Kernel and stride of each convolution.
const CONVOLUTIONS: [[usize; 2]; 7] = [[10, 5], [3, 2], [3, 2], [3, 2], [3, 2], [2, 2], [2, 2]];
const CHANNELS: usize = 512;
const HEADS: usize = 12;
const INNER: usize = 3072;
const POSITION_KERNEL: usize = 128;
const POSITION_GROUPS: usize = 16;

/// How many frames it makes of so many samples.
pub(super) fn frames(samples: usize) -> usize {
    CONVOLUTIONS.iter().fold(samples, |length, [kernel, stride]| length.saturating_sub(*kernel) / stride + 1)
}

/// The exact form, by the error function.
pub(super) fn gelu(graph: &mut Graph, value: &str) -> Result<String, GraphError> {
    let [root, one, half] = [2f32.sqrt(), 1.0, 0.5].map(|value| number(graph, value));
    let scaled = graph.apply("Div", &[value, &root?], &[])?;
    let error = graph.apply("Erf", &[&scaled], &[])?;
    let raised = graph.apply("Add", &[&error, &one?], &[])?;
    let product = graph.apply("Mul", &[value, &raised], &[])?;
    graph.apply("Mul", &[&product, &half?], &[])
}

/// In single steps, as graphs of operator sets before 17 have it.
fn layer_norm(graph: &mut Graph, value: &str, width: usize) -> Result<String, GraphError> {
    let settings = [Attribute::Many("axes", &[-1]), Attribute::One("keepdims", 1)];
    let mean = graph.apply("ReduceMean", &[value], &settings)?;
    let centred = graph.apply("Sub", &[value, &mean], &[])?;
    let squared = graph.apply("Mul", &[&centred, &centred], &[])?;
    let variance = graph.apply("ReduceMean", &[&squared], &settings)?;
    let epsilon = number(graph, 1e-5)?;
    let variance = graph.apply("Add", &[&variance, &epsilon], &[])?;
    let deviation = graph.apply("Sqrt", &[&variance], &[])?;
    let normal = graph.apply("Div", &[&centred, &deviation], &[])?;
    let scale = graph.constant(&[width], &vec![1.0; width])?;
    let bias = graph.constant(&[width], &vec![0.0; width])?;
    let scaled = graph.apply("Mul", &[&normal, &scale], &[])?;
    graph.apply("Add", &[&scaled, &bias], &[])
}

fn transposed(graph: &mut Graph, value: &str, order: &[i64]) -> Result<String, GraphError> {
    graph.apply("Transpose", &[value], &[Attribute::Many("perm", order)])
}

/// From a sound `[batch, 1, samples]` to `[batch, frames, WIDTH]`, through this many transformer layers.
pub(super) fn front(graph: &mut Graph, random: &mut Random, sound: &str, layers: usize) -> Result<String, GraphError> {
    let (mut value, mut channels) = (sound.to_owned(), 1);
    for [kernel, stride] in CONVOLUTIONS {
        let weights = random.weights(CHANNELS * channels * kernel, (2.0 / (channels * kernel) as f32).sqrt());
        let weights = graph.constant(&[CHANNELS, channels, kernel], &weights)?;
        let settings =
            [Attribute::Many("kernel_shape", &[kernel as i64]), Attribute::Many("strides", &[stride as i64])];
        value = graph.apply("Conv", &[&value, &weights], &settings)?;
        if channels == 1 {
            // As many groups as channels.
            let scale = graph.constant(&[CHANNELS], &[1.0; CHANNELS])?;
            let bias = graph.constant(&[CHANNELS], &[0.0; CHANNELS])?;
            let settings = [Attribute::Float("epsilon", 1e-5)];
            value = graph.apply("InstanceNormalization", &[&value, &scale, &bias], &settings)?;
        }
        value = gelu(graph, &value)?;
        channels = CHANNELS;
    }
    let value = transposed(graph, &value, &[0, 2, 1])?;
    let value = layer_norm(graph, &value, CHANNELS)?;
    let value = linear(graph, random, &value, CHANNELS, WIDTH)?;

    let group = WIDTH / POSITION_GROUPS;
    let weights = random.weights(WIDTH * group * POSITION_KERNEL, ((group * POSITION_KERNEL) as f32).recip().sqrt());
    let weights = graph.constant(&[WIDTH, group, POSITION_KERNEL], &weights)?;
    let bias = graph.constant(&[WIDTH], &random.weights(WIDTH, 0.01))?;
    // One less at the right: an even kernel would give a frame too many.
    let settings = [
        Attribute::Many("kernel_shape", &[POSITION_KERNEL as i64]),
        Attribute::Many("pads", &[POSITION_KERNEL as i64 / 2, POSITION_KERNEL as i64 / 2 - 1]),
        Attribute::One("group", POSITION_GROUPS as i64),
    ];
    let turned = transposed(graph, &value, &[0, 2, 1])?;
    let positions = graph.apply("Conv", &[&turned, &weights, &bias], &settings)?;
    let positions = gelu(graph, &positions)?;
    let positions = transposed(graph, &positions, &[0, 2, 1])?;
    let value = graph.apply("Add", &[&value, &positions], &[])?;
    let mut value = layer_norm(graph, &value, WIDTH)?;
    for _ in 0..layers {
        value = transformer(graph, random, &value)?;
    }
    Ok(value)
}

fn transformer(graph: &mut Graph, random: &mut Random, value: &str) -> Result<String, GraphError> {
    let heads = graph.list(&[0, 0, HEADS as i64, (WIDTH / HEADS) as i64])?;
    let mut head = |graph: &mut Graph, order: &[i64]| {
        let value = linear(graph, random, value, WIDTH, WIDTH)?;
        let value = graph.apply("Reshape", &[&value, &heads], &[])?;
        transposed(graph, &value, order)
    };
    let query = head(graph, &[0, 2, 1, 3])?;
    let key = head(graph, &[0, 2, 3, 1])?;
    let content = head(graph, &[0, 2, 1, 3])?;
    let scores = graph.apply("MatMul", &[&query, &key], &[])?;
    let scale = number(graph, (WIDTH as f32 / HEADS as f32).recip().sqrt())?;
    let scores = graph.apply("Mul", &[&scores, &scale], &[])?;
    let attention = graph.apply("Softmax", &[&scores], &[Attribute::One("axis", -1)])?;
    let attended = graph.apply("MatMul", &[&attention, &content], &[])?;
    let attended = transposed(graph, &attended, &[0, 2, 1, 3])?;
    let whole = graph.list(&[0, 0, WIDTH as i64])?;
    let attended = graph.apply("Reshape", &[&attended, &whole], &[])?;
    let attended = linear(graph, random, &attended, WIDTH, WIDTH)?;
    let sum = graph.apply("Add", &[value, &attended], &[])?;
    let value = layer_norm(graph, &sum, WIDTH)?;

    let inner = linear(graph, random, &value, WIDTH, INNER)?;
    let inner = gelu(graph, &inner)?;
    let inner = linear(graph, random, &inner, INNER, WIDTH)?;
    let sum = graph.apply("Add", &[&value, &inner], &[])?;
    layer_norm(graph, &sum, WIDTH)
}

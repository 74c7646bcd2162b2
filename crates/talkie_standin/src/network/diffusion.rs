//! A longer window in, poses of many frames out, and a state that goes on to the next window.

use talkie_onnx::{Attribute, Dimension, Graph, GraphError};

use super::{SLIGHT, batch, beside, hearing, linear, matrix, results, slice, spoken, wav2vec};
use crate::{
    StandIn, behaviour,
    behaviour::BANDS,
    head::{Head, Jaw, Vector},
    names::{EMOTIONS, POSES},
    random::Random,
};

/// Average of the power, and how far one is from the next, in outputs of the filters: 60 ms every 10 ms.
const AVERAGE: [usize; 2] = [240, 40];
/// What is left of the state after a window.
const KEPT: f32 = 0.5;
/// How far noise moves a vertex, in centimetres: to be found by a test, not by an eye.
const NOISE: f32 = 1e-4;
/// How far brows stay raised after a loud window, as a part of the pose.
const AFTERGLOW: f32 = 0.1;
/// Width of the last layer of the official decoder.
const DECODER: usize = 256;

pub(crate) fn diffusion(options: &StandIn, head: &Head, jaw: &Jaw) -> Result<Graph, GraphError> {
    let mut graph = Graph::default();
    let mut random = Random::new(options.seed);
    let [left, centre, right] = options.frames;
    let frames = left + centre + right;
    let kept = left..left + centre;
    let flat = |moved: &[Vector]| moved.as_flattened().to_vec();
    let mut rows: Vec<f32> =
        results(jaw, |pose| flat(&head.skin.poses[pose]), |pose| flat(&head.tongue.poses[pose])).collect();
    let width = rows.len() / POSES;

    graph.input("window", &batch(&[options.window]))?;
    graph.input("identity", &batch(&[options.identities.len()]))?;
    graph.input("emotion", &batch(&[centre, EMOTIONS.len()]))?;
    let [steps, layers, latent] = [options.steps, options.gru_layers, options.gru_width];
    let mut state = batch(&[latent]);
    state.splice(0..0, [steps, layers].map(|size| Dimension::Value(size as i64)));
    graph.input("input_latents", &state)?;
    graph.input("noise", &batch(&[steps + 1, frames, width]))?;

    let channel = graph.list(&[1])?;
    let sound = graph.apply("Unsqueeze", &["window", &channel], &[])?;
    let power = hearing::power(&mut graph, &sound, hearing::TAPS / 2)?;
    let [average, step] = AVERAGE;
    let settings = [
        Attribute::Many("kernel_shape", &[average as i64]),
        Attribute::Many("strides", &[step as i64]),
        Attribute::Many("pads", &[average as i64 / 2; 2]),
        Attribute::One("count_include_pad", 1),
    ];
    let power = graph.apply("AveragePool", &[&power], &settings)?;
    // Averages are centred on the beginning of the window and every step from there; the one at its end is no frame's.
    let averages = options.window.div_ceil(hearing::STRIDE) / step;
    let power = slice(&mut graph, &power, 2, 0..averages)?;
    let resample = hearing::interpolation(&mut graph, averages, frames)?;
    let power = graph.apply("MatMul", &[&power, &resample], &[])?;
    let loudness = hearing::loudness(&mut graph, &power)?;

    let heard = slice(&mut graph, &loudness, 1, kept.clone())?;
    let speech = spoken(&mut graph, &heard)?;
    let moods = matrix(&mut graph, &behaviour::moods())?;
    let mood = graph.apply("MatMul", &["emotion", &moods], &[])?;
    let pose = graph.apply("Add", &[&speech, &mood], &[])?;

    // Everyone speaks a little differently: each pose is up to a tenth stronger or weaker.
    let manners: Vec<[f32; POSES]> =
        options.identities.iter().map(|_| core::array::from_fn(|_| 1.0 + 0.1 * random.uniform())).collect();
    let manners = matrix(&mut graph, &manners)?;
    let manner = graph.apply("MatMul", &["identity", &manners], &[])?;
    let manner = graph.apply("Unsqueeze", &[&manner, &channel], &[])?;
    let pose = graph.apply("Mul", &[&pose, &manner], &[])?;

    // Steps and layers count differently, so that a mixed-up state shows.
    let shares: Vec<f32> = (0..steps * layers).map(|index| 1.0 / (1.0 + index as f32)).collect();
    let total: f32 = shares.iter().sum();
    let shares = graph.constant(&[steps, layers, 1, 1], &shares)?;
    let shared = graph.apply("Mul", &["input_latents", &shares], &[])?;
    let axes = graph.list(&[0, 1])?;
    let glow = graph.apply("ReduceSum", &[&shared, &axes], &[Attribute::One("keepdims", 0)])?;
    let brows = behaviour::after_speech();
    let brows: Vec<[f32; POSES]> =
        (0..latent).map(|_| brows.map(|weight| weight * AFTERGLOW / (total * latent as f32))).collect();
    let brows = matrix(&mut graph, &brows)?;
    let glow = graph.apply("MatMul", &[&glow, &brows], &[])?;
    let glow = graph.apply("Unsqueeze", &[&glow, &channel], &[])?;
    let mut pose = graph.apply("Add", &[&pose, &glow], &[])?;

    let settings = [Attribute::Many("axes", &[1]), Attribute::One("keepdims", 0)];
    let mean = graph.apply("ReduceMean", &[&loudness], &settings)?;
    let memory: Vec<f32> = (0..BANDS.len() * latent).map(|_| 0.5 + 0.5 * random.uniform()).collect();
    let memory = graph.constant(&[BANDS.len(), latent], &memory)?;
    let memory = graph.apply("MatMul", &[&mean, &memory], &[])?;
    let memory = graph.apply("Mul", &[&memory, &shares], &[])?;
    let fading = super::number(&mut graph, KEPT)?;
    let faded = graph.apply("Mul", &["input_latents", &fading], &[])?;
    graph.node("Add", &[&faded, &memory], "output_latents", &[])?;

    let mut inputs = POSES;
    if let Some(layers) = options.front_layers {
        let front = wav2vec::front(&mut graph, &mut random, &sound, layers)?;
        let value = linear(&mut graph, &mut random, &front, wav2vec::WIDTH, DECODER)?;
        let value = graph.apply("Tanh", &[&value], &[])?;
        let value = graph.apply("Transpose", &[&value], &[Attribute::Many("perm", &[0, 2, 1])])?;
        let resample = hearing::interpolation(&mut graph, wav2vec::frames(options.window), frames)?;
        let value = graph.apply("MatMul", &[&value, &resample], &[])?;
        let value = graph.apply("Transpose", &[&value], &[Attribute::Many("perm", &[0, 2, 1])])?;
        let value = slice(&mut graph, &value, 1, kept.clone())?;
        pose = beside(&mut graph, &[&pose, &value])?;
        rows.extend(random.weights(DECODER * width, SLIGHT * (DECODER as f32).recip().sqrt()));
        inputs += DECODER;
    }
    let decoder = graph.constant(&[inputs, width], &rows)?;
    let prediction = graph.apply("MatMul", &[&pose, &decoder], &[])?;

    let noise = slice(&mut graph, "noise", 1, 1..steps + 1)?;
    let noise = slice(&mut graph, &noise, 2, kept)?;
    let strengths: Vec<f32> = (0..steps).map(|step| NOISE * (1.0 + step as f32)).collect();
    let strengths = graph.constant(&[steps, 1, 1], &strengths)?;
    let noise = graph.apply("Mul", &[&noise, &strengths], &[])?;
    let noise = graph.apply("ReduceSum", &[&noise, &channel], &[Attribute::One("keepdims", 0)])?;
    let prediction = graph.apply("Add", &[&prediction, &noise], &[])?;
    let edges = graph.list(&[0, left as i64, 0, 0, right as i64, 0])?;
    graph.node("Pad", &[&prediction, &edges], "prediction", &[])?;
    graph.output("prediction", &batch(&[frames, width]))?;
    graph.output("output_latents", &state)?;
    Ok(graph)
}

//! A window of sound and emotions in, one result out.

use talkie_onnx::{Attribute, Graph, GraphError};

use super::{SLIGHT, bases, batch, hearing, linear, matrix, number, results, slice, spoken, wav2vec};
use crate::{
    StandIn, behaviour,
    head::Jaw,
    names::{EMOTIONS, POSES},
    random::Random,
};

/// How much of the sound about its middle a pose depends on, in samples: 60 ms.
const HEARD: usize = 960;
/// Width of the layers between the front and the result; with them the official sizes come to 18.6 million weights.
const HIDDEN: usize = 1024;

pub(crate) fn regression(options: &StandIn, jaw: &Jaw) -> Result<Graph, GraphError> {
    let mut graph = Graph::default();
    let mut random = Random::new(options.seed);
    graph.input("input", &batch(&[1, options.window]))?;
    graph.input("emotion", &batch(&[1, options.implicit_emotion_len + EMOTIONS.len()]))?;

    let half = (HEARD + hearing::TAPS) / 2;
    let heard = options.offset.saturating_sub(half)..(options.offset + half).min(options.window);
    let heard = slice(&mut graph, "input", 2, heard)?;
    let power = hearing::power(&mut graph, &heard, 0)?;
    let loudness = hearing::overall(&mut graph, &power)?;
    let speech = spoken(&mut graph, &loudness)?;

    // Implicit emotions come first; what they mean is left to chance, and they mean little.
    let mut moods: Vec<[f32; POSES]> =
        (0..options.implicit_emotion_len).map(|_| core::array::from_fn(|_| 0.01 * random.uniform())).collect();
    moods.extend(behaviour::moods());
    let moods = matrix(&mut graph, &moods)?;
    let mood = graph.apply("MatMul", &["emotion", &moods], &[])?;
    let pose = graph.apply("Add", &[&speech, &mood], &[])?;

    let [skin, tongue] = bases(options.skin_shapes, options.tongue_shapes, options.seed);
    let rows: Vec<f32> = results(jaw, |pose| skin.coefficients(pose), |pose| tongue.coefficients(pose)).collect();
    let width = rows.len() / POSES;
    let rows = graph.constant(&[POSES, width], &rows)?;
    let Some(layers) = options.front_layers else {
        graph.node("MatMul", &[&pose, &rows], "result", &[])?;
        graph.output("result", &batch(&[1, width]))?;
        return Ok(graph);
    };
    let result = graph.apply("MatMul", &[&pose, &rows], &[])?;
    let front = wav2vec::front(&mut graph, &mut random, "input", layers)?;
    let settings = [Attribute::Many("axes", &[1]), Attribute::One("keepdims", 1)];
    let mut value = graph.apply("ReduceMean", &[&front], &settings)?;
    let widths = [wav2vec::WIDTH, HIDDEN, HIDDEN];
    for pair in widths.windows(2) {
        let hidden = linear(&mut graph, &mut random, &value, pair[0], pair[1])?;
        value = wav2vec::gelu(&mut graph, &hidden)?;
    }
    let value = linear(&mut graph, &mut random, &value, HIDDEN, width)?;
    let slight = number(&mut graph, SLIGHT)?;
    let value = graph.apply("Mul", &[&value, &slight], &[])?;
    graph.node("Add", &[&result, &value], "result", &[])?;
    graph.output("result", &batch(&[1, width]))?;
    Ok(graph)
}

//! A sound of any length in, emotions out.

use talkie_onnx::{Attribute, Dimension, Graph, GraphError};

use super::{SLIGHT, hearing, linear, matrix, number, wav2vec};
use crate::{StandIn, behaviour, names::HEARD_EMOTIONS, random::Random};

pub(crate) fn emotion(options: &StandIn) -> Result<Graph, GraphError> {
    let mut graph = Graph::default();
    let mut random = Random::new(options.seed);
    let [batch, length] = ["batch", "length"].map(|name| Dimension::Parameter(name.into()));
    graph.input("input_values", &[batch.clone(), length])?;
    let channel = graph.list(&[1])?;
    let sound = graph.apply("Unsqueeze", &["input_values", &channel], &[])?;
    let power = hearing::power(&mut graph, &sound, hearing::TAPS / 2)?;
    let loudness = hearing::overall(&mut graph, &power)?;
    let loudness = graph.apply("Squeeze", &[&loudness, &channel], &[])?;
    let heard = matrix(&mut graph, &behaviour::HEARD)?;
    let silence = matrix(&mut graph, &[behaviour::HEARD_IN_SILENCE])?;
    let mut emotions = graph.apply("MatMul", &[&loudness, &heard], &[])?;
    if let Some(layers) = options.front_layers {
        let front = wav2vec::front(&mut graph, &mut random, &sound, layers)?;
        let settings = [Attribute::Many("axes", &[1]), Attribute::One("keepdims", 0)];
        let mean = graph.apply("ReduceMean", &[&front], &settings)?;
        let value = linear(&mut graph, &mut random, &mean, wav2vec::WIDTH, HEARD_EMOTIONS.len())?;
        let slight = number(&mut graph, SLIGHT)?;
        let value = graph.apply("Mul", &[&value, &slight], &[])?;
        emotions = graph.apply("Add", &[&emotions, &value], &[])?;
    }
    graph.node("Add", &[&emotions, &silence], "output", &[])?;
    graph.output("output", &[batch, Dimension::Value(HEARD_EMOTIONS.len() as i64)])?;
    Ok(graph)
}

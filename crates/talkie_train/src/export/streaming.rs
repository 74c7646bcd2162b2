//! Writes a [`SpeechNetwork`] as an ONNX graph that keeps its past outside: state in, state out.
//!
//! Inputs: `mel [batch, bands, frames]`, `state_in.i [batch, channels, past]`. Outputs: `weights [batch, frames,
//! channels]`, `state_out.i`. Batch and frames are free. A layer puts its state before its input, convolves without
//! padding, and hands on the last frames; so a stream in pieces gives what the whole gives. Matrices
//! are kept in [half precision](Graph::half_weights).

use burn::nn::Linear;

use talkie::model::StateTensor;
use talkie_onnx::{Attribute, Dimension, Graph, GraphError};

use super::ExportError;
use crate::network::{CausalConvolution, SpeechNetwork, dependence};
use crate::teacher::Motion;

/// Weights `[inputs, outputs]` and biases of a layer as plain numbers.
struct Plain {
    inputs: usize,
    outputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

fn plain(layer: &Linear) -> Result<Plain, ExportError> {
    let numbers = |data: burn::tensor::TensorData| {
        data.try_to_vec::<f32>().map_err(|error| ExportError::Weights(format!("{error:?}")))
    };
    let [inputs, outputs] = layer.weight.val().dims();
    let weights = numbers(layer.weight.val().into_data())?;
    let bias = match &layer.bias {
        Some(bias) => numbers(bias.val().into_data())?,
        None => vec![0.0; outputs],
    };
    Ok(Plain { inputs, outputs, weights, bias })
}

fn name(text: &str) -> Dimension {
    Dimension::Parameter(text.into())
}

fn size(value: usize) -> Dimension {
    Dimension::Value(value as i64)
}

#[derive(Debug, Default)]
struct Writer {
    graph: Graph,
    states: Vec<StateTensor>,
}

impl Writer {
    /// `[outputs, inputs, kernel]` weights of a convolution whose taps lie one after another in a matrix.
    fn kernel(&mut self, prefix: &str, layer: &Linear, kernel: usize) -> Result<usize, ExportError> {
        let plain = plain(layer)?;
        let channels = plain.inputs / kernel;
        let mut weights = Vec::with_capacity(plain.weights.len());
        for output in 0..plain.outputs {
            for channel in 0..channels {
                for tap in 0..kernel {
                    weights.push(plain.weights[(tap * channels + channel) * plain.outputs + output]);
                }
            }
        }
        self.graph.half_weights(&format!("{prefix}.weight"), &[plain.outputs, channels, kernel], &weights)?;
        self.graph.weights(&format!("{prefix}.bias"), &[plain.outputs], &plain.bias)?;
        Ok(channels)
    }

    fn convolution(&mut self, prefix: &str, layer: &CausalConvolution, input: &str) -> Result<String, ExportError> {
        let channels = self.kernel(prefix, &layer.taps, layer.kernel)?;
        let past = layer.past();
        let mut heard = input.to_owned();
        if past > 0 {
            let index = self.states.len();
            let state = StateTensor {
                input: format!("state_in.{index}"),
                output: format!("state_out.{index}"),
                channels,
                frames: past,
            };
            let shape = [name("batch"), size(channels), size(past)];
            heard = format!("{prefix}.heard");
            self.graph.input(&state.input, &shape)?;
            self.graph.node("Concat", &[&state.input, input], &heard, &[Attribute::One("axis", 2)])?;
            let from = format!("{prefix}.from");
            self.graph.numbers(&from, &[-(past as i64)])?;
            self.graph.node("Slice", &[&heard, &from, "end", "time_axis"], &state.output, &[])?;
            self.graph.output(&state.output, &shape)?;
            self.states.push(state);
        }
        self.conv_node(prefix, &heard, layer.kernel, layer.dilation)
    }

    fn conv_node(&mut self, prefix: &str, input: &str, kernel: usize, dilation: usize) -> Result<String, ExportError> {
        let output = format!("{prefix}.out");
        let attributes = [
            Attribute::Many("kernel_shape", &[kernel as i64]),
            Attribute::Many("dilations", &[dilation as i64]),
            Attribute::Many("strides", &[1]),
            Attribute::Many("pads", &[0, 0]),
            Attribute::One("group", 1),
        ];
        let (weight, bias) = (format!("{prefix}.weight"), format!("{prefix}.bias"));
        self.graph.node("Conv", &[input, &weight, &bias], &output, &attributes)?;
        Ok(output)
    }

    /// A layer without past: a convolution of one tap.
    fn mixing(&mut self, prefix: &str, layer: &Linear, input: &str) -> Result<String, ExportError> {
        self.kernel(prefix, layer, 1)?;
        self.conv_node(prefix, input, 1, 1)
    }

    fn silu(&mut self, input: &str) -> Result<String, GraphError> {
        let (gate, output) = (format!("{input}.gate"), format!("{input}.silu"));
        self.graph.node("Sigmoid", &[input], &gate, &[])?;
        self.graph.node("Mul", &[input, &gate], &output, &[])?;
        Ok(output)
    }
}

/// The ONNX file of a network and the states that its host keeps. Motions with two sides become two channels.
///
/// # Errors
/// Weights that cannot be read, or a name used twice.
pub fn streaming_graph(network: &SpeechNetwork, bands: usize) -> Result<(Vec<u8>, Vec<StateTensor>), ExportError> {
    let mut writer = Writer::default();
    writer.graph.input("mel", &[name("batch"), size(bands), name("frames")])?;
    writer.graph.numbers("end", &[i64::MAX])?;
    writer.graph.numbers("time_axis", &[2])?;
    let first = writer.convolution("first", &network.first, "mel")?;
    let mut x = writer.silu(&first)?;
    for (index, block) in network.blocks.iter().enumerate() {
        let inner = writer.convolution(&format!("block.{index}.convolution"), &block.convolution, &x)?;
        let inner = writer.silu(&inner)?;
        let change = writer.mixing(&format!("block.{index}.mix"), &block.mix, &inner)?;
        let sum = format!("block.{index}.sum");
        writer.graph.node("Add", &[&x, &change], &sum, &[])?;
        x = sum;
    }
    let hidden = writer.mixing("hidden", &network.hidden, &x)?;
    let hidden = writer.silu(&hidden)?;
    let last = plain(&network.output)?;
    let columns: Vec<usize> =
        Motion::ALL.iter().flat_map(|motion| vec![*motion as usize; motion.channels().len()]).collect();
    let spread = |row: &[f32]| columns.iter().map(|column| row[*column]).collect::<Vec<f32>>();
    let weights: Vec<f32> = last.weights.chunks_exact(last.outputs).flat_map(spread).collect();
    writer.graph.half_weights("output.weight", &[last.inputs, columns.len()], &weights)?;
    writer.graph.weights("output.bias", &[columns.len()], &spread(&last.bias))?;
    writer.graph.node("Transpose", &[&hidden], "hidden.frames", &[Attribute::Many("perm", &[0, 2, 1])])?;
    writer.graph.node("MatMul", &["hidden.frames", "output.weight"], "output.product", &[])?;
    writer.graph.node("Add", &["output.product", "output.bias"], "output.sum", &[])?;
    writer.graph.node("Sigmoid", &["output.sum"], "output.values", &[])?;
    let part = |part: usize| -> Vec<f32> {
        Motion::ALL.iter().flat_map(|motion| vec![dependence(*motion)[part]; motion.channels().len()]).collect()
    };
    let column = |motion: Motion| columns.iter().position(|column| *column == motion as usize).unwrap_or(0) as i64;
    writer.graph.weights("pose.rest", &[columns.len()], &part(0))?;
    writer.graph.numbers("channel_axis", &[2])?;
    let mut sum = "pose.rest".to_owned();
    for (index, (name, motion)) in [("closed", Motion::Close), ("jaw", Motion::JawOpen)].into_iter().enumerate() {
        let [from, to, value, factor, change, next] =
            ["from", "to", "value", "factor", "change", "sum"].map(|what| format!("pose.{name}.{what}"));
        writer.graph.numbers(&from, &[column(motion)])?;
        writer.graph.numbers(&to, &[column(motion) + 1])?;
        writer.graph.node("Slice", &["output.values", &from, &to, "channel_axis"], &value, &[])?;
        writer.graph.weights(&factor, &[columns.len()], &part(index + 1))?;
        writer.graph.node("Mul", &[&value, &factor], &change, &[])?;
        writer.graph.node("Add", &[&change, &sum], &next, &[])?;
        sum = next;
    }
    writer.graph.node("Mul", &["output.values", &sum], "weights", &[])?;
    writer.graph.output("weights", &[name("batch"), name("frames"), size(columns.len())])?;
    let file = writer.graph.finish("speech to face", &[("frame_rate", "50")]);
    Ok((file, writer.states))
}

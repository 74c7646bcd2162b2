//! The network: causal dilated convolutions with residual connections, written as matrix products.
//!
//! A convolution over time is one product: the input is shifted once per kernel tap, the copies are put side by side and
//! multiplied with all taps at once. On a CPU that is several times faster than a general convolution, and the same
//! weights are those of an ONNX `Conv`. Every layer sees the past only; what a pose needs of the future comes from
//! delaying the targets by [`look_ahead`](crate::config::Variant::look_ahead) frames. Before the first frame every
//! layer sees zeros, which is what an all-zero state means at run time.
//!
//! The last layer decides one thing before all others: whether the lips are closed. What `Motion::Close` stands for in it
//! is that decision, 0..=1; it then cancels the jaw and lets nothing else part the lips, as the teacher has it:
//! `close = c jaw`, and `(1 - c)` times every motion that [parts the lips](Motion::parts_lips).
//!
//! Temporal convolutions for sequences: S. Bai, J. Z. Kolter, V. Koltun, "An Empirical Evaluation of Generic
//! Convolutional and Recurrent Networks for Sequence Modeling", 2018. Activation: `x sigmoid(x)` (S. Elfwing et al., 2018).

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{Device, Tensor, TensorData};

use crate::config::Recipe;
use crate::teacher::{MOTIONS, Motion, PHONES};

/// Taps of the convolution in every residual block.
pub const BLOCK_KERNEL: usize = 3;

/// A convolution over the past: `[batch, frames, channels in]` to `[batch, frames, channels out]`.
#[derive(Module, Debug)]
pub struct CausalConvolution {
    /// All taps, oldest first: `[kernel * channels in, channels out]`.
    pub taps: Linear,
    /// Taps.
    pub kernel: usize,
    /// Frames between taps.
    pub dilation: usize,
}

impl CausalConvolution {
    fn new(inputs: usize, outputs: usize, kernel: usize, dilation: usize, device: &Device) -> Self {
        Self { taps: LinearConfig::new(kernel * inputs, outputs).init(device), kernel, dilation }
    }

    /// Frames of the past that it sees.
    pub const fn past(&self) -> usize {
        (self.kernel - 1) * self.dilation
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, frames, channels] = x.dims();
        let past = Tensor::zeros([batch, self.past(), channels], &x.device());
        let padded = Tensor::cat(vec![past, x], 1);
        let shifted = (0..self.kernel).map(|tap| padded.clone().narrow(1, tap * self.dilation, frames)).collect();
        self.taps.forward(Tensor::cat(shifted, 2))
    }
}

/// `x + mix(silu(convolution(x)))`.
#[derive(Module, Debug)]
pub struct Block {
    /// The convolution over time.
    pub convolution: CausalConvolution,
    /// The mixing of channels after it.
    pub mix: Linear,
}

impl Block {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let change = self.mix.forward(silu(self.convolution.forward(x.clone())));
        x + change
    }
}

/// A last layer that starts near rest. From the middle of the sigmoid, the first steps would all pull down, overshoot
/// into its flat end, and never come back.
fn quiet_output(channels: usize, device: &Device) -> Linear {
    let small = Initializer::Normal { mean: 0.0, std: 0.02 };
    let mut layer = LinearConfig::new(channels, MOTIONS).with_initializer(small).init(device);
    layer.bias = layer.bias.map(|bias| bias.map(|values| values - 2.5));
    layer
}

/// The whole network: normalised log-mel frames in, [motions](crate::teacher::Motion) out.
#[derive(Module, Debug)]
pub struct SpeechNetwork {
    /// The first layer.
    pub first: CausalConvolution,
    /// The residual blocks.
    pub blocks: Vec<Block>,
    /// The layer before the last.
    pub hidden: Linear,
    /// The last layer.
    pub output: Linear,
    /// Names the phone; only training asks.
    pub phones: Linear,
}

/// What the network makes of some sound.
#[derive(Debug)]
pub struct Answer {
    /// `[batch, frames, motions]` in 0..=1.
    pub motions: Tensor<3>,
    /// `[batch, frames, 1]`: the closure of the lips before the sigmoid.
    pub closure: Tensor<3>,
    /// `[batch, frames, phones]` before the softmax, in the order of [`PHONES`].
    pub phones: Tensor<3>,
}

/// How a motion follows from the last layer's values `s`: `s (rest + closed c + jaw s_jaw)`, `c` and `s_jaw` being those of
/// the closure and the jaw.
pub const fn dependence(motion: Motion) -> [f32; 3] {
    match motion {
        Motion::Close => [0.0, 0.0, 1.0],
        _ if motion.parts_lips() => [1.0, -1.0, 0.0],
        _ => [1.0, 0.0, 0.0],
    }
}

fn dependences(device: &Device) -> [Tensor<3>; 3] {
    [0, 1, 2].map(|part| {
        let row: Vec<f32> = Motion::ALL.iter().map(|motion| dependence(*motion)[part]).collect();
        Tensor::from_data(TensorData::new(row, [1, 1, MOTIONS]), device)
    })
}

fn towards<const D: usize>(mine: &Param<Tensor<D>>, theirs: &Param<Tensor<D>>, share: f32) -> Param<Tensor<D>> {
    let theirs = theirs.val();
    mine.clone().map(|mine| mine.clone() + (theirs - mine) * share)
}

impl SpeechNetwork {
    /// A network with random weights.
    pub fn new(recipe: &Recipe, device: &Device) -> Self {
        let (shape, channels) = (&recipe.network, recipe.network.channels);
        // Blocks start small, so that their sum starts near the first layer's output.
        let small =
            Initializer::Normal { mean: 0.0, std: 0.5 / ((channels * shape.dilations.len().max(1)) as f64).sqrt() };
        let block = |dilation: &usize| Block {
            convolution: CausalConvolution::new(channels, channels, BLOCK_KERNEL, *dilation, device),
            mix: LinearConfig::new(channels, channels).with_initializer(small.clone()).init(device),
        };
        Self {
            first: CausalConvolution::new(recipe.features.width(), channels, shape.first_kernel, 1, device),
            blocks: shape.dilations.iter().map(block).collect(),
            hidden: LinearConfig::new(channels, channels).init(device),
            output: quiet_output(channels, device),
            phones: LinearConfig::new(channels, PHONES.len()).init(device),
        }
    }

    /// `[batch, frames, bands]` to `[batch, frames, motions]` in 0..=1. Row `t` is the pose of frame `t - look_ahead`.
    pub fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        self.answer(features).motions
    }

    /// Everything that training compares; rows as in [`forward`](Self::forward).
    pub fn answer(&self, features: Tensor<3>) -> Answer {
        let first = silu(self.first.forward(features));
        let last = self.blocks.iter().fold(first, |x, block| block.forward(x));
        let hidden = silu(self.hidden.forward(last));
        let (logits, phones) = (self.output.forward(hidden.clone()), self.phones.forward(hidden));
        let one = |values: &Tensor<3>, motion: Motion| values.clone().narrow(2, motion as usize, 1);
        let closure = one(&logits, Motion::Close);
        let values = sigmoid(logits);
        let [rest, closed, jaw] = dependences(&values.device());
        let closing = closed * one(&values, Motion::Close);
        let hanging = jaw * one(&values, Motion::JawOpen);
        Answer { motions: values * (rest + closing + hanging), closure, phones }
    }

    /// Moves every weight a share of the way, 0..=1, towards that of another network of the same shape.
    pub fn follow(&mut self, other: &Self, share: f32) {
        for (mine, theirs) in self.layers_mut().zip(other.layers()) {
            mine.weight = towards(&mine.weight, &theirs.weight, share);
            if let (Some(bias), Some(theirs)) = (&mine.bias, &theirs.bias) {
                mine.bias = Some(towards(bias, theirs, share));
            }
        }
    }

    /// The same with every matrix rounded to half precision, which is how it is exported.
    pub fn halved(mut self) -> Self {
        for layer in self.layers_mut() {
            layer.weight = layer.weight.clone().map(|weight| {
                let device = weight.device();
                let data = weight.into_data().convert::<half::f16>().convert::<f32>();
                Tensor::from_data(data, &device)
            });
        }
        self
    }

    fn layers(&self) -> impl Iterator<Item = &Linear> {
        let blocks = self.blocks.iter().flat_map(|block| [&block.convolution.taps, &block.mix]);
        blocks.chain([&self.first.taps, &self.hidden, &self.output, &self.phones])
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let blocks = self.blocks.iter_mut().flat_map(|block| [&mut block.convolution.taps, &mut block.mix]);
        blocks.chain([&mut self.first.taps, &mut self.hidden, &mut self.output, &mut self.phones])
    }

    /// Frames of the past that reach one output, all layers together.
    pub fn past(&self) -> usize {
        self.first.past() + self.blocks.iter().map(|block| block.convolution.past()).sum::<usize>()
    }
}

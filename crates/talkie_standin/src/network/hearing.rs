//! A bank of filters: how loud is speech in a few bands?

use core::f32::consts::PI;

use talkie_onnx::{Attribute, Graph, GraphError};

use crate::{
    SAMPLE_RATE,
    behaviour::{BANDS, GAINS},
};

/// Length of a filter in samples.
pub(super) const TAPS: usize = 129;
/// Samples from one output of a filter to the next. What aliases is as loud as before.
pub(super) const STRIDE: usize = 4;

/// A band-pass (windowed sinc) that leaves the middle of its band as loud as it is.
fn band_pass([low, high]: [f32; 2]) -> [f32; TAPS] {
    let rate = SAMPLE_RATE as f32;
    let time = |tap: usize| tap as f32 - (TAPS as f32 - 1.0) / 2.0;
    let low_pass = |cut: f32, time: f32| {
        let angle = 2.0 * PI * cut / rate * time;
        if time == 0.0 { 2.0 * cut / rate } else { angle.sin() / (PI * time) }
    };
    let window = |tap: usize| 0.54 - 0.46 * (2.0 * PI * tap as f32 / (TAPS as f32 - 1.0)).cos();
    let filter: [f32; TAPS] =
        core::array::from_fn(|tap| (low_pass(high, time(tap)) - low_pass(low, time(tap))) * window(tap));
    let middle = PI * (low + high) / rate;
    // The filter is symmetric, so its gain is a sum of cosines.
    let gain: f32 = filter.iter().enumerate().map(|(tap, value)| value * (middle * time(tap)).cos()).sum();
    filter.map(|value| value / gain)
}

/// Power of each band of a sound `[batch, 1, samples]`: `[batch, bands, samples / STRIDE]`, less what the filters need at the
/// edges where nothing is added there.
pub(super) fn power(graph: &mut Graph, sound: &str, padding: usize) -> Result<String, GraphError> {
    let filters = BANDS.map(band_pass);
    let filters = graph.constant(&[BANDS.len(), 1, TAPS], filters.as_flattened())?;
    let settings = [
        Attribute::Many("kernel_shape", &[TAPS as i64]),
        Attribute::Many("strides", &[STRIDE as i64]),
        Attribute::Many("pads", &[padding as i64; 2]),
    ];
    let bands = graph.apply("Conv", &[sound, &filters], &settings)?;
    graph.apply("Mul", &[&bands, &bands], &[])
}

/// Loudness, 0 to 1, of averaged power `[batch, bands, frames]`: `[batch, frames, bands]`.
pub(super) fn loudness(graph: &mut Graph, power: &str) -> Result<String, GraphError> {
    let level = graph.apply("Sqrt", &[power], &[])?;
    let gains = graph.constant(&[BANDS.len(), 1], &GAINS)?;
    let scaled = graph.apply("Mul", &[&level, &gains], &[])?;
    let loudness = graph.apply("Tanh", &[&scaled], &[])?;
    graph.apply("Transpose", &[&loudness], &[Attribute::Many("perm", &[0, 2, 1])])
}

/// Loudness of the whole sound: `[batch, 1, bands]`.
pub(super) fn overall(graph: &mut Graph, power: &str) -> Result<String, GraphError> {
    let settings = [Attribute::Many("axes", &[2]), Attribute::One("keepdims", 1)];
    let mean = graph.apply("ReduceMean", &[power], &settings)?;
    loudness(graph, &mean)
}

/// Weights that resample `from` values to `to`, both of one stretch of time whose frames are `first` and `step` values apart:
/// linear interpolation, `[from, to]`.
pub(super) fn interpolation(graph: &mut Graph, from: usize, to: usize) -> Result<String, GraphError> {
    let mut weights = vec![0.0; from * to];
    for frame in 0..to {
        let at = (frame as f32 * from as f32 / to as f32).min(from as f32 - 1.0);
        let (before, part) = (at as usize, at.fract());
        weights[before * to + frame] += 1.0 - part;
        weights[(before + 1).min(from - 1) * to + frame] += part;
    }
    graph.constant(&[from, to], &weights)
}

//! Another voice: faster or slower playback moves pitch, formants and tempo together.

use super::Sequence;

/// Plays `sequence` `factor` times as fast, into `count` samples, by four-point cubic interpolation (Catmull-Rom); the
/// phones move with the sound.
pub(super) fn warp(sequence: &mut Sequence, factor: f64, count: usize) {
    let source = &sequence.samples;
    let at = |index: isize| source.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or(0.0);
    sequence.samples = (0..count)
        .map(|index| {
            let position = index as f64 * factor;
            let whole = position.floor();
            let (x, i) = ((position - whole) as f32, whole as isize);
            let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
            b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a)))
        })
        .collect();
    sequence.stretch(1.0 / factor);
}

//! Another voice: faster or slower playback moves pitch, formants and tempo together; breath drives the vocal tract beside
//! the vocal folds, or instead of them.

use rand::rngs::SmallRng;

use super::Sequence;
use super::noise::{gauss, rms};

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

/// Coefficients of the vocal tract.
const ORDER: usize = 18;
/// Samples for which it is taken to stand still, and that it is measured on.
const STILL: usize = 160;
const MEASURED: usize = 400;

/// Puts breath into a voice: what drove the vocal tract (linear prediction: J. Makhoul, "Linear Prediction: A Tutorial
/// Review", Proc. IEEE 63(4), 1975) is mixed with noise of the same power. `breath` is the share of the noise: 0 changes
/// nothing, 1 is a whisper.
pub(super) fn breathe_through(samples: &mut [f32], breath: f32, random: &mut SmallRng) {
    let before = samples.to_vec();
    let kept = (1.0 - breath * breath).max(0.0).sqrt();
    for start in (0..samples.len()).step_by(STILL) {
        let end = (start + STILL).min(samples.len());
        let first = (start + STILL / 2).saturating_sub(MEASURED / 2);
        let tract = prediction(&before[first..(first + MEASURED).min(before.len())]);
        let echo = |signal: &[f32], at: usize| -> f32 {
            tract.iter().zip(signal[at.saturating_sub(ORDER)..at].iter().rev()).map(|(a, past)| a * past).sum()
        };
        let driven: Vec<f32> = (start..end).map(|at| before[at] - echo(&before, at)).collect();
        let power = rms(&driven);
        for (at, drive) in (start..end).zip(driven) {
            samples[at] = kept * drive + breath * power * gauss(random) + echo(samples, at);
        }
    }
}

/// What predicts a sample from the ones before it, the latest first (Levinson-Durbin on a Hann window's autocorrelation:
/// always a stable filter).
fn prediction(samples: &[f32]) -> [f32; ORDER] {
    let length = samples.len() as f64;
    let shaped: Vec<f64> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            f64::from(*sample) * (0.5 - 0.5 * (core::f64::consts::TAU * (index as f64 + 0.5) / length).cos())
        })
        .collect();
    let correlation = |lag: usize| shaped.iter().zip(shaped.get(lag..).unwrap_or(&[])).map(|(a, b)| a * b).sum::<f64>();
    // A noise floor 60 dB down keeps narrow resonances from ringing.
    let mut error = correlation(0) * 1.000_001 + 1e-9;
    let mut filter = [0.0f64; ORDER];
    for order in 0..ORDER {
        let past: f64 = (0..order).map(|index| filter[index] * correlation(order - index)).sum();
        let reflection = (correlation(order + 1) - past) / error;
        let shorter = filter;
        for index in 0..order {
            filter[index] = shorter[index] - reflection * shorter[order - 1 - index];
        }
        filter[order] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    filter.map(|value| value as f32)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// Pulses at 100 Hz through a resonance at 1 kHz.
    fn voice() -> Vec<f32> {
        let (mut before, mut earlier) = (0.0f32, 0.0f32);
        let (turn, decay) = (core::f32::consts::TAU * 1_000.0 / 16_000.0, 0.97f32);
        (0..16_000)
            .map(|index| {
                let pulse = if index % 160 == 0 { 0.1 } else { 0.0 };
                let now = pulse + 2.0 * decay * turn.cos() * before - decay * decay * earlier;
                (earlier, before) = (before, now);
                now
            })
            .collect()
    }

    /// Energy at a frequency, as a share of all.
    fn share(samples: &[f32], hertz: f32) -> f32 {
        let (mut re, mut im) = (0.0f32, 0.0f32);
        for (index, sample) in samples.iter().enumerate() {
            let phase = core::f32::consts::TAU * hertz * index as f32 / 16_000.0;
            re += sample * phase.cos();
            im += sample * phase.sin();
        }
        (re * re + im * im) / (samples.len() as f32 * samples.iter().map(|sample| sample * sample).sum::<f32>())
    }

    #[test]
    fn no_breath_changes_nothing() {
        let mut same = voice();
        breathe_through(&mut same, 0.0, &mut SmallRng::seed_from_u64(1));
        let off = same.iter().zip(voice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-3, "{off}");
    }

    #[test]
    fn a_whisper_keeps_the_tract_and_loses_the_pitch() {
        let before = voice();
        let mut whisper = voice();
        breathe_through(&mut whisper, 1.0, &mut SmallRng::seed_from_u64(1));
        assert!((rms(&whisper) / rms(&before) - 1.0).abs() < 0.5, "{} {}", rms(&whisper), rms(&before));
        assert!(share(&before, 1_000.0) > 0.1, "the harmonic was there");
        assert!(share(&whisper, 1_000.0) < 0.02, "the harmonic is gone");
        let near: f32 = (900..1_100).map(|hertz| share(&whisper, hertz as f32)).sum();
        let far: f32 = (3_900..4_100).map(|hertz| share(&whisper, hertz as f32)).sum();
        assert!(near > 20.0 * far, "the resonance stays: {near} {far}");
    }

    #[test]
    fn silence_stays_silent() {
        let mut nothing = vec![0.0; 1_000];
        breathe_through(&mut nothing, 1.0, &mut SmallRng::seed_from_u64(1));
        assert!(nothing.iter().all(|sample| *sample == 0.0));
    }
}

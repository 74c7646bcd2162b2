//! What recorders and telephones do to samples: overload, companding, transform coding.

use core::f32::consts::PI;

use rand::Rng as _;
use rand::rngs::SmallRng;
use realfft::RealFftPlanner;

use super::equaliser;

/// Cuts everything above a share of the peak off, 0.15 to 0.7.
pub(super) fn clip(samples: &mut [f32], random: &mut SmallRng) {
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let limit = peak * random.random_range(0.15f32..0.7);
    samples.iter_mut().for_each(|sample| *sample = sample.clamp(-limit, limit));
}

/// One of: a telephone (300 to 3400 Hz, 8-bit mu-law), the same without companding, or a transform codec at a low rate.
pub(super) fn code(samples: &mut [f32], random: &mut SmallRng) {
    match random.random_range(0..4) {
        0 => {
            equaliser::telephone(samples);
            companded(samples);
        }
        1 => equaliser::telephone(samples),
        _ => transform_coded(samples, random),
    }
}

/// 8-bit mu-law of ITU-T G.711, relative to the peak.
fn companded(samples: &mut [f32]) {
    const MU: f32 = 255.0;
    let peak = samples.iter().fold(1e-6f32, |peak, sample| peak.max(sample.abs()));
    for sample in samples {
        let x = *sample / peak;
        let code = (x.signum() * (MU * x.abs()).ln_1p() / MU.ln_1p() * 127.0).round() / 127.0;
        *sample = peak * code.signum() * ((code.abs() * MU.ln_1p()).exp_m1() / MU);
    }
}

const WINDOW: usize = 512;
const HOP: usize = WINDOW / 2;

/// Quantises the spectrum of overlapping windows in groups of bins, each in steps of a share of its loudest bin, and drops
/// what is far below the loudest group: what MP3, Opus or Vorbis do at low rates, without their bit streams.
fn transform_coded(samples: &mut [f32], random: &mut SmallRng) {
    let coarseness = random.random_range(0.15f32..0.8);
    let hidden = 10f32.powf(random.random_range(-60.0f32..-35.0) / 20.0);
    let top = random.random_range(90..=256usize);
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, backward) = (planner.plan_fft_forward(WINDOW), planner.plan_fft_inverse(WINDOW));
    let (mut time, mut bins) = (forward.make_input_vec(), forward.make_output_vec());
    let window: Vec<f32> = (0..WINDOW).map(|i| (PI * (i as f32 + 0.5) / WINDOW as f32).sin()).collect();
    let mut out = vec![0.0f32; samples.len() + 2 * WINDOW];
    let mut fine = true;
    for start in (0..samples.len() + HOP).step_by(HOP) {
        // The first window starts half a window before the sound, so that every sample lies in two.
        for (index, (value, shape)) in time.iter_mut().zip(&window).enumerate() {
            *value =
                (start + index).checked_sub(HOP).and_then(|at| samples.get(at)).map_or(0.0, |sample| sample * shape);
        }
        fine &= forward.process(&mut time, &mut bins).is_ok();
        let loudest = bins.iter().fold(0.0f32, |loudest, bin| loudest.max(bin.norm()));
        let (mut from, mut width) = (0, 4);
        while from < bins.len() {
            let to = (from + width).min(bins.len());
            let group = &mut bins[from..to];
            let peak = group.iter().fold(0.0f32, |peak, bin| peak.max(bin.norm()));
            let step = peak * coarseness;
            let silent = from >= top || peak <= hidden * loudest;
            for bin in group {
                let size = bin.norm();
                let kept = if silent || step <= 0.0 { 0.0 } else { (size / step).round() * step / size.max(1e-12) };
                *bin *= kept;
            }
            (from, width) = (to, width + width / 4);
        }
        for edge in [0, WINDOW / 2] {
            bins[edge].im = 0.0;
        }
        fine &= backward.process(&mut bins, &mut time).is_ok();
        for ((sum, value), shape) in out[start..].iter_mut().zip(&time).zip(&window) {
            *sum += value * shape / WINDOW as f32;
        }
    }
    debug_assert!(fine, "the transform refused buffers of its own making");
    samples.copy_from_slice(&out[HOP..HOP + samples.len()]);
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn tone() -> Vec<f32> {
        (0..16_000).map(|i| 0.4 * (i as f32 * 0.2).sin() + 0.01 * (i as f32 * 1.9).sin()).collect()
    }

    fn error(a: &[f32], b: &[f32]) -> f32 {
        let power = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
        (power(&mut a.iter().zip(b).map(|(a, b)| a - b)) / power(&mut b.iter().copied())).sqrt()
    }

    #[test]
    fn what_is_coded_resembles_what_was_there() {
        for seed in 0..40 {
            let (mut coded, before) = (tone(), tone());
            transform_coded(&mut coded, &mut SmallRng::seed_from_u64(seed));
            let off = error(&coded, &before);
            assert!((0.001..0.5).contains(&off), "seed {seed}: {off}");
        }
        let mut companded_tone = tone();
        companded(&mut companded_tone);
        let off = error(&companded_tone, &tone());
        assert!((1e-4..0.05).contains(&off), "{off}");
    }

    #[test]
    fn overload_flattens_peaks() {
        let mut loud = tone();
        clip(&mut loud, &mut SmallRng::seed_from_u64(1));
        let peak = loud.iter().fold(0.0f32, |peak, sample| peak.max(*sample));
        assert!(peak < 0.3, "{peak}");
        assert!(loud.iter().filter(|sample| **sample == peak).count() > 1_000);
    }

    #[test]
    fn silence_stays_silent() {
        for seed in 0..8 {
            let mut nothing = vec![0.0; 4_000];
            code(&mut nothing, &mut SmallRng::seed_from_u64(seed));
            assert!(nothing.iter().all(|sample| *sample == 0.0), "seed {seed}");
        }
    }
}

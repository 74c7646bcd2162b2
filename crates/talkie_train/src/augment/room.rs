//! A room: early reflections and an exponentially decaying tail (M. R. Schroeder, "Natural sounding artificial
//! reverberation", JAES 10(3), 1962, is the model of the tail as decaying noise).

use rand::Rng as _;
use rand::rngs::SmallRng;
use realfft::RealFftPlanner;

use super::noise::gauss;

const TAPS: usize = 8192;
const TRANSFORM: usize = 16_384;

/// Puts the speaker into a random room: decay time 0.1 to 0.7 s, direct sound from 3 dB below the rest to 15 dB above it. The
/// direct sound keeps its place in time.
pub(super) fn reverberate(samples: &mut [f32], random: &mut SmallRng) {
    let decay = random.random_range(0.1f32..0.7);
    let ratio = 10f32.powf(random.random_range(-3.0f32..15.0) / 20.0);
    let first = random.random_range(16..400usize);
    let mut response = vec![0.0f32; TAPS];
    let mut damped = 0.0f32;
    let damping = random.random_range(0.3f32..1.0);
    for (index, tap) in response.iter_mut().enumerate().skip(first) {
        // 60 dB in `decay` seconds.
        damped += damping * (gauss(random) - damped);
        *tap = damped * (-6.908 * (index - first) as f32 / (decay * 16_000.0)).exp();
    }
    for _ in 0..random.random_range(2..7) {
        let at = random.random_range(first..1200.max(first + 1));
        response[at] += random.random_range(-1.0f32..1.0) * 6.0;
    }
    let energy = response.iter().map(|tap| tap * tap).sum::<f32>().sqrt().max(1e-6);
    response.iter_mut().for_each(|tap| *tap /= energy * ratio);
    response[0] = 1.0;
    convolve(samples, &response);
}

/// Convolution in place by overlap-add; the tail beyond the end is dropped.
fn convolve(samples: &mut [f32], response: &[f32]) {
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, backward) = (planner.plan_fft_forward(TRANSFORM), planner.plan_fft_inverse(TRANSFORM));
    let mut time = forward.make_input_vec();
    let mut filter = forward.make_output_vec();
    time[..response.len()].copy_from_slice(response);
    // The plans made these buffers, so they cannot refuse them.
    let mut fine = forward.process(&mut time, &mut filter).is_ok();
    let mut spectrum = forward.make_output_vec();
    let block = TRANSFORM - response.len();
    let mut out = vec![0.0f32; samples.len() + TRANSFORM];
    for start in (0..samples.len()).step_by(block) {
        let piece = &samples[start..(start + block).min(samples.len())];
        time.fill(0.0);
        time[..piece.len()].copy_from_slice(piece);
        fine &= forward.process(&mut time, &mut spectrum).is_ok();
        spectrum.iter_mut().zip(&filter).for_each(|(bin, gain)| *bin *= gain);
        // Rounding may leave the first and last bin a hair off the real axis, which the inverse objects to.
        for edge in [0, TRANSFORM / 2] {
            spectrum[edge].im = 0.0;
        }
        fine &= backward.process(&mut spectrum, &mut time).is_ok();
        out[start..start + TRANSFORM].iter_mut().zip(&time).for_each(|(sum, value)| *sum += value / TRANSFORM as f32);
    }
    debug_assert!(fine, "the transform refused buffers of its own making");
    samples.copy_from_slice(&out[..samples.len()]);
}

//! A room: the direct sound and a tail of exponentially decaying noise, the statistical model of J. D. Polack ("La
//! transmission de l'énergie sonore dans les salles", 1988).

use realfft::RealFftPlanner;

use super::{RATE, Random};

/// Seconds in which the reverberation falls by 60 dB.
pub(super) const DECAY_SECONDS: f64 = 0.5;
/// Energy of the direct sound above that of all reverberation.
pub(super) const DIRECT_DB: f64 = 3.0;
/// The first reflection comes from a wall somebody stands a metre and a half away from.
const FIRST_SECONDS: f64 = 0.005;
/// What comes later is more than 70 dB down.
const LAST_SECONDS: f64 = 0.6;
const TRANSFORM: usize = 32_768;

/// What a clap sounds like in the room. The direct sound is sample 0 and has the level it had.
pub(super) fn response(random: &mut Random) -> Vec<f32> {
    let (first, last) = ((FIRST_SECONDS * RATE) as usize, (LAST_SECONDS * RATE) as usize);
    let tail: Vec<f64> =
        (first..last).map(|index| random.normal() * 10f64.powf(-3.0 * index as f64 / RATE / DECAY_SECONDS)).collect();
    let energy: f64 = tail.iter().map(|tap| tap * tap).sum();
    let gain = (10f64.powf(-DIRECT_DB / 10.0) / energy.max(1e-12)).sqrt();
    let mut response = vec![0.0; last];
    response[0] = 1.0;
    response[first..].iter_mut().zip(tail).for_each(|(tap, tail)| *tap = (gain * tail) as f32);
    response
}

/// Convolution by overlap-add; what sounds on after the end is dropped.
pub(super) fn reverberate(speech: &[f32], response: &[f32]) -> Vec<f32> {
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, backward) = (planner.plan_fft_forward(TRANSFORM), planner.plan_fft_inverse(TRANSFORM));
    let (mut time, mut room, mut spectrum) =
        (forward.make_input_vec(), forward.make_output_vec(), forward.make_output_vec());
    time[..response.len()].copy_from_slice(response);
    // The plans made these buffers, so they cannot refuse them.
    let mut fine = forward.process(&mut time, &mut room).is_ok();
    let block = TRANSFORM - response.len() + 1;
    let mut heard = vec![0.0; speech.len()];
    for (piece, start) in speech.chunks(block).zip((0..).step_by(block)) {
        time.fill(0.0);
        time[..piece.len()].copy_from_slice(piece);
        fine &= forward.process(&mut time, &mut spectrum).is_ok();
        spectrum.iter_mut().zip(&room).for_each(|(bin, gain)| *bin *= gain);
        // Rounding may leave the first and last bin a hair off the real axis, which the inverse objects to.
        for edge in [0, TRANSFORM / 2] {
            spectrum[edge].im = 0.0;
        }
        fine &= backward.process(&mut spectrum, &mut time).is_ok();
        heard[start..].iter_mut().zip(&time).for_each(|(sum, value)| *sum += value / TRANSFORM as f32);
    }
    debug_assert!(fine, "the transform refused buffers of its own making");
    heard
}

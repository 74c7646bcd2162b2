//! Steady noise of no particular kind: pink, without voices in it.

use super::{RATE, Random};

/// Active speech level above the level of the noise.
pub(super) const RATIO_DB: f64 = 10.0;

pub(super) fn add(speech: &[f32], random: &mut Random) -> Vec<f32> {
    let noise = pink(speech.len(), random);
    let power = noise.iter().map(|sample| sample * sample).sum::<f64>() / noise.len().max(1) as f64;
    let gain = (active_power(speech) / power.max(1e-12)).sqrt() * 10f64.powf(-RATIO_DB / 20.0);
    speech.iter().zip(noise).map(|(sample, noise)| sample + (gain * noise) as f32).collect()
}

/// White noise through P. Kellet's filter: within 0.1 dB of -3 dB per octave from a few hertz on.
pub(super) fn pink(count: usize, random: &mut Random) -> Vec<f64> {
    const POLES: [f64; 6] = [0.99886, 0.99332, 0.96900, 0.86650, 0.55000, -0.7616];
    const GAINS: [f64; 6] = [0.0555179, 0.0750759, 0.1538520, 0.3104856, 0.5329522, -0.0168980];
    let (mut state, mut last) = ([0.0; 6], 0.0);
    (0..count)
        .map(|_| {
            let white = random.normal();
            for ((state, pole), gain) in state.iter_mut().zip(POLES).zip(GAINS) {
                *state = pole * *state + gain * white;
            }
            let pink = state.iter().sum::<f64>() + last + 0.5362 * white;
            last = 0.115926 * white;
            pink
        })
        .collect()
}

/// Mean power of the speech while somebody speaks, as ITU-T P.56 (method B) defines it: over the time in which the
/// envelope (two smoothers of 30 ms), held for 200 ms, is above a limit that lies 15.9 dB below that very level.
pub(super) fn active_power(speech: &[f32]) -> f64 {
    const LIMITS: usize = 20;
    const MARGIN_DB: f64 = 15.9;
    let hold = (0.2 * RATE) as usize;
    let keep = (-1.0 / (0.03 * RATE)).exp();
    let limits: [f64; LIMITS] = core::array::from_fn(|index| 2f64.powi(1 - index as i32));
    let (mut active, mut held) = ([0usize; LIMITS], [hold; LIMITS]);
    let (mut smooth, mut envelope, mut energy) = (0.0, 0.0, 0.0);
    for sample in speech.iter().map(|sample| f64::from(*sample)) {
        energy += sample * sample;
        smooth = keep * smooth + (1.0 - keep) * sample.abs();
        envelope = keep * envelope + (1.0 - keep) * smooth;
        for ((active, held), limit) in active.iter_mut().zip(&mut held).zip(limits) {
            *held = if envelope >= limit { 0 } else { *held + 1 };
            *active += usize::from(*held < hold);
        }
    }
    // From loud to soft, the level falls more slowly than its distance from the limit grows.
    let mut before: Option<(f64, f64)> = None;
    for (active, limit) in active.into_iter().zip(limits).filter(|(active, _)| *active > 0) {
        let level = 10.0 * (energy / active as f64).max(1e-30).log10();
        let margin = level - 20.0 * limit.log10();
        if margin >= MARGIN_DB {
            let level = before.map_or(level, |(level0, margin0)| {
                level0 + (level - level0) * (MARGIN_DB - margin0) / (margin - margin0)
            });
            return 10f64.powf(level / 10.0);
        }
        before = Some((level, margin));
    }
    energy / speech.len().max(1) as f64
}

//! What is heard beside the speaker.

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::Sequence;

/// Standard normal numbers, good enough for sound: the sum of four uniform ones.
pub(super) fn gauss(random: &mut SmallRng) -> f32 {
    (0..4).map(|_| random.random_range(-0.866f32..0.866)).sum()
}

/// White, pink or brown noise, with a mains hum now and then and a slowly changing level.
pub(super) fn stationary(random: &mut SmallRng, count: usize) -> Vec<f32> {
    let colour = random.random_range(0..3);
    let mut pink = [0.0f32; 3];
    let mut brown = 0.0f32;
    let mut samples: Vec<f32> = (0..count)
        .map(|_| {
            let white = gauss(random);
            match colour {
                0 => white,
                1 => {
                    // Three poles at octaves of two decades: Paul Kellet's economy filter.
                    pink[0] = 0.99765 * pink[0] + 0.0990460 * white;
                    pink[1] = 0.96300 * pink[1] + 0.2965164 * white;
                    pink[2] = 0.57000 * pink[2] + 1.0526913 * white;
                    pink.iter().sum::<f32>() + 0.1848 * white
                }
                _ => {
                    brown = 0.98 * brown + white;
                    brown
                }
            }
        })
        .collect();
    if random.random::<f32>() < 0.2 {
        let power = rms(&samples);
        let (hertz, level) = (if random.random() { 50.0 } else { 60.0 }, random.random_range(0.5..2.0));
        for (index, sample) in samples.iter_mut().enumerate() {
            let phase = core::f32::consts::TAU * hertz * index as f32 / 16_000.0;
            *sample += power * level * (phase.sin() + 0.5 * (2.0 * phase).sin() + 0.3 * (3.0 * phase).sin());
        }
    }
    if random.random::<f32>() < 0.4 {
        let (hertz, depth) = (random.random_range(0.1f32..2.0), random.random_range(0.2f32..0.9));
        let start = random.random_range(0.0..core::f32::consts::TAU);
        for (index, sample) in samples.iter_mut().enumerate() {
            let phase = start + core::f32::consts::TAU * hertz * index as f32 / 16_000.0;
            *sample *= 1.0 - depth * (0.5 + 0.5 * phase.sin());
        }
    }
    samples
}

/// Somebody breathes: band-limited noise that swells and fades.
pub(super) fn breaths(random: &mut SmallRng, count: usize) -> Vec<f32> {
    let mut samples = vec![0.0f32; count];
    let mut at = random.random_range(0..8_000usize);
    while at < count {
        let length = random.random_range(4_000..16_000usize);
        let (soft, hard) = (random.random_range(0.3f32..0.8), random.random_range(0.05f32..0.3));
        let (mut low, mut lower) = (0.0f32, 0.0f32);
        for index in 0..length.min(count - at) {
            low += soft * (gauss(random) - low);
            lower += hard * (low - lower);
            let swell = (core::f32::consts::PI * index as f32 / length as f32).sin();
            samples[at + index] += (low - lower) * swell * swell;
        }
        at += length + random.random_range(2_000..20_000usize);
    }
    samples
}

/// The speaker draws breath in the pauses.
pub(super) fn breathe(sequence: &mut Sequence, random: &mut SmallRng) {
    let level = active_rms(&sequence.samples) * 10f32.powf(random.random_range(-35.0..-12.0) / 20.0);
    let breath = breaths(random, sequence.samples.len());
    let scale = level / rms(&breath).max(1e-6);
    for (phone, _) in sequence.phones.iter().filter(|(phone, _)| phone.symbol == "SIL" && phone.duration() > 0.15) {
        let at = |time: f64| ((time.max(0.0) * super::RATE) as usize).min(sequence.samples.len());
        let (from, to) = (at(phone.start), at(phone.end));
        let length = to.saturating_sub(from).max(1) as f32;
        let pause = sequence.samples[from..to.max(from)].iter_mut().zip(&breath[from..]);
        for (index, (sample, breath)) in pause.enumerate() {
            *sample += scale * (core::f32::consts::PI * index as f32 / length).sin() * breath;
        }
    }
}

pub(super) fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// The level of the parts that are not pauses: the rms of the samples above a tenth of the peak's envelope.
fn active_rms(samples: &[f32]) -> f32 {
    let levels: Vec<f32> = samples.chunks(320).map(rms).collect();
    let loudest = levels.iter().fold(0.0f32, |loudest, level| loudest.max(*level));
    let active: Vec<f32> = levels.into_iter().filter(|level| *level > 0.1 * loudest).collect();
    rms(&active)
}

/// Adds noise so that active speech is `decibels` above it.
pub(super) fn mix(samples: &mut [f32], noise: &[f32], decibels: f32) {
    let scale = active_rms(samples) / rms(noise).max(1e-6) * 10f32.powf(-decibels / 20.0);
    samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += scale * noise);
}

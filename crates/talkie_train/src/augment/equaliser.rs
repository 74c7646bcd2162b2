//! The colour of a microphone: a spectral tilt, two resonances, and sometimes a narrow band. Filters after R.
//! Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter coefficients".

use rand::Rng as _;
use rand::rngs::SmallRng;

#[derive(Debug, Clone, Copy)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
}

impl Biquad {
    fn peak(hertz: f32, decibels: f32, quality: f32) -> Self {
        let (gain, w) = (10f32.powf(decibels / 40.0), core::f32::consts::TAU * hertz / 16_000.0);
        let alpha = w.sin() / (2.0 * quality);
        let a0 = 1.0 + alpha / gain;
        Self {
            b: [(1.0 + alpha * gain) / a0, -2.0 * w.cos() / a0, (1.0 - alpha * gain) / a0],
            a: [-2.0 * w.cos() / a0, (1.0 - alpha / gain) / a0],
        }
    }

    fn low_pass(hertz: f32) -> Self {
        let w = core::f32::consts::TAU * hertz / 16_000.0;
        let alpha = w.sin() / core::f32::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        let side = (1.0 - w.cos()) / 2.0 / a0;
        Self { b: [side, 2.0 * side, side], a: [-2.0 * w.cos() / a0, (1.0 - alpha) / a0] }
    }

    fn high_pass(hertz: f32) -> Self {
        let w = core::f32::consts::TAU * hertz / 16_000.0;
        let alpha = w.sin() / core::f32::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        let side = f32::midpoint(1.0, w.cos()) / a0;
        Self { b: [side, -2.0 * side, side], a: [-2.0 * w.cos() / a0, (1.0 - alpha) / a0] }
    }

    fn run(self, samples: &mut [f32]) {
        let (mut first, mut second) = (0.0f32, 0.0f32);
        for sample in samples {
            let out = self.b[0] * *sample + first;
            first = self.b[1] * *sample - self.a[0] * out + second;
            second = self.b[2] * *sample - self.a[1] * out;
            *sample = out;
        }
    }
}

/// Colours the sound at random.
pub(super) fn colour(samples: &mut [f32], random: &mut SmallRng) {
    // A one-pole tilt: darker for positive, brighter for negative values.
    let tilt = random.random_range(-0.6f32..0.6);
    let mut before = 0.0f32;
    for sample in samples.iter_mut() {
        let now = *sample;
        *sample = now + tilt * before;
        before = now;
    }
    for _ in 0..2 {
        let hertz = 100.0 * 60f32.powf(random.random::<f32>());
        Biquad::peak(hertz, random.random_range(-9.0..9.0), random.random_range(0.5..2.0)).run(samples);
    }
    if random.random::<f32>() < 0.3 {
        Biquad::high_pass(random.random_range(60.0..250.0)).run(samples);
    }
    if random.random::<f32>() < 0.2 {
        let hertz = random.random_range(3200.0..7000.0);
        Biquad::low_pass(hertz).run(samples);
        Biquad::low_pass(hertz).run(samples);
    }
}

/// The band of a telephone: 300 to 3400 Hz, fourth order on either side.
pub(super) fn telephone(samples: &mut [f32]) {
    for _ in 0..2 {
        Biquad::high_pass(300.0).run(samples);
        Biquad::low_pass(3400.0).run(samples);
    }
}

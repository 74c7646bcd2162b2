//! The band of a telephone.

use super::RATE;

/// Lower and upper edge in hertz, at which the level is 3 dB down (ITU-T G.712 has the same band).
pub(super) const BAND: [f64; 2] = [300.0, 3400.0];
/// Qualities of the two sections that make a Butterworth filter of order four.
const QUALITIES: [f64; 2] = [0.541_196_100_146_197, 1.306_562_964_876_376_6];

pub(super) fn filter(speech: &[f32]) -> Vec<f32> {
    let [low, high] = BAND;
    let mut sections: Vec<Section> = QUALITIES
        .into_iter()
        .flat_map(|quality| [Section::high_pass(low, quality), Section::low_pass(high, quality)])
        .collect();
    speech
        .iter()
        .map(|sample| sections.iter_mut().fold(f64::from(*sample), |sample, section| section.next(sample)) as f32)
        .collect()
}

/// Two poles and two zeros (R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients").
struct Section {
    zeros: [f64; 3],
    poles: [f64; 2],
    state: [f64; 2],
}

impl Section {
    fn low_pass(hertz: f64, quality: f64) -> Self {
        let edge = (1.0 - (core::f64::consts::TAU * hertz / RATE).cos()) / 2.0;
        Self::new(hertz, quality, [edge, 2.0 * edge, edge])
    }

    fn high_pass(hertz: f64, quality: f64) -> Self {
        let edge = f64::midpoint(1.0, (core::f64::consts::TAU * hertz / RATE).cos());
        Self::new(hertz, quality, [edge, -2.0 * edge, edge])
    }

    fn new(hertz: f64, quality: f64, zeros: [f64; 3]) -> Self {
        let (sine, cosine) = (core::f64::consts::TAU * hertz / RATE).sin_cos();
        let alpha = sine / (2.0 * quality);
        let scale = 1.0 + alpha;
        Self {
            zeros: zeros.map(|zero| zero / scale),
            poles: [-2.0 * cosine / scale, (1.0 - alpha) / scale],
            state: [0.0; 2],
        }
    }

    fn next(&mut self, sample: f64) -> f64 {
        let out = self.zeros[0] * sample + self.state[0];
        self.state[0] = self.zeros[1] * sample - self.poles[0] * out + self.state[1];
        self.state[1] = self.zeros[2] * sample - self.poles[1] * out;
        out
    }
}

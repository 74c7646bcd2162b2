//! The noise of a diffusion network.

/// The noise of a diffusion network: standard normal numbers, the same for every window and every speech, as the official
/// runtime has it by default.
///
/// Made once from a seed by SplitMix64 (G. Steele et al., 2014) and the method of Box and Muller (1958); other numbers than those
/// of the official runtime, whose generator is part of CUDA.
#[derive(Debug)]
pub(super) struct Noise {
    seed: u64,
    /// That of all speeches of the largest batch so far, one after the other.
    values: Vec<f32>,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, values: Vec::new() }
    }

    /// That of a batch of so many speeches, each of this size.
    pub(super) fn of(&mut self, batch: usize, size: usize) -> &[f32] {
        if self.values.is_empty() {
            self.values.reserve_exact(size);
            let mut counter = self.seed;
            let mut uniform = || {
                counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut bits = counter;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                bits ^= bits >> 31;
                // Above 0, at most 1.
                ((bits >> 40) as f32 + 1.0) / (1u32 << 24) as f32
            };
            while self.values.len() < size {
                let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), core::f32::consts::TAU * uniform());
                let (sine, cosine) = angle.sin_cos();
                self.values.push(radius * cosine);
                self.values.push(radius * sine);
            }
            self.values.truncate(size);
        }
        while self.values.len() < batch * size {
            self.values.extend_from_within(..size);
        }
        &self.values[..batch * size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_normal_the_same_for_all_and_never_made_again() {
        let mut noise = Noise::new(0);
        let one = noise.of(1, 10_001).to_vec();
        let (mean, square) =
            one.iter().fold((0.0, 0.0), |(sum, squares), value| (sum + value, squares + value * value));
        assert!((mean / 10_001.0).abs() < 0.03 && (square / 10_001.0 - 1.0).abs() < 0.05, "{mean} {square}");
        let place = noise.of(3, 10_001).as_ptr();
        assert_eq!(noise.of(3, 10_001), [one.clone(), one.clone(), one.clone()].concat());
        assert_eq!(noise.of(1, 10_001).as_ptr(), place);
        assert_ne!(Noise::new(1).of(1, 10_001), one);
    }
}

//! Numbers that look random and are the same on every run.

/// The generator `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From -1 up to 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        // 24 bits fill the mantissa, so that 1 itself is never rounded to.
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// So many numbers of this standard deviation.
    pub(crate) fn weights(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        (0..count).map(|_| self.uniform() * deviation * 3f32.sqrt()).collect()
    }
}

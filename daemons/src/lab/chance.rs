//! Chance in a laboratory: nothing that anybody could gain by guessing.

/// A sequence of numbers (`SplitMix64`).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = seed;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// A number from 0 to below `bound`; 0 if there is none.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(z.checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn every_number_below_the_bound_comes_up() {
        let mut chance = Chance::new([7; 32]);
        let mut seen = [false; 10];
        (0..1000).for_each(|_| seen[chance.below(10)] = true);
        assert_eq!(seen, [true; 10]);
        assert_eq!((chance.below(1), chance.below(0)), (0, 0));
    }
}

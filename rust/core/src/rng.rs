//! The one generator of every order, named in the cursor, with golden vectors.
//!
//! `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): 64 bits of
//! state, one addition and one mix a draw. Its values are part of the format of a cursor and never change;
//! another generator gets another name.

/// The name that a cursor carries.
pub const NAME: &str = "splitmix64";

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator whose values are a pure function of its key.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a key: words are absorbed one by one, the number of words first.
    pub fn keyed(key: &[u64]) -> Self {
        Self(key.iter().fold(key.len() as u64, |state, word| mix((state ^ word).wrapping_add(GAMMA))))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number in `0..n`: the high word of a 64 × 64 bit product. Its bias is below n / 2⁶⁴.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Fisher–Yates, from the last item down.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

/// A permutation of `0..n`, one value at a time and without memory: a Feistel network over the next even power of two,
/// walked until it is below `n` (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
#[derive(Debug, Clone)]
pub struct Permutation {
    n: u64,
    half: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// The permutation of a key.
    pub fn keyed(n: u64, key: &[u64]) -> Self {
        let mut rng = Rng::keyed(key);
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Self { n, half: bits.div_ceil(2).max(1), keys: [(); 4].map(|()| rng.next_u64()) }
    }

    /// How many values.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The `i`-th value.
    pub fn at(&self, i: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let mut value = i;
        loop {
            let (mut left, mut right) = (value >> self.half, value & mask);
            for key in self.keys {
                let mixed = (right ^ key).wrapping_mul(GAMMA);
                (left, right) =
                    (right, left ^ ((mixed ^ (mixed >> 32)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32 & mask));
            }
            value = left << self.half | right;
            if value < self.n {
                return value;
            }
        }
    }
}

/// `0..n`, evenly over any run of `i`: the golden-ratio sequence in 32-bit integers.
pub const fn golden(i: u64, n: u64) -> u64 {
    ((i.wrapping_mul(2_654_435_769) & 0xFFFF_FFFF) * n) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that no release may change: a published cursor depends on them.
    #[test]
    fn golden_vectors() {
        let mut rng = Rng::keyed(&[]);
        assert_eq!([rng.next_u64(), rng.next_u64()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
        let mut items: Vec<u32> = (0..10).collect();
        Rng::keyed(&[7, 0, 0, 1]).shuffle(&mut items);
        assert_eq!(items, GOLDEN_SHUFFLE);
        assert_eq!((0..8).map(|i| golden(i, 8)).collect::<Vec<_>>(), [0, 4, 1, 6, 3, 0, 5, 2]);
    }

    #[test]
    fn a_permutation_has_every_value_once() {
        for n in [0, 1, 2, 3, 5, 64, 65, 1000, 4097] {
            let permutation = Permutation::keyed(n, &[7, n]);
            let mut values: Vec<u64> = (0..n).map(|i| permutation.at(i)).collect();
            assert!(n < 64 || values != (0..n).collect::<Vec<_>>());
            values.sort_unstable();
            assert_eq!(values, (0..n).collect::<Vec<_>>());
        }
        // A published cursor depends on these.
        let permutation = Permutation::keyed(1000, &[1, 2, 3]);
        assert_eq!([0, 1, 2, 999].map(|i| permutation.at(i)), GOLDEN_PERMUTATION);
    }

    const GOLDEN_PERMUTATION: [u64; 4] = [17, 412, 540, 947];

    const GOLDEN_SHUFFLE: [u32; 10] = [1, 4, 8, 9, 0, 5, 3, 7, 6, 2];
}

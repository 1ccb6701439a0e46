//! A hash that is the same on every machine.

/// A 64-bit hash of bytes, stable over versions and machines (FNV-1a, finished by a mix).
pub fn hash(bytes: &[u8]) -> u64 {
    let h = bytes.iter().fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3));
    crate::rng::Rng::keyed(&[h]).next_u64()
}

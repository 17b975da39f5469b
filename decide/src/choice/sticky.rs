//! Sticky assignment, algorithm v1. Fixed: a change is a new version, never an edit of this one.
//!
//! ```text
//! unit   = XXH64(key bytes, seed = XXH64(sticky.salt, 0))                   u64, 16 lowercase hex digits on the wire
//! point  = XXH64(unit as 8 big-endian bytes, seed = XXH64(rollout.salt, 0))
//! bucket = (point as u128 * 10000) >> 64                                    0..=9999
//! ```
//!
//! XXH64 as in the xxHash specification 0.1.1. Golden vectors, made by a separate program: `tests/vectors/`.

use std::fmt;

use xxhash_rust::xxh64::xxh64;

/// The version of the algorithm that this module is.
pub const VERSION: u32 = 1;

/// How many buckets there are: one is a hundredth of a percent.
pub const BUCKETS: u16 = 10_000;

/// The seed that a salt stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub(super) u64);

impl Seed {
    /// The seed of a salt; any bytes will do, also none.
    #[must_use]
    pub fn of(salt: &str) -> Self {
        Self(xxh64(salt.as_bytes(), 0))
    }
}

/// A user's sticky value. A pseudonym, not anonymous: who has the salt and a list of keys can undo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit(pub u64);

impl Unit {
    /// The unit of a sticky key under the seed of `sticky.salt`.
    #[must_use]
    pub fn of(key: &[u8], seed: Seed) -> Self {
        Self(xxh64(key, seed.0))
    }

    /// Reads the wire form: exactly 16 lowercase hex digits, nothing else.
    #[must_use]
    pub fn parse(wire: &[u8]) -> Option<Self> {
        if wire.len() != 16 {
            return None;
        }
        wire.iter()
            .try_fold(0u64, |sum, digit| {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                Some((sum << 4) | u64::from(value))
            })
            .map(Self)
    }

    /// The wire form: 16 lowercase hex digits.
    #[must_use]
    pub fn wire(self) -> [u8; 16] {
        let mut digits = [0u8; 16];
        for (place, digit) in digits.iter_mut().rev().enumerate() {
            let nibble = (self.0 >> (4 * place)) as u8 & 0xf;
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        digits
    }

    /// The point of this unit in the rollout of that seed.
    #[must_use]
    pub fn point(self, rollout: Seed) -> u64 {
        xxh64(&self.0.to_be_bytes(), rollout.0)
    }

    /// The bucket of this unit in the rollout of that seed, 0 to 9999.
    #[must_use]
    pub fn bucket(self, rollout: Seed) -> u16 {
        let point = self.point(rollout);
        // 64 bits times 10,000, shifted back by 64: always below 10,000, so the cast loses nothing.
        ((u128::from(point) * u128::from(BUCKETS)) >> 64) as u16
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_sixteen_lowercase_digits_and_reads_back() {
        for unit in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX].map(Unit) {
            assert_eq!(unit.wire(), unit.to_string().as_bytes());
            assert_eq!(Unit::parse(&unit.wire()), Some(unit));
        }
        for wrong in
            ["", "0", "0123456789ABCDEF", "0123456789abcdeg", "+123456789abcdef", "0123456789abcdef0"]
        {
            assert_eq!(Unit::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}

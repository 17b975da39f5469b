//! Units by a keyed hash, algorithm v2: who reads units and has no key cannot test guesses of a user's id. Fixed, as v1 is.
//!
//! ```text
//! unit = SipHash-2-4(key = 16 bytes, XXH64(sticky.salt, 0) as 8 big-endian bytes, then the user's key)
//! ```
//!
//! Point and bucket are those of v1. SipHash-2-4 with 64 bits, as in Aumasson and Bernstein, "SipHash: a fast short-input PRF"
//! (2012). Only gateways have the key; units of request and trace ids, which every proxy makes, stay those of v1. Golden vectors:
//! `tests/vectors/`.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;
use xxhash_rust::xxh64::xxh64;

use super::sticky::{Seed, Unit};

/// What a key has to look like.
pub const KEY_RULE: &str = "32 lowercase hex digits, as `openssl rand -hex 16` prints";

/// The key of the hash. Nothing prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey([u8; 16]);

impl HashKey {
    /// Reads a key: 32 lowercase hex digits, white space around them. None: it is none, and says nothing of what it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.trim_ascii().as_bytes().split_at_checked(16)?;
        let halves = [Unit::parse(high)?, Unit::parse(low)?];
        let mut bytes = [0; 16];
        for (to, half) in bytes.chunks_exact_mut(8).zip(halves) {
            to.copy_from_slice(&half.0.to_be_bytes());
        }
        Some(Self(bytes))
    }

    /// The unit of a sticky key under the seed of `sticky.salt`.
    #[must_use]
    pub fn unit(&self, key: &[u8], seed: Seed) -> Unit {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&seed.0.to_be_bytes());
        hasher.write(key);
        Unit(hasher.finish())
    }
}

/// What makes units of users' keys, where one file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Algorithm 1, by this seed.
    Open(Seed),
    /// Algorithm 2.
    Keyed(Seed, HashKey),
}

impl Units {
    /// The unit of a user's key.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> Unit {
        match self {
            Self::Open(seed) => Unit::of(key, *seed),
            Self::Keyed(seed, hash) => hash.unit(key, *seed),
        }
    }
}

impl HashKey {
    /// A key of no secret at all, for users who are made up: which of them move differs with the key, how many does not.
    #[must_use]
    pub fn made_up(id: &str) -> Self {
        let halves = [0, 1].map(|seed| xxh64(id.as_bytes(), seed).to_be_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(halves.iter().flatten()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f";

    #[test]
    fn a_key_is_thirty_two_digits_and_is_not_shown() {
        let key = HashKey::parse(KEY).unwrap();
        assert_eq!(key.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(HashKey::parse(&format!(" {KEY}\n")), Some(key), "as files and Secrets have it");
        assert_eq!(format!("{key:?}"), "HashKey");
        for wrong in [
            "",
            &KEY[1..],
            &KEY[..16],
            &format!("{KEY}00"),
            &KEY.to_uppercase(),
            "AAECAwQFBgcICQoLDA0ODw==",
            "é".repeat(16).as_str(),
        ] {
            assert_eq!(HashKey::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn it_is_siphash_as_its_authors_publish_it() {
        // The salt's seed stands for the first eight bytes.
        let (key, bytes) = (HashKey::parse(KEY).unwrap(), Vec::from_iter(8..64u8));
        let rows = include_str!("../../../tests/vectors/siphash24.csv").lines().skip(1);
        let mut seen = 0;
        for (length, want) in rows.filter_map(|row| row.split_once(',')) {
            let Some(rest) = length.parse::<usize>().unwrap().checked_sub(8) else { continue };
            let hash = key.unit(&bytes[..rest], Seed(0x0001_0203_0405_0607)).0;
            assert_eq!(format!("{hash:016x}"), want, "{length}");
            seen += 1;
        }
        assert_eq!(seen, 56);
    }

    #[test]
    fn another_key_or_salt_makes_other_units() {
        let (key, other) = (HashKey::parse(KEY).unwrap(), HashKey::parse(&KEY.replace('0', "1")).unwrap());
        let (shop, bank) = (Seed::of("shop"), Seed::of("bank"));
        let all = [
            key.unit(b"alice", shop),
            key.unit(b"alice", bank),
            other.unit(b"alice", shop),
            Unit::of(b"alice", shop),
        ];
        for (index, unit) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|one| one == unit), Some(index));
        }
    }
}

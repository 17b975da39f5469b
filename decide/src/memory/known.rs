//! What this VM itself wrote a short while ago: it need not be written again.
//!
//! Only writes are spared, never reads: another worker may meanwhile have found the id ambiguous, and that stands in
//! the shared slot alone.

use crate::memory::Sighting;

const SIZE: usize = 2048;

#[derive(Clone, Copy, Debug)]
struct Pair {
    fingerprint: u64,
    sighting: Sighting,
    fresh_until: u64,
}

/// A direct-mapped table, filled as it is used.
#[derive(Debug, Default)]
pub struct Known {
    pairs: Vec<Option<Pair>>,
}

impl Known {
    fn place(fingerprint: u64) -> usize {
        (fingerprint % SIZE as u64) as usize
    }

    /// Was exactly this written, and will it live for half a life yet?
    pub fn is_fresh(&self, fingerprint: u64, sighting: Sighting, now: u64) -> bool {
        let pair = self.pairs.get(Self::place(fingerprint)).copied().flatten();
        pair.is_some_and(|pair| {
            pair.fingerprint == fingerprint && pair.sighting == sighting && now < pair.fresh_until
        })
    }

    /// It was written now.
    pub fn put(&mut self, fingerprint: u64, sighting: Sighting, now: u64, life: u64) {
        if self.pairs.is_empty() {
            self.pairs.resize(SIZE, None);
        }
        if let Some(pair) = self.pairs.get_mut(Self::place(fingerprint)) {
            *pair = Some(Pair { fingerprint, sighting, fresh_until: now.saturating_add(life / 2) });
        }
    }
}

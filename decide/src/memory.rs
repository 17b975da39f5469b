//! What came in under a request id or a trace id, so that it can be restored on the way out.
//!
//! Inbound and outbound of one causal chain run on different worker threads, so this lives in the host's shared
//! data: a map without life times, limits or removal, which other plugins of that Envoy can write to as well. So it
//! is a fixed number of [`SLOTS`], each a set of eight entries (see [`slot`]); whatever is read is checked, the
//! oldest entry is overwritten. A secret seeds slot and fingerprint, or a client could aim at one slot.
//!
//! Limit: requests of the default tenant are stored only where something needs it (a unit, or a worker's pod). A
//! live request that reuses the trace id of a gray one at the same pod within its life may be restored as gray.

mod known;
mod slot;

use xxhash_rust::xxh64::xxh64;

use crate::sticky::Unit;
use crate::tenants::Tag;
use crate::trace::Ids;

use known::Known;
pub use slot::WAYS;
use slot::{Found, Noted, Slot};

/// How many slots there are; a power of two.
pub const SLOTS: u32 = 8192;

/// Longest life of an entry, in seconds.
pub const MAX_SECONDS: u32 = 3600;

/// Key of the secret in the host's shared data.
pub const SECRET_KEY: &str = "graylane/secret";

/// A compare-and-set number that no stored value ever has: Envoy counts up from 1, so writing with it stores only
/// where there is nothing yet (`SharedData::set` in proxy-wasm-cpp-host/src/shared_data.cc).
pub const IF_ABSENT: u32 = u32::MAX;

/// How often a write is tried again that another worker came in between.
const TRIES: u32 = 3;

/// The host's shared data, slot by slot.
pub trait Store {
    /// The value of a slot and its compare-and-set number.
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)>;
    /// Writes a slot if its number is still `cas`; [`IF_ABSENT`]: if there is none.
    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Saved;
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored.
    Yes,
    /// Somebody else wrote in between.
    Changed,
    /// The host would not.
    Failed,
}

/// What the memory holds under a request's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// None of the ids was seen, as far as it knows.
    Unknown,
    /// An id was seen, but with two tenants or two units: nothing may be restored from it.
    Ambiguous,
    /// What was seen.
    Found {
        /// The tenant.
        tenant: Tag,
        /// The unit, if one came with it.
        unit: Option<Unit>,
    },
}

/// What is to be remembered of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its tenant.
    pub tenant: Tag,
    /// Its unit, if one came with it.
    pub unit: Option<Unit>,
}

/// Counts that an operator wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Live entries that had to make room.
    pub evicted: u32,
    /// Ids that could not be written: the host refused, or other workers kept coming in between.
    pub lost: u32,
}

/// The memory of one VM: the secret it shares with the others, and a small copy of what it wrote itself.
#[derive(Debug)]
pub struct Memory {
    /// For request ids, and for trace ids.
    seeds: [u64; 2],
    known: Known,
}

/// The hash of an id: its upper bits say which slot, all of it which entry there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    slot: u32,
    fingerprint: u64,
}

impl Memory {
    /// With the secret that all VMs of the process share.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        let seed = |purpose: &[u8]| xxh64(purpose, secret);
        Self { seeds: [seed(b"request id"), seed(b"trace id")], known: Known::default() }
    }

    /// Request id first, then trace id.
    fn marks(&self, ids: &Ids<'_>) -> [Option<Mark>; 2] {
        let [request, trace] = self.seeds;
        let mark = |bytes: &[u8], seed: u64| {
            let hash = xxh64(bytes, seed);
            // 0 stands for an empty entry.
            Mark { slot: (hash >> (64 - SLOTS.ilog2())) as u32, fingerprint: hash.max(1) }
        };
        [ids.request.map(|id| mark(id.bytes(), request)), ids.trace.map(|id| mark(id.hex(), trace))]
    }

    /// Remembers a request under each of its ids. `now` and `life` in milliseconds.
    ///
    /// An id that this VM wrote a short while ago, with the same tenant and unit, costs nothing.
    pub fn remember(
        &mut self,
        store: &mut impl Store,
        ids: &Ids<'_>,
        sighting: Sighting,
        now: u64,
        life: u64,
    ) -> Remembered {
        let mut result = Remembered::default();
        for mark in self.marks(ids).into_iter().flatten() {
            if self.known.is_fresh(mark.fingerprint, sighting, now) {
                continue;
            }
            match write(store, mark, sighting, now, life) {
                Some(noted) => {
                    result.evicted += u32::from(noted == Noted::Evicted);
                    self.known.put(mark.fingerprint, sighting, now, life);
                }
                None => result.lost += 1,
            }
        }
        result
    }

    /// Looks a request up: by request id, then by trace id. `now` in milliseconds.
    pub fn recall(&self, store: &mut impl Store, ids: &Ids<'_>, now: u64) -> Recall {
        let mut result = Recall::Unknown;
        for mark in self.marks(ids).into_iter().flatten() {
            let Some((value, _)) = store.load(mark.slot) else { continue };
            match Slot::read(value).find(mark.fingerprint, now) {
                Found::No => {}
                Found::Ambiguous => result = Recall::Ambiguous,
                Found::Yes(Sighting { tenant, unit }) => return Recall::Found { tenant, unit },
            }
        }
        result
    }
}

fn write(store: &mut impl Store, mark: Mark, sighting: Sighting, now: u64, life: u64) -> Option<Noted> {
    for _ in 0..TRIES {
        let (mut slot, cas) = match store.load(mark.slot) {
            Some((value, cas)) => (Slot::read(value), cas),
            None => (Slot::read(Vec::new()), IF_ABSENT),
        };
        let noted = slot.note(mark.fingerprint, sighting, now, life);
        if noted == Noted::Already {
            return Some(noted);
        }
        match store.save(mark.slot, slot.bytes(), cas) {
            Saved::Yes => return Some(noted),
            Saved::Changed => {}
            Saved::Failed => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests;

//! What came in under a request id or a trace id, so that it can be restored on the way out.
//!
//! Inbound and outbound of one causal chain run on different worker threads, so this lives in the host's shared
//! data: a map without life times, limits or removal, which other plugins of that Envoy can write to as well. So it
//! is a fixed number of [`SLOTS`], each a set of eight entries (see [`slot`]); whatever is read is checked, the
//! oldest entry is overwritten. A secret seeds slot and fingerprint, or a client could aim at one slot.
//!
//! Limit: requests of the default tenant are stored only where something needs it (a unit, or a worker's pod). A
//! live request that reuses the trace id of a gray one at the same pod within its life may be restored as gray.

pub mod cas;
mod known;
pub mod slot;

use xxhash_rust::xxh64::xxh64;

use crate::choice::sticky::Unit;
use crate::few::Few;
use crate::ids::{Id, Ids};
use crate::tenants::Tag;

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

/// The slots, wherever the host keeps them.
pub trait Store {
    /// Looks at a slot in place; `look` is not called where there is none yet.
    fn look<T>(&mut self, slot: u32, look: impl FnOnce(&slot::Bytes) -> T) -> Option<T>;
    /// Changes a slot in place, which [`slot::EMPTY`] stands for where there is none yet. A host that copies may call
    /// `change` several times, when others write in between; where it returns false there is nothing to write.
    fn change(&mut self, slot: u32, change: impl FnMut(&mut slot::Bytes) -> bool) -> Saved;
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored, or there was nothing to write.
    Yes,
    /// Others kept writing in between, or the host would not.
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

/// What to remember of a request.
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

/// An id as the memory knows it: its hash. The upper bits say which slot, all of it which entry there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u64);

impl Mark {
    fn of(bytes: &[u8], seed: u64) -> Self {
        // 0 stands for an empty entry.
        Self(xxh64(bytes, seed).max(1))
    }

    fn slot(self) -> u32 {
        (self.0 >> (64 - SLOTS.ilog2())) as u32
    }
}

/// The ids of a request as the memory knows them, in their order. Nothing of the request is borrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Few<Mark, 3>);

impl Marks {
    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The memory of one VM: the secret it shares with the others, and a small copy of what it wrote itself.
#[derive(Debug)]
pub struct Memory {
    secret: u64,
    /// For request ids, and for trace ids.
    seeds: [u64; 2],
    known: Known,
}

impl Memory {
    /// With the secret that all VMs of the process share.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        let seed = |purpose: &[u8]| xxh64(purpose, secret);
        Self { secret, seeds: [seed(b"request id"), seed(b"trace id")], known: Known::default() }
    }

    /// What it knows the ids of a request by.
    #[must_use]
    pub fn marks(&self, ids: &Ids<'_>) -> Marks {
        let [request, trace] = self.seeds;
        let mark = |id: Id<'_>| match id {
            Id::Request(id) => id.with_bytes(|bytes| Mark::of(bytes, request)),
            Id::Trace(id) => Mark::of(id.low(), trace),
            // Under a seed of its kind, so that two headers of one value are two ids.
            Id::Whole { kind, value } => Mark::of(value, xxh64(kind, self.secret)),
        };
        Marks(ids.iter().map(mark).collect())
    }

    /// Remembers a request under each of its ids. `now` and `life` in milliseconds.
    ///
    /// An id that this VM wrote a short while ago, with the same tenant and unit, costs nothing.
    pub fn remember(
        &mut self,
        store: &mut impl Store,
        marks: &Marks,
        sighting: Sighting,
        now: u64,
        life: u64,
    ) -> Remembered {
        let mut result = Remembered::default();
        for mark in marks.0.iter() {
            if self.known.is_fresh(mark.0, sighting, now) {
                continue;
            }
            let mut noted = Noted::Already;
            let saved = store.change(mark.slot(), |bytes| {
                noted = Slot::new(bytes).note(mark.0, sighting, now, life);
                noted != Noted::Already
            });
            match saved {
                Saved::Yes => {
                    result.evicted += u32::from(noted == Noted::Evicted);
                    self.known.put(mark.0, sighting, now, life);
                }
                Saved::Failed => result.lost += 1,
            }
        }
        result
    }

    /// Looks a request up, by one id after the other. `now` in milliseconds.
    pub fn recall(&self, store: &mut impl Store, marks: &Marks, now: u64) -> Recall {
        let mut result = Recall::Unknown;
        for mark in marks.0.iter() {
            match store.look(mark.slot(), |bytes| slot::find(bytes, mark.0, now)) {
                None | Some(Found::No) => {}
                Some(Found::Ambiguous) => result = Recall::Ambiguous,
                Some(Found::Yes(Sighting { tenant, unit })) => return Recall::Found { tenant, unit },
            }
        }
        result
    }
}

#[cfg(test)]
mod tests;

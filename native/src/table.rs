//! The memory's slots: one table for all workers, each slot behind a lock of its own.
//!
//! All of it is zero at first, so it takes no room in the file and only those pages of memory that were written to.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use graylane_decide::memory::slot::{Bytes, EMPTY};
use graylane_decide::memory::{Memory, SLOTS, Saved, Store};

static TABLE: [Mutex<Bytes>; SLOTS as usize] = [const { Mutex::new(EMPTY) }; SLOTS as usize];

/// Seeds the memories of all workers. A client who knew it could aim at one slot.
static SECRET: LazyLock<u64> = LazyLock::new(random);

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(*SECRET));
}

/// Random bits; not for keys of cryptography.
pub fn random() -> u64 {
    RandomState::new().hash_one(0u8)
}

/// This worker's memory, over the slots of all.
pub fn with_memory<T>(use_it: impl FnOnce(&mut Memory, &mut Table) -> T) -> T {
    MEMORY.with_borrow_mut(|memory| use_it(memory, &mut Table))
}

/// The slots.
pub struct Table;

impl Table {
    /// A panic while a slot was locked leaves bytes that are checked when they are read.
    fn slot(slot: u32) -> Option<MutexGuard<'static, Bytes>> {
        let slot = TABLE.get(slot as usize)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for Table {
    fn look<T>(&mut self, slot: u32, look: impl FnOnce(&Bytes) -> T) -> Option<T> {
        Some(look(&*Self::slot(slot)?))
    }

    fn change(&mut self, slot: u32, mut change: impl FnMut(&mut Bytes) -> bool) -> Saved {
        let Some(mut slot) = Self::slot(slot) else { return Saved::Failed };
        change(&mut slot);
        Saved::Yes
    }
}

#[cfg(test)]
mod tests {
    use graylane_decide::choice::sticky::Unit;
    use graylane_decide::ids::{Id, Ids};
    use graylane_decide::memory::{Recall, Sighting};
    use graylane_decide::tenants::Tag;

    use super::*;

    #[test]
    fn what_one_worker_saw_another_knows() {
        let value = b"8c1f0f64-a7d9-4b0d-a123-8f4ce92a77b1";
        let ids: Ids<'_> = [Id::Whole { kind: b"x-cause", value }].into_iter().collect();
        let sighting = Sighting { tenant: Tag(7), unit: Some(Unit(9)) };
        let remember = || {
            with_memory(|memory, store| {
                let marks = memory.marks(&ids);
                memory.remember(store, &marks, sighting, 1_000, 60_000)
            })
        };
        let written = std::thread::scope(|scope| scope.spawn(remember).join().unwrap());
        assert_eq!((written.evicted, written.lost), (0, 0));
        let recalled = with_memory(|memory, store| memory.recall(store, &memory.marks(&ids), 2_000));
        assert_eq!(recalled, Recall::Found { tenant: Tag(7), unit: Some(Unit(9)) });
    }

    #[test]
    fn workers_at_one_slot_lose_nothing() {
        std::thread::scope(|scope| {
            for worker in 0..4u64 {
                scope.spawn(move || {
                    for round in 0..200u64 {
                        let change = |bytes: &mut Bytes| {
                            // A count in the last eight bytes.
                            let count = bytes.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
                            if let Some(last) = bytes.last_chunk_mut::<8>() {
                                *last = (count + 1).to_le_bytes();
                            }
                            true
                        };
                        assert_eq!(Table.change(SLOTS - 1, change), Saved::Yes, "{worker} {round}");
                    }
                });
            }
        });
        let count = Table.look(SLOTS - 1, |bytes| u64::from_le_bytes(*bytes.last_chunk().unwrap()));
        assert_eq!(count, Some(800));
        assert_eq!(Table.look(SLOTS, |_| ()), None);
    }
}

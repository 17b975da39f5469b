use std::collections::BTreeMap;

use super::*;
use crate::trace::{RequestId, TraceId};

/// The host's shared data, as Envoy has it.
#[derive(Default)]
struct Shared {
    slots: BTreeMap<u32, (Vec<u8>, u32)>,
    cas: u32,
    loads: u32,
    saves: u32,
    /// Other workers that come in between the next writes.
    rivals: u32,
}

impl Store for Shared {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.loads += 1;
        self.slots.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Saved {
        self.saves += 1;
        if self.rivals > 0 {
            self.rivals -= 1;
            return Saved::Changed;
        }
        match self.slots.get(&slot) {
            Some((_, is)) if *is != cas => return Saved::Changed,
            _ => {}
        }
        self.cas += 1;
        self.slots.insert(slot, (value.to_vec(), self.cas));
        Saved::Yes
    }
}

const LIFE: u64 = 30_000;
const NOW: u64 = 1_700_000_000_000;
const GRAY: Sighting = Sighting { tenant: Tag(7), unit: None };
const GREEN: Sighting = Sighting { tenant: Tag(8), unit: Some(Unit(5)) };

fn request(id: &str) -> Ids<'_> {
    Ids { request: RequestId::parse(id.as_bytes()), trace: None }
}

fn found(sighting: Sighting) -> Recall {
    Recall::Found { tenant: sighting.tenant, unit: sighting.unit }
}

#[test]
fn what_came_in_is_found_by_either_id_until_its_life_is_over() {
    let (mut memory, mut shared) = (Memory::new(1), Shared::default());
    let trace = TraceId::from_b3_trace(b"0af7651916cd43dd8448eb211c80319c");
    let both = Ids { trace, ..request("a") };
    memory.remember(&mut shared, &both, GRAY, NOW, LIFE);
    for ids in [both, request("a"), Ids { trace, request: None }, Ids { trace, ..request("other") }] {
        assert_eq!(memory.recall(&mut shared, &ids, NOW + LIFE - 1), found(GRAY), "{ids:?}");
        assert_eq!(memory.recall(&mut shared, &ids, NOW + LIFE), Recall::Unknown, "{ids:?}");
    }
    assert_eq!(memory.recall(&mut shared, &request("b"), NOW), Recall::Unknown);
    let other_process = Memory::new(2);
    assert_eq!(other_process.recall(&mut shared, &both, NOW), Recall::Unknown, "the secret seeds everything");
}

#[test]
fn two_tenants_or_two_units_under_one_id_restore_nothing() {
    let pairs = [(GRAY, GREEN), (GREEN, Sighting { unit: Some(Unit(6)), ..GREEN })];
    for (first, second) in pairs {
        let (mut memory, mut shared) = (Memory::new(1), Shared::default());
        memory.remember(&mut shared, &request("a"), first, NOW, LIFE);
        memory.remember(&mut shared, &request("a"), second, NOW, LIFE);
        assert_eq!(memory.recall(&mut shared, &request("a"), NOW), Recall::Ambiguous);
        memory.remember(&mut shared, &request("a"), first, NOW + 20_000, LIFE);
        let later = memory.recall(&mut shared, &request("a"), NOW + 40_000);
        assert_eq!(later, Recall::Ambiguous, "seen again, so for a whole life from then");
        assert_eq!(memory.recall(&mut shared, &request("a"), NOW + 50_000), Recall::Unknown);
    }
}

#[test]
fn a_unit_that_comes_later_is_learnt_and_one_that_is_lost_is_kept() {
    let (mut memory, mut shared) = (Memory::new(1), Shared::default());
    let bare = Sighting { unit: None, ..GREEN };
    for sighting in [bare, GREEN, bare] {
        memory.remember(&mut shared, &request("a"), sighting, NOW, LIFE);
    }
    assert_eq!(memory.recall(&mut shared, &request("a"), NOW), found(GREEN));
}

#[test]
fn writing_the_same_again_costs_nothing_until_half_the_life_is_over() {
    let (mut memory, mut shared) = (Memory::new(1), Shared::default());
    let mut remember = |memory: &mut Memory, now| {
        let before = (shared.loads, shared.saves);
        memory.remember(&mut shared, &request("a"), GRAY, now, LIFE);
        (shared.loads - before.0, shared.saves - before.1)
    };
    assert_eq!(remember(&mut memory, NOW), (1, 1));
    assert_eq!(remember(&mut memory, NOW + LIFE / 2 - 1), (0, 0));
    assert_eq!(remember(&mut Memory::new(1), NOW + 1), (1, 0), "another worker reads, and need not write");
    assert_eq!(remember(&mut memory, NOW + LIFE / 2 + 1), (1, 1));
}

#[test]
fn a_rival_is_waited_out_three_times() {
    for (rivals, lost) in [(0, 0), (2, 0), (3, 1)] {
        let mut shared = Shared { rivals, ..Shared::default() };
        let result = Memory::new(1).remember(&mut shared, &request("a"), GRAY, NOW, LIFE);
        assert_eq!(result, Remembered { evicted: 0, lost }, "{rivals} rivals");
    }
}

#[test]
fn foreign_bytes_read_as_nothing() {
    let (mut memory, mut shared) = (Memory::new(1), Shared::default());
    let mark = memory.marks(&request("a"))[0].unwrap();
    memory.remember(&mut shared, &request("a"), GRAY, NOW, LIFE);
    let good = shared.slots[&mark.slot].0.clone();
    let mut far_future = good.clone();
    far_future[8 + 24 + 5] = 0xff;
    let hostile = [vec![], vec![0xff; 264], good[..263].to_vec(), b"graylan2".repeat(33), far_future];
    for value in hostile {
        shared.slots.insert(mark.slot, (value.clone(), 99));
        assert_eq!(memory.recall(&mut shared, &request("a"), NOW), Recall::Unknown, "{value:?}");
        let written = Memory::new(1).remember(&mut shared, &request("a"), GRAY, NOW, LIFE);
        assert_eq!(written, Remembered::default());
        assert_eq!(memory.recall(&mut shared, &request("a"), NOW), found(GRAY), "and is written over");
    }
}

#[test]
fn the_oldest_gives_way_and_is_counted() {
    let mut slot = Slot::read(Vec::new());
    for id in 1..=WAYS as u64 {
        assert_eq!(slot.note(id, GRAY, NOW + id, LIFE), Noted::Written);
    }
    assert_eq!(slot.note(100, GRAY, NOW + 100, LIFE), Noted::Evicted);
    assert_eq!(slot.find(1, NOW + 100), Found::No);
    assert_eq!(slot.find(2, NOW + 100), Found::Yes(GRAY));
    assert_eq!(
        slot.note(101, GRAY, NOW + LIFE + 5, LIFE),
        Noted::Written,
        "the dead go first, and are not counted"
    );
    assert_eq!(slot.find(8, NOW + LIFE + 5), Found::Yes(GRAY));
}

#[test]
fn ten_thousand_live_ids_are_found_again_and_none_that_was_not_seen() {
    let (mut memory, mut shared) = (Memory::new(42), Shared::default());
    let ids: Vec<String> = (0..10_000).map(|n| format!("{n:08}-0000-4000-8000-000000000000")).collect();
    let traces: Vec<String> = (1..=10_000u32).map(|n| format!("{n:032x}")).collect();
    let both = |n: usize| Ids { trace: TraceId::from_b3_trace(traces[n].as_bytes()), ..request(&ids[n]) };
    for n in 0..10_000 {
        memory.remember(&mut shared, &both(n), GRAY, NOW, LIFE);
    }
    let count = |pick: fn(Ids<'_>) -> Ids<'_>, shared: &mut Shared| {
        (0..10_000).filter(|n| memory.recall(shared, &pick(both(*n)), NOW) == found(GRAY)).count()
    };
    for (what, pick) in [
        ("request id", (|ids| Ids { trace: None, ..ids }) as fn(Ids<'_>) -> Ids<'_>),
        ("trace id", |ids| Ids { request: None, ..ids }),
        ("either", |ids| ids),
    ] {
        let hits = count(pick, &mut shared);
        assert!(hits >= 9_990, "{hits} of 10000 by {what}");
    }
    for n in 0..10_000 {
        let strange = format!("{n:08}-0000-4000-8000-00000000000f");
        assert_eq!(memory.recall(&mut shared, &request(&strange), NOW), Recall::Unknown);
    }
    assert!(shared.slots.len() <= SLOTS as usize);
}

use std::collections::BTreeMap;

use super::cas::{ByCas, SharedData, Write};
use super::slot::{Bytes, EMPTY};
use super::*;
use crate::ids::{RequestId, trace::from_b3_trace};

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

impl SharedData for Shared {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.loads += 1;
        self.slots.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Write {
        self.saves += 1;
        if self.rivals > 0 {
            self.rivals -= 1;
            return Write::Changed;
        }
        match self.slots.get(&slot) {
            Some((_, is)) if *is != cas => return Write::Changed,
            _ => {}
        }
        self.cas += 1;
        self.slots.insert(slot, (value.to_vec(), self.cas));
        Write::Done
    }
}

const LIFE: u64 = 30_000;
const NOW: u64 = 1_700_000_000_000;
const GRAY: Sighting = Sighting { tenant: Tag(7), unit: None };
const GREEN: Sighting = Sighting { tenant: Tag(8), unit: Some(Unit(5)) };

/// A memory over shared data, asked by ids.
struct Pod(Memory, ByCas<Shared>);

impl Pod {
    fn new(secret: u64) -> Self {
        Self(Memory::new(secret), ByCas::default())
    }

    fn remember(&mut self, ids: &Ids<'_>, sighting: Sighting, now: u64) -> Remembered {
        let marks = self.0.marks(ids);
        self.0.remember(&mut self.1, &marks, sighting, now, LIFE)
    }

    fn recall(&mut self, ids: &Ids<'_>, now: u64) -> Recall {
        let marks = self.0.marks(ids);
        self.0.recall(&mut self.1, &marks, now)
    }

    fn shared(&mut self) -> &mut Shared {
        &mut self.1.0
    }
}

fn ids<'a>(request: &'a str, trace: &str) -> Ids<'a> {
    let request = RequestId::parse(request.as_bytes()).map(Id::Request);
    request.into_iter().chain(from_b3_trace(trace.as_bytes()).map(Id::Trace)).collect()
}

fn request(id: &str) -> Ids<'_> {
    ids(id, "")
}

fn found(sighting: Sighting) -> Recall {
    Recall::Found { tenant: sighting.tenant, unit: sighting.unit }
}

#[test]
fn what_came_in_is_found_by_either_id_until_its_life_is_over() {
    let mut pod = Pod::new(1);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    pod.remember(&ids("a", trace), GRAY, NOW);
    for ids in [ids("a", trace), request("a"), ids("", trace), ids("other", trace), ids("", &trace[16..])] {
        assert_eq!(pod.recall(&ids, NOW + LIFE - 1), found(GRAY), "{ids:?}");
        assert_eq!(pod.recall(&ids, NOW + LIFE), Recall::Unknown, "{ids:?}");
    }
    assert_eq!(pod.recall(&request("b"), NOW), Recall::Unknown);
    pod.0 = Memory::new(2);
    assert_eq!(pod.recall(&ids("a", trace), NOW), Recall::Unknown, "the secret seeds everything");
}

#[test]
fn each_kind_of_id_is_another_id() {
    let mut pod = Pod::new(1);
    let of = |kind: &'static [u8]| [Id::Whole { kind, value: b"a" }].into_iter().collect::<Ids<'_>>();
    pod.remember(&of(b"x-correlation-id"), GRAY, NOW);
    assert_eq!(pod.recall(&of(b"x-correlation-id"), NOW), found(GRAY));
    for other in [of(b"x-batch-id"), request("a")] {
        assert_eq!(pod.recall(&other, NOW), Recall::Unknown);
    }
}

#[test]
fn two_tenants_or_two_units_under_one_id_restore_nothing() {
    let pairs = [(GRAY, GREEN), (GREEN, Sighting { unit: Some(Unit(6)), ..GREEN })];
    for (first, second) in pairs {
        let mut pod = Pod::new(1);
        pod.remember(&request("a"), first, NOW);
        pod.remember(&request("a"), second, NOW);
        assert_eq!(pod.recall(&request("a"), NOW), Recall::Ambiguous);
        pod.remember(&request("a"), first, NOW + 20_000);
        let later = pod.recall(&request("a"), NOW + 40_000);
        assert_eq!(later, Recall::Ambiguous, "seen again, so for a whole life from then");
        assert_eq!(pod.recall(&request("a"), NOW + 50_000), Recall::Unknown);
    }
}

#[test]
fn a_unit_that_comes_later_is_learnt_and_one_that_is_lost_is_kept() {
    let mut pod = Pod::new(1);
    let bare = Sighting { unit: None, ..GREEN };
    for sighting in [bare, GREEN, bare] {
        pod.remember(&request("a"), sighting, NOW);
    }
    assert_eq!(pod.recall(&request("a"), NOW), found(GREEN));
}

#[test]
fn writing_the_same_again_costs_nothing_until_half_the_life_is_over() {
    let mut pod = Pod::new(1);
    let remember = |pod: &mut Pod, now| {
        let before = (pod.shared().loads, pod.shared().saves);
        pod.remember(&request("a"), GRAY, now);
        (pod.shared().loads - before.0, pod.shared().saves - before.1)
    };
    assert_eq!(remember(&mut pod, NOW), (1, 1));
    assert_eq!(remember(&mut pod, NOW + LIFE / 2 - 1), (0, 0));
    let own = std::mem::replace(&mut pod.0, Memory::new(1));
    assert_eq!(remember(&mut pod, NOW + 1), (1, 0), "another worker reads, and need not write");
    pod.0 = own;
    assert_eq!(remember(&mut pod, NOW + LIFE / 2 + 1), (1, 1));
}

#[test]
fn a_rival_is_waited_out_three_times() {
    for (rivals, lost) in [(0, 0), (2, 0), (3, 1)] {
        let mut pod = Pod::new(1);
        pod.shared().rivals = rivals;
        let result = pod.remember(&request("a"), GRAY, NOW);
        assert_eq!(result, Remembered { evicted: 0, lost }, "{rivals} rivals");
    }
}

#[test]
fn foreign_bytes_read_as_nothing() {
    let mut pod = Pod::new(1);
    pod.remember(&request("a"), GRAY, NOW);
    let slot = pod.0.marks(&request("a")).0.iter().next().unwrap().slot();
    let good = pod.shared().slots[&slot].0.clone();
    let mut far_future = good.clone();
    far_future[8 + 24 + 5] = 0xff;
    let hostile = [vec![], vec![0xff; 264], good[..263].to_vec(), b"graylan2".repeat(33), far_future];
    for value in hostile {
        pod.shared().slots.insert(slot, (value.clone(), 99));
        assert_eq!(pod.recall(&request("a"), NOW), Recall::Unknown, "{value:?}");
        pod.0 = Memory::new(1);
        assert_eq!(pod.remember(&request("a"), GRAY, NOW), Remembered::default());
        assert_eq!(pod.recall(&request("a"), NOW), found(GRAY), "and is written over");
    }
}

#[test]
fn the_oldest_gives_way_and_is_counted() {
    let mut bytes: Bytes = EMPTY;
    let mut note = |id, now| Slot::new(&mut bytes).note(id, GRAY, now, LIFE);
    for id in 1..=WAYS as u64 {
        assert_eq!(note(id, NOW + id), Noted::Written);
    }
    assert_eq!(note(100, NOW + 100), Noted::Evicted);
    assert_eq!(slot::find(&bytes, 1, NOW + 100), Found::No);
    assert_eq!(slot::find(&bytes, 2, NOW + 100), Found::Yes(GRAY));
    let mut note = |id, now| Slot::new(&mut bytes).note(id, GRAY, now, LIFE);
    assert_eq!(note(101, NOW + LIFE + 5), Noted::Written, "the dead go first, and are not counted");
    assert_eq!(slot::find(&bytes, 8, NOW + LIFE + 5), Found::Yes(GRAY));
}

#[test]
fn ten_thousand_live_ids_are_found_again_and_none_that_was_not_seen() {
    let mut pod = Pod::new(42);
    let requests: Vec<String> = (0..10_000).map(|n| format!("{n:08}-0000-4000-8000-000000000000")).collect();
    let traces: Vec<String> = (1..=10_000u32).map(|n| format!("{n:032x}")).collect();
    for n in 0..10_000 {
        pod.remember(&ids(&requests[n], &traces[n]), GRAY, NOW);
    }
    type Pick = fn(&'static str, &'static str) -> (&'static str, &'static str);
    let picks: [(&str, Pick); 3] = [
        ("request id", |request, _| (request, "")),
        ("trace id", |_, trace| ("", trace)),
        ("either", |request, trace| (request, trace)),
    ];
    let (requests, traces) = (requests.leak(), traces.leak());
    for (what, pick) in picks {
        let hits = (0..10_000).filter(|n| {
            let (request, trace) = pick(&requests[*n], &traces[*n]);
            pod.recall(&ids(request, trace), NOW) == found(GRAY)
        });
        let hits = hits.count();
        assert!(hits >= 9_990, "{hits} of 10000 by {what}");
    }
    for n in 0..10_000 {
        let strange = format!("{n:08}-0000-4000-8000-00000000000f");
        assert_eq!(pod.recall(&request(&strange), NOW), Recall::Unknown);
    }
    assert!(pod.shared().slots.len() <= SLOTS as usize);
}

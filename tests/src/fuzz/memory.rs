//! The memory over a store in which another plugin writes what it likes; and, over one of its own, against a model.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::choice::sticky::Unit;
use graylane_decide::ids::{Id, Ids, RequestId};
use graylane_decide::memory::cas::{ByCas, IF_ABSENT, SharedData, Write};
use graylane_decide::memory::{Memory, Recall, Sighting};
use graylane_decide::tenants::Tag;

#[derive(Default)]
struct Shared {
    map: BTreeMap<u32, (Vec<u8>, u32)>,
    writes: u32,
    refuses: u8,
}

impl SharedData for Shared {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.map.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Write {
        self.writes += 1;
        match self.refuses % 4 {
            1 => return Write::Refused,
            2 if self.writes.is_multiple_of(2) => return Write::Changed,
            _ => {}
        }
        match self.map.get(&slot) {
            Some((_, is)) if *is != cas => return Write::Changed,
            None if cas != IF_ABSENT => return Write::Changed,
            _ => {}
        }
        self.map.insert(slot, (value.to_vec(), self.writes));
        Write::Done
    }
}

/// Reads the bytes as what happens: remember, recall, time passes, a stranger writes.
///
/// # Panics
/// When anything does, or a tenant is found that was not seen under that id.
pub fn memory(data: &[u8]) {
    let Some((head, mut rest)) = data.split_first() else { return };
    let hostile = head & 1 == 1;
    let mut store = ByCas(Shared { refuses: head >> 1, ..Shared::default() });
    let mut vms = [Memory::new(7), Memory::new(7)];
    let mut now = 1_700_000_000_000u64;
    let mut seen: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
    while let Some((operation, tail)) = rest.split_first() {
        let (a, b) = (tail.first().copied().unwrap_or(0), tail.get(1).copied().unwrap_or(0));
        rest = tail.get(2..).unwrap_or_default();
        let id = [b'i', a % 24];
        let ids: Ids<'_> = RequestId::parse(&id).map(Id::Request).into_iter().collect();
        let vm = &mut vms[usize::from(operation >> 4 & 1)];
        let marks = vm.marks(&ids);
        match operation % 4 {
            0 => {
                let tenant = u64::from(b % 5) + 1;
                seen.entry(a % 24).or_default().insert(tenant);
                let unit = (b & 8 != 0).then_some(Unit(u64::from(b >> 4)));
                vm.remember(&mut store, &marks, Sighting { tenant: Tag(tenant), unit }, now, 1000);
            }
            1 => {
                let recall = vm.recall(&mut store, &marks, now);
                if let (false, Recall::Found { tenant, .. }) = (hostile, recall) {
                    let known = seen.get(&(a % 24));
                    assert!(known.is_some_and(|known| known.contains(&tenant.0)), "{a} {tenant:?} {seen:?}");
                }
            }
            2 => now = now.wrapping_add(u64::from(a) * 16).wrapping_sub(if b > 250 { 1 << 40 } else { 0 }),
            _ if hostile => {
                let length = (usize::from(b) * 2).min(rest.len());
                let (written, tail) = rest.split_at(length);
                rest = tail;
                let mut value = written.to_vec();
                if a & 1 == 1 {
                    value = [b"graylan1".as_slice(), written].concat();
                    value.resize(264, a);
                }
                store.0.map.values_mut().for_each(|(slot, cas)| {
                    slot.clone_from(&value);
                    *cas = cas.wrapping_add(1000);
                });
            }
            _ => {}
        }
    }
}

//! One slot: eight entries, of which the oldest gives way.
//!
//! On the wire: 8 bytes of magic, then per entry 32 bytes, all numbers little-endian: fingerprint, tenant tag, unit,
//! and a word with the expiry (48 bits, milliseconds since 1970) below the flags (16 bits). Whatever does not look
//! so (another plugin wrote it, another version) reads as empty.

use crate::choice::sticky::Unit;
use crate::memory::{MAX_SECONDS, Sighting};
use crate::tenants::Tag;

/// How many entries a slot has.
pub const WAYS: usize = 8;

const MAGIC: [u8; 8] = *b"graylan1";
const ENTRY: usize = 32;
/// Length of a slot's wire form.
pub const SIZE: usize = MAGIC.len() + WAYS * ENTRY;

/// A slot's wire form.
pub type Bytes = [u8; SIZE];

/// A slot without entries; its magic is written with the first one.
pub const EMPTY: Bytes = [0; SIZE];

/// What a host stored, as a slot: anything that is not a slot reads as an empty one.
#[must_use]
pub fn of(value: &[u8]) -> Bytes {
    <Bytes>::try_from(value).unwrap_or(EMPTY)
}

const HAS_UNIT: u64 = 1 << 48;
const AMBIGUOUS: u64 = 1 << 49;
const TIME: u64 = (1 << 48) - 1;

/// What a slot knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing that is alive.
    No,
    /// It came with two tenants or two units.
    Ambiguous,
    /// What it came with.
    Yes(Sighting),
}

/// What noting an id did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The slot knows it, and for long enough yet: nothing to write.
    Already,
    /// Written into a free entry, or over its own older one.
    Written,
    /// Written over a live entry of another id.
    Evicted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    fingerprint: u64,
    tenant: u64,
    unit: u64,
    word: u64,
}

impl Entry {
    fn new(fingerprint: u64, sighting: Sighting, expiry: u64) -> Self {
        let flag = if sighting.unit.is_some() { HAS_UNIT } else { 0 };
        Self {
            fingerprint,
            tenant: sighting.tenant.0,
            unit: sighting.unit.map_or(0, |unit| unit.0),
            word: (expiry & TIME) | flag,
        }
    }

    fn read(bytes: &[u8; ENTRY]) -> Self {
        let mut words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        Self { fingerprint: next(), tenant: next(), unit: next(), word: next() }
    }

    fn bytes(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let words = [self.fingerprint, self.tenant, self.unit, self.word];
        for (to, from) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        bytes
    }

    fn expiry(&self) -> u64 {
        self.word & TIME
    }

    /// Alive, and by no more than any life allows: a clock that was set back, or foreign bytes, are not.
    fn is_live(&self, now: u64) -> bool {
        self.fingerprint != 0 && self.expiry() > now && self.expiry() - now <= u64::from(MAX_SECONDS) * 1000
    }

    fn unit(&self) -> Option<Unit> {
        (self.word & HAS_UNIT != 0).then_some(Unit(self.unit))
    }

    fn is_ambiguous(&self) -> bool {
        self.word & AMBIGUOUS != 0
    }

    fn contradicts(&self, sighting: Sighting) -> bool {
        let units = self.unit().zip(sighting.unit).is_some_and(|(a, b)| a != b);
        self.tenant != sighting.tenant.0 || units
    }
}

fn places(bytes: &Bytes) -> &[[u8; ENTRY]] {
    if !bytes.starts_with(&MAGIC) {
        return &[];
    }
    bytes.get(MAGIC.len()..).unwrap_or_default().as_chunks().0
}

/// The live entry of an id, and its place.
fn own(bytes: &Bytes, fingerprint: u64, now: u64) -> Option<(usize, Entry)> {
    let wanted = fingerprint.to_le_bytes();
    let mut places = places(bytes).iter().enumerate().filter(|(_, bytes)| bytes.starts_with(&wanted));
    places
        .find_map(|(place, bytes)| Some((place, Entry::read(bytes))).filter(|(_, entry)| entry.is_live(now)))
}

/// What a slot knows of an id.
#[must_use]
pub fn find(bytes: &Bytes, fingerprint: u64, now: u64) -> Found {
    match own(bytes, fingerprint, now) {
        None => Found::No,
        Some((_, entry)) if entry.is_ambiguous() => Found::Ambiguous,
        Some((_, entry)) => Found::Yes(Sighting { tenant: Tag(entry.tenant), unit: entry.unit() }),
    }
}

/// A slot that is written to, in place: only one or two of its entries matter.
pub struct Slot<'s>(&'s mut Bytes);

impl<'s> Slot<'s> {
    /// Takes what is stored; anything that is not a slot becomes an empty one.
    pub fn new(bytes: &'s mut Bytes) -> Self {
        if !bytes.starts_with(&MAGIC) {
            *bytes = EMPTY;
            if let Some((magic, _)) = bytes.split_first_chunk_mut() {
                *magic = MAGIC;
            }
        }
        Self(bytes)
    }

    fn write(&mut self, place: usize, entry: Entry) {
        let places = self.0.get_mut(MAGIC.len()..).unwrap_or_default().as_chunks_mut().0;
        if let Some(bytes) = places.get_mut(place) {
            *bytes = entry.bytes();
        }
    }

    /// Notes that an id came with this tenant and unit. An id that came with others while alive is ambiguous from
    /// then on, for a whole life after it was last seen.
    pub fn note(&mut self, fingerprint: u64, sighting: Sighting, now: u64, life: u64) -> Noted {
        let expiry = now.saturating_add(life);
        if let Some((place, entry)) = own(self.0, fingerprint, now) {
            let half_gone = entry.expiry() - now < life / 2;
            let learns = entry.unit().is_none() && sighting.unit.is_some();
            let contradicted = !entry.is_ambiguous() && entry.contradicts(sighting);
            if !half_gone && !learns && !contradicted {
                return Noted::Already;
            }
            let ambiguous = if contradicted || entry.is_ambiguous() { AMBIGUOUS } else { 0 };
            let unit = entry.unit().or(sighting.unit);
            let mut news = Entry::new(fingerprint, Sighting { tenant: Tag(entry.tenant), unit }, expiry);
            news.word |= ambiguous;
            self.write(place, news);
            return Noted::Written;
        }
        // A dead entry counts as older than any live one.
        let age = |bytes: &[u8; ENTRY]| {
            let entry = Entry::read(bytes);
            if entry.is_live(now) { entry.expiry() } else { 0 }
        };
        let ages = places(self.0).iter().map(age).enumerate();
        let Some((oldest, age)) = ages.min_by_key(|(_, age)| *age) else { return Noted::Already };
        self.write(oldest, Entry::new(fingerprint, sighting, expiry));
        if age > 0 { Noted::Evicted } else { Noted::Written }
    }
}

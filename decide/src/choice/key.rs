//! Sticky keys: where a user's own value is, and what unit it makes.

use super::keyed::HashKey;
use super::sticky::{Seed, Unit};
use crate::edge::facts::{self, Facts, Properties};
use crate::edge::network;
use crate::request::field::Value;
use crate::request::headers::{Asked, Interest, Seen};
use crate::request::{cookie, query};
use crate::world::World;
use crate::{config, names};

/// A place of a key, compiled. Numbers are indices of [`Properties`].
#[derive(Clone, Debug)]
enum KeyPlace {
    Header(Asked),
    /// And whether only a value counts that has the form of one that a gateway made.
    Cookie(Box<[u8]>, bool),
    Query(Box<[u8]>),
    Claim(usize),
    Source(usize),
}

/// A cookie that is made.
#[derive(Clone, Debug)]
struct Mint {
    name: Box<str>,
    attributes: Box<str>,
}

/// What makes units of keys.
#[derive(Clone, Copy, Debug)]
enum Hash {
    /// Algorithm 1.
    Open,
    /// Algorithm 2.
    Keyed(HashKey),
    /// Algorithm 2 without its key: there are no places then, so nothing is hashed, lest anybody can test guesses after all.
    Lacking,
}

/// Where keys are, in order: the first one present counts.
#[derive(Clone, Debug)]
pub struct Keys {
    seed: Seed,
    hash: Hash,
    places: Vec<KeyPlace>,
    mint: Option<Mint>,
}

impl Keys {
    /// Compiles the places and registers what it needs to see and ask.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(
        sticky: &config::Sticky,
        key: Option<HashKey>,
        interest: &mut Interest,
        properties: &mut Properties,
    ) -> Self {
        let mut mint = None;
        let places = sticky.keys.iter().map(|key| match key {
            config::Key::Header(name) => KeyPlace::Header(interest.ask(name)),
            config::Key::Cookie(cookie) => {
                interest.cookies = true;
                if let Some(attributes) = &cookie.mint {
                    let (name, attributes) = (cookie.name.as_str().into(), attributes.as_str().into());
                    mint = Some(Mint { name, attributes });
                }
                KeyPlace::Cookie(cookie.name.as_bytes().into(), cookie.minted)
            }
            config::Key::Query(name) => KeyPlace::Query(name.as_bytes().into()),
            config::Key::Claim(path) => KeyPlace::Claim(properties.claim(path)),
            config::Key::Source(_) => KeyPlace::Source(properties.ask(names::SOURCE_ADDRESS)),
        });
        let mut places: Vec<KeyPlace> = places.collect();
        let hash = match (&sticky.hash, key) {
            (None, _) => Hash::Open,
            (Some(_), Some(key)) => Hash::Keyed(key),
            (Some(_), None) => {
                (places, mint) = (Vec::new(), None);
                Hash::Lacking
            }
        };
        Self { seed: Seed::of(&sticky.salt), hash, places, mint }
    }

    /// Is there no key to hash with?
    #[must_use]
    pub fn lack_a_key(&self) -> bool {
        matches!(self.hash, Hash::Lacking)
    }

    /// The unit of the first key present, and its place among the keys. A header with several different values does not
    /// count as a key.
    #[must_use]
    pub fn unit<W: World>(&self, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> Option<(usize, Unit)> {
        self.places.iter().enumerate().find_map(|(index, place)| Some((index, self.at(place, seen, facts)?)))
    }

    fn at<W: World>(&self, place: &KeyPlace, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> Option<Unit> {
        match place {
            KeyPlace::Header(asked) => seen.asked(*asked).one().map(|key| self.of(key)),
            // Of another form it is somebody else's, and must not hide the one that a gateway made.
            KeyPlace::Cookie(name, minted) => {
                let fits = if *minted { |key: &[u8]| Unit::parse(key).is_some() } else { |_: &[u8]| true };
                cookie::first(&seen.cookies, name, fits).map(|key| self.of(key))
            }
            KeyPlace::Query(name) => query::with(seen.path, name, |value| match value {
                Value::One(key) => Some(self.of(key)),
                Value::Absent | Value::Mixed => None,
            }),
            KeyPlace::Claim(index) => facts.claim(*index).and_then(facts::one).map(|key| self.of(&key)),
            KeyPlace::Source(index) => {
                facts.get(*index).and_then(network::without_port).map(|key| self.of(key))
            }
        }
    }

    /// Makes a cookie for a user without any key: its unit, and the value of `Set-Cookie`. None where cookies are
    /// not made, or where there are no random bits.
    pub fn mint(&self, world: &mut impl World) -> Option<(Unit, String)> {
        let mint = self.mint.as_ref()?;
        let value = Unit(world.random()?).wire();
        let value = std::str::from_utf8(&value).ok()?;
        let cookie = [&mint.name, "=", value, &mint.attributes].concat();
        Some((self.of(value.as_bytes()), cookie))
    }

    /// The unit of a user's key.
    fn of(&self, key: &[u8]) -> Unit {
        match &self.hash {
            Hash::Keyed(hash) => hash.unit(key, self.seed),
            Hash::Open | Hash::Lacking => Unit::of(key, self.seed),
        }
    }

    /// The unit of an id of a request or trace. Every proxy makes it, so it never needs a key.
    #[must_use]
    pub fn of_id(&self, id: &[u8]) -> Unit {
        Unit::of(id, self.seed)
    }
}

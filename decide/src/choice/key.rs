//! Sticky keys: where a user's own value is, and what unit it makes.

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
    Cookie(Box<[u8]>),
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

/// Where keys are, in order: the first one present counts.
#[derive(Clone, Debug)]
pub struct Keys {
    seed: Seed,
    places: Vec<KeyPlace>,
    mint: Option<Mint>,
}

impl Keys {
    /// Compiles the places and registers what it needs to see and ask.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(sticky: &config::Sticky, interest: &mut Interest, properties: &mut Properties) -> Self {
        let mut mint = None;
        let places = sticky.keys.iter().map(|key| match key {
            config::Key::Header(name) => KeyPlace::Header(interest.ask(name)),
            config::Key::Cookie(cookie) => {
                interest.cookies = true;
                if let Some(attributes) = &cookie.mint {
                    let (name, attributes) = (cookie.name.as_str().into(), attributes.as_str().into());
                    mint = Some(Mint { name, attributes });
                }
                KeyPlace::Cookie(cookie.name.as_bytes().into())
            }
            config::Key::Query(name) => KeyPlace::Query(name.as_bytes().into()),
            config::Key::Claim(path) => KeyPlace::Claim(properties.claim(path)),
            config::Key::Source(_) => KeyPlace::Source(properties.ask(names::SOURCE_ADDRESS)),
        });
        let places = places.collect();
        Self { seed: Seed::of(&sticky.salt), places, mint }
    }

    /// The unit of the first key present. A header with several different values does not count as a key.
    #[must_use]
    pub fn unit<W: World>(&self, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> Option<Unit> {
        self.places.iter().find_map(|place| match place {
            KeyPlace::Header(asked) => seen.asked(*asked).one().map(|key| self.of(key)),
            KeyPlace::Cookie(name) => cookie::first(&seen.cookies, name).map(|key| self.of(key)),
            KeyPlace::Query(name) => query::with(seen.path, name, |value| match value {
                Value::One(key) => Some(self.of(key)),
                Value::Absent | Value::Mixed => None,
            }),
            KeyPlace::Claim(index) => facts.claim(*index).and_then(facts::one).map(|key| self.of(&key)),
            KeyPlace::Source(index) => {
                facts.get(*index).and_then(network::without_port).map(|key| self.of(key))
            }
        })
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

    /// The unit of these bytes, under the salt of all units.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> Unit {
        Unit::of(key, self.seed)
    }
}

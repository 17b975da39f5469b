//! Sticky keys: where a user's own value is, and what unit it makes.

use crate::config;
use crate::headers::{Interest, Lines, Seen};
use crate::sticky::{Seed, Unit};

/// A place of a key, compiled.
#[derive(Clone, Debug)]
enum Place {
    /// Index of [`Seen::asked`].
    Header(usize),
    Cookie(Box<[u8]>),
}

/// Where keys are, in order: the first one present counts.
#[derive(Clone, Debug)]
pub struct Keys {
    seed: Seed,
    places: Vec<Place>,
}

impl Keys {
    /// Compiles the places and registers what has to be seen of the headers.
    #[must_use]
    pub fn new(sticky: &config::Sticky, interest: &mut Interest) -> Self {
        let places = sticky.keys.iter().map(|key| match key {
            config::Key::Header(name) => Place::Header(interest.ask(name)),
            config::Key::Cookie(name) => {
                interest.cookies = true;
                Place::Cookie(name.as_bytes().into())
            }
        });
        Self { seed: Seed::of(&sticky.salt), places: places.collect() }
    }

    /// The unit of the first key present. A header with several different values is no key.
    #[must_use]
    pub fn unit(&self, seen: &Seen<'_>) -> Option<Unit> {
        let key = self.places.iter().find_map(|place| match place {
            Place::Header(index) => seen.asked.get(*index).and_then(crate::headers::Field::one),
            Place::Cookie(name) => cookie(&seen.cookies, name),
        });
        key.map(|key| self.of(key))
    }

    /// The unit of these bytes, under the salt of all units.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> Unit {
        Unit::of(key, self.seed)
    }
}

/// The value of a cookie (RFC 6265, section 4.2.1); the first one of that name counts, an empty one and one without
/// `=` do not.
fn cookie<'a>(lines: &Lines<'a>, name: &[u8]) -> Option<&'a [u8]> {
    lines.iter().flat_map(|line| line.split(|byte| *byte == b';')).find_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (is, value) = pair.split_at_checked(equals)?;
        let value = value.get(1..)?.trim_ascii();
        (is.trim_ascii() == name && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_without_equals_or_value_are_passed_over() {
        let mut lines = Lines::default();
        lines.add(b"lane-id; a=1;lane-id=;  lane-id = x=y ");
        lines.add(b"lane-id=second");
        assert_eq!(cookie(&lines, b"lane-id"), Some(b"x=y".as_slice()));
        assert_eq!(cookie(&lines, b"a"), Some(b"1".as_slice()));
        assert_eq!(cookie(&lines, b"b"), None);
        assert_eq!(cookie(&Lines::default(), b"b"), None);
    }
}

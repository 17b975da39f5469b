//! What must be asked of the host, each at most once a request and only when it is needed.

use std::borrow::Cow;

use crate::names;
use crate::request::field::Value;
use crate::world::World;

/// The properties that a plan may ask for.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    paths: Vec<Box<[u8]>>,
    /// The claim `iss`, and the value that it must have for any claim to count.
    issuer: Option<(usize, Box<[u8]>)>,
}

impl Properties {
    /// None so far. With an issuer, no claim counts of a token that another one issued.
    #[must_use]
    pub fn new(issuer: Option<&str>) -> Self {
        let mut properties = Self::default();
        if let Some(issuer) = issuer {
            let index = properties.claim(&["iss".to_owned()]);
            properties.issuer = Some((index, issuer.as_bytes().into()));
        }
        properties
    }

    /// Registers a property by its path; the index is for [`Facts`]. The same path twice gets the same index.
    pub fn ask(&mut self, path: &[u8]) -> usize {
        if let Some(known) = self.paths.iter().position(|known| **known == *path) {
            return known;
        }
        self.paths.push(path.into());
        self.paths.len() - 1
    }

    /// Registers a claim.
    pub fn claim(&mut self, path: &[String]) -> usize {
        self.ask(&names::claim_path(path))
    }
}

/// The surroundings of one request, and what is known of them so far.
pub struct Facts<'w, W> {
    properties: &'w Properties,
    /// The surroundings themselves, for what is not a property.
    pub world: &'w mut W,
    /// What was asked for: its index, and the answer.
    known: Vec<(usize, Option<Vec<u8>>)>,
}

impl<'w, W: World> Facts<'w, W> {
    /// Nothing is known yet.
    pub fn new(properties: &'w Properties, world: &'w mut W) -> Self {
        Self { properties, world, known: Vec::new() }
    }

    /// A property; none where it does not exist.
    pub fn get(&mut self, index: usize) -> Option<&[u8]> {
        let place = self.known.iter().position(|(known, _)| *known == index);
        let place = place.unwrap_or_else(|| {
            let path = self.properties.paths.get(index);
            self.known.push((index, path.and_then(|path| self.world.property(path))));
            self.known.len() - 1
        });
        self.known.get(place)?.1.as_deref()
    }

    /// A claim in Envoy's wire form; none where there is none, or where the token is another issuer's.
    pub fn claim(&mut self, index: usize) -> Option<&[u8]> {
        self.get(index)?;
        if let Some((at, issuer)) = &self.properties.issuer
            && self.get(*at) != Some(issuer)
        {
            return None;
        }
        self.get(index)
    }
}

/// Tests a claim: a list matches if one element does. A number or a boolean is its text.
///
/// Wire form (`serializeValue` in envoy/source/extensions/common/wasm/context.cc): text as it is, a number as eight
/// bytes, a boolean as one, a list as the ABI's encoding of pairs whose values are empty.
pub fn any_of(claim: Option<&[u8]>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
    let value = |text: &[u8]| !text.trim_ascii().is_empty();
    let Some(claim) = claim else { return test(Value::Absent) };
    match elements(claim) {
        Some(list) if list.is_empty() => test(Value::Absent),
        Some(list) => list.iter().any(|element| test(Value::One(&text_of(element)))),
        None if value(claim) => test(Value::One(&text_of(claim))),
        None => test(Value::Absent),
    }
}

/// The one value of a claim, as a sticky key: none of a list.
#[must_use]
pub fn one(claim: &[u8]) -> Option<Cow<'_, [u8]>> {
    (elements(claim).is_none() && !claim.trim_ascii().is_empty()).then(|| text_of(claim))
}

/// What a value is in text. The wire does not say its type: eight bytes that are not text are a number, a lone 0 or 1 a
/// boolean.
///
/// A number of over 48 significant bits whose eight bytes all happen to be printable is taken for text. It still matches
/// and places the same user the same way, but not as `explain` says from its digits.
fn text_of(value: &[u8]) -> Cow<'_, [u8]> {
    let number = || {
        if is_text(value) { None } else { Some(f64::from_le_bytes(value.try_into().ok()?)) }
    };
    match value {
        [0] => Cow::Borrowed(b"false"),
        [1] => Cow::Borrowed(b"true"),
        _ => match number().and_then(number_text) {
            Some(text) => Cow::Owned(text.into_bytes()),
            None => Cow::Borrowed(value),
        },
    }
}

fn is_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// A number as JSON writes it. None beyond 63 bits, and with more than 15 digits behind the point: such a claim stays the
/// bytes that it is on the wire.
///
/// Not by the standard library, whose printer of doubles is several KB of WebAssembly. `m / 10^k` is rounded correctly where
/// both are exact, so the first `k` at which it gives the number back is the shortest form.
#[must_use]
pub fn number_text(number: f64) -> Option<String> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() || number.abs() >= LIMIT {
        return None;
    }
    let whole = number as i64;
    if whole as f64 == number {
        return Some(whole.to_string());
    }
    let mut scale = 1.0f64;
    for digits in 1..=15usize {
        scale *= 10.0;
        let scaled = number.abs() * scale;
        // Rounded to the next whole number; exact below 2^53.
        let scaled = (scaled + 0.5) as u64;
        if scaled >= 1 << 53 {
            return None;
        }
        if scaled as f64 / scale == number.abs() {
            let sign = if number < 0.0 { "-" } else { "" };
            let power = 10u64.pow(digits as u32);
            let rest = (scaled % power + power).to_string();
            // Its first digit is the power's own.
            let rest = rest.strip_prefix('1').unwrap_or_default();
            let text = [sign, &(scaled / power).to_string(), ".", rest].concat();
            return Some(text);
        }
    }
    None
}

/// The elements of a list, if these bytes are exactly that: a count, then the sizes of each element and of nothing,
/// then each element and nothing with a NUL behind them.
fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (sizes, mut text) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut list = Vec::new();
    for [a, b, c, d, nothing @ ..] in sizes.as_chunks::<8>().0 {
        let size = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
        let (element, rest) = text.split_at_checked(size)?;
        if *nothing != [0; 4] {
            return None;
        }
        text = rest.strip_prefix(b"\0\0")?;
        list.push(element);
    }
    text.is_empty().then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list as Envoy hands it over.
    fn list(elements: &[&str]) -> Vec<u8> {
        let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
        let mut bytes = size(elements.len()).to_vec();
        elements.iter().for_each(|element| bytes.extend([size(element.len()), size(0)].concat()));
        elements.iter().for_each(|element| bytes.extend([element.as_bytes(), b"\0\0"].concat()));
        bytes
    }

    #[test]
    fn a_list_matches_if_one_element_does() {
        let employee = |claim: &[u8]| any_of(Some(claim), |value| value == Value::One(b"employee"));
        assert!(employee(b"employee"));
        assert!(employee(&list(&["x", "employee"])));
        assert!(!employee(&list(&["x", "employees", ""])));
        assert!(!employee(&list(&[])));
        // As seen on the wire.
        assert!(employee(b"\x02\0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0employee\0\0x\0\0"));
    }

    #[test]
    fn empty_is_absent_and_a_truncated_list_is_refused() {
        let absent = |claim: Option<&[u8]>| any_of(claim, |value| value == Value::Absent);
        assert!(absent(None) && absent(Some(b"")) && absent(Some(b" ")) && absent(Some(&list(&[]))));
        let whole = list(&["employee", "x"]);
        for length in 0..whole.len() {
            assert_eq!(elements(&whole[..length]), None, "cut at {length}");
        }
        assert_eq!(elements(&[whole.as_slice(), b"x"].concat()), None);
        assert_eq!(elements(&[0xff; 40]), None);
        assert_eq!(elements(&7.0f64.to_le_bytes()), None);
    }

    #[test]
    fn a_list_does_not_count_as_a_key() {
        assert_eq!(one(b"alice").as_deref(), Some(b"alice".as_slice()));
        assert_eq!(one(&list(&["alice"])), None);
        assert_eq!(one(b""), None);
    }

    #[test]
    fn numbers_and_booleans_are_their_text() {
        let text = |bytes: &[u8]| String::from_utf8(one(bytes).unwrap().into_owned()).unwrap();
        for (number, wanted) in [
            (5.0, "5"),
            (0.0, "0"),
            (-7.0, "-7"),
            (1.5, "1.5"),
            (-0.05, "-0.05"),
            (0.1, "0.1"),
            (6.022_140_76, "6.02214076"),
            (1234.0625, "1234.0625"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ] {
            assert_eq!(text(&f64::to_le_bytes(number)), wanted);
            assert_eq!(number.to_string(), wanted);
        }
        for none in [f64::NAN, f64::INFINITY, 1e21, 1.0 / 3.0] {
            assert_eq!(one(&none.to_le_bytes()).as_deref(), Some(none.to_le_bytes().as_slice()));
        }
        assert_eq!(text(&[1]), "true");
        assert_eq!(text(&[0]), "false");
        assert_eq!(text(b"employee"), "employee", "eight bytes of text are text");
        assert_eq!(text(b"1"), "1");
        assert!(any_of(Some(&5f64.to_le_bytes()), |value| value == Value::One(b"5")));
    }
}

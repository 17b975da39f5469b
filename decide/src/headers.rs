//! One walk over a request's headers: what a plan may need of them, borrowed in place.

use crate::names::{OWN_PREFIX, SUBSET_HEADER};

/// All that one header name carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field<'a> {
    value: Option<&'a [u8]>,
    lines: u32,
    mixed: bool,
    ragged: bool,
}

/// What a [`Field`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// No line, or blank ones only.
    Absent,
    /// One value, without the white space around it; equal repeated values count as one.
    One(&'a [u8]),
    /// Several different values.
    Mixed,
}

impl<'a> Field<'a> {
    /// Takes one more line of this name.
    pub fn add(&mut self, line: &'a [u8]) {
        self.lines = self.lines.saturating_add(1);
        let value = line.trim_ascii();
        self.ragged |= value.len() != line.len() || value.is_empty();
        if value.is_empty() {
            return;
        }
        match self.value {
            None => self.value = Some(value),
            Some(first) => self.mixed |= first != value,
        }
    }

    /// What it says.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match self.value {
            None => Value::Absent,
            Some(_) if self.mixed => Value::Mixed,
            Some(value) => Value::One(value),
        }
    }

    /// The one value, if there is exactly one.
    #[must_use]
    pub fn one(&self) -> Option<&'a [u8]> {
        self.value.filter(|_| !self.mixed)
    }

    /// Was there any line of this name, if a blank one?
    #[must_use]
    pub fn present(&self) -> bool {
        self.lines > 0
    }

    /// Exactly one line, with nothing around its value: nobody downstream can read it differently.
    #[must_use]
    pub fn tidy(&self) -> bool {
        self.lines == 1 && !self.ragged
    }
}

/// The lines of a header that is a list by nature; the first one costs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> Lines<'a> {
    /// Takes one more line.
    pub fn add(&mut self, line: &'a [u8]) {
        if self.first.is_none() {
            self.first = Some(line);
        } else {
            self.more.push(line);
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    /// All of them, collected.
    #[must_use]
    pub fn all(&self) -> Vec<&'a [u8]> {
        self.iter().collect()
    }

    /// Was there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// What is needed of a request's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The tenant header.
    pub tenant: Field<'a>,
    /// `:authority`.
    pub authority: &'a [u8],
    /// `:path`, with its query.
    pub path: &'a [u8],
    /// `x-request-id`.
    pub request_id: Field<'a>,
    /// `traceparent` (W3C Trace Context).
    pub traceparent: Field<'a>,
    /// `b3` (single header).
    pub b3: Field<'a>,
    /// `x-b3-traceid`.
    pub b3_trace: Field<'a>,
    /// `baggage` (W3C Baggage).
    pub baggage: Lines<'a>,
    /// `x-graylane-subset`.
    pub subset: Field<'a>,
    /// `cookie`, where the plan reads cookies.
    pub cookies: Lines<'a>,
    /// The headers that the plan asks for by name, in its order; empty where it asks for none.
    pub asked: Vec<Field<'a>>,
    /// At the gateway: names that no stranger may send, and spellings that an application may take for them.
    pub forged: Vec<&'a [u8]>,
}

impl<'a> Seen<'a> {
    /// Walks over the headers once. Names are lower case, as Envoy has them.
    pub fn walk(interest: &Interest, headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut seen = Self::default();
        if !interest.asked.is_empty() {
            seen.asked.resize(interest.asked.len(), Field::default());
        }
        for (name, value) in headers {
            match name {
                b":authority" => seen.authority = value,
                b":path" => seen.path = value,
                b"x-request-id" => seen.request_id.add(value),
                b"traceparent" => seen.traceparent.add(value),
                b"baggage" => seen.baggage.add(value),
                b"b3" => seen.b3.add(value),
                b"x-b3-traceid" => seen.b3_trace.add(value),
                b"cookie" if interest.cookies => seen.cookies.add(value),
                _ if name == SUBSET_HEADER.as_bytes() => seen.subset.add(value),
                _ if name == &*interest.tenant => seen.tenant.add(value),
                _ if interest.outside && interest.forged(name) => seen.forged.push(name),
                _ => {}
            }
            if interest.wants_length(name.len()) {
                for (field, asked) in seen.asked.iter_mut().zip(&interest.asked) {
                    if name == &**asked {
                        field.add(value);
                    }
                }
            }
        }
        seen
    }

    /// The path without its query.
    #[must_use]
    pub fn bare_path(&self) -> &'a [u8] {
        self.path.split(|byte| *byte == b'?').next().unwrap_or_default()
    }
}

/// Which headers are looked for.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// The tenant header, lower case.
    pub tenant: Box<[u8]>,
    /// Does it read cookies?
    pub cookies: bool,
    /// Does it stand where the outside comes in?
    pub outside: bool,
    /// Further headers that no stranger may send.
    refused: Vec<Box<[u8]>>,
    asked: Vec<Box<[u8]>>,
    lengths: u64,
}

impl Interest {
    /// For a tenant header, and for where the outside comes in or not.
    #[must_use]
    pub fn new(tenant: &str, outside: bool) -> Self {
        Self { tenant: tenant.to_ascii_lowercase().into_bytes().into(), outside, ..Self::default() }
    }

    /// From now on no stranger may send this header either.
    pub fn refuse(&mut self, name: &str) {
        self.refused.push(name.as_bytes().into());
    }

    /// Asks for a header; the index is that of [`Seen::asked`]. The same name twice gets the same index.
    pub fn ask(&mut self, name: &str) -> usize {
        let name = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        if let Some(known) = self.asked.iter().position(|asked| *asked == name) {
            return known;
        }
        self.lengths |= Self::length_bit(name.len());
        self.asked.push(name);
        self.asked.len() - 1
    }

    fn length_bit(length: usize) -> u64 {
        1 << (length % 64)
    }

    fn wants_length(&self, length: usize) -> bool {
        self.lengths & Self::length_bit(length) != 0
    }

    /// A header of ours under any spelling: `_` for `-` counts too, since CGI-like applications fold the two.
    fn forged(&self, name: &[u8]) -> bool {
        let folded = |wanted: &[u8]| {
            name.len() >= wanted.len()
                && name
                    .iter()
                    .zip(wanted)
                    .all(|(is, wanted)| fold_underscore(*is) == fold_underscore(*wanted))
        };
        let same = |wanted: &[u8]| name.len() == wanted.len() && folded(wanted);
        folded(OWN_PREFIX.as_bytes()) || same(&self.tenant) || self.refused.iter().any(|name| same(name))
    }
}

fn fold_underscore(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(lines: &[&'a str]) -> Field<'a> {
        let mut field = Field::default();
        for line in lines {
            field.add(line.as_bytes());
        }
        field
    }

    #[test]
    fn blank_is_absent_equal_is_one_different_is_mixed() {
        assert_eq!(field(&[]).value(), Value::Absent);
        assert_eq!(field(&["", " \t"]).value(), Value::Absent);
        assert_eq!(field(&["gray", "gray "]).value(), Value::One(b"gray"));
        assert_eq!(field(&["gray", "green"]).value(), Value::Mixed);
        assert_eq!(field(&["gray,green"]).value(), Value::One(b"gray,green"));
    }

    #[test]
    fn only_one_line_without_white_space_is_tidy() {
        assert!(field(&["gray"]).tidy());
        for ragged in [&[""][..], &[" gray"], &["gray", "gray"], &["", "gray"]] {
            assert!(!field(ragged).tidy(), "{ragged:?}");
        }
    }

    #[test]
    fn an_underscore_hides_no_header_of_ours() {
        let interest = Interest::new("X-Tenant", true);
        for forged in ["x-graylane-subset", "x_graylane-anything", "x_tenant", "X-TENANT"] {
            assert!(interest.forged(forged.as_bytes()), "{forged}");
        }
        for fine in ["x-tenants", "x-graylan", "xtenant", ""] {
            assert!(!interest.forged(fine.as_bytes()), "{fine}");
        }
    }
}

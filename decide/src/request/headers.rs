//! One walk over a request's headers: what a plan may need of them, borrowed in place.

use super::field::{Field, Lines};
use crate::names::SUBSET_HEADER;

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
    asked: Vec<Field<'a>>,
    /// The lists that the plan asks for by name, in its order; empty until one of them comes.
    lists: Vec<Lines<'a>>,
}

/// A header that a plan asks for: its place among [`Seen::asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(usize);

/// A header that is a list by nature, and that a plan asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedList(usize);

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
                _ if name == &*interest.tenant => seen.tenant.add_joined(value),
                _ => {}
            }
            if interest.wants_length(name.len()) {
                seen.add_asked(interest, name, value);
            }
        }
        seen
    }

    fn add_asked(&mut self, interest: &Interest, name: &[u8], value: &'a [u8]) {
        for (field, asked) in self.asked.iter_mut().zip(&interest.asked) {
            if name == &**asked {
                field.add(value);
            }
        }
        for (index, asked) in interest.lists.iter().enumerate() {
            if name == &**asked {
                self.lists.resize(interest.lists.len(), Lines::default());
                if let Some(lines) = self.lists.get_mut(index) {
                    lines.add(value);
                }
            }
        }
    }

    /// A header that the plan asked for.
    #[must_use]
    pub fn asked(&self, asked: Asked) -> Field<'a> {
        self.asked.get(asked.0).copied().unwrap_or_default()
    }

    /// The lines of a list that the plan asked for; none where there is no line of it.
    #[must_use]
    pub fn list(&self, asked: AskedList) -> Option<&Lines<'a>> {
        self.lists.get(asked.0)
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
    asked: Vec<Box<[u8]>>,
    lists: Vec<Box<[u8]>>,
    lengths: u64,
}

impl Interest {
    /// For a tenant header.
    #[must_use]
    pub fn new(tenant: &str) -> Self {
        Self { tenant: tenant.to_ascii_lowercase().into_bytes().into(), ..Self::default() }
    }

    /// Asks for a header. The same name twice gets the same place.
    pub fn ask(&mut self, name: &str) -> Asked {
        Asked(self.place(name, |interest| &mut interest.asked))
    }

    /// Asks for a header that is a list by nature.
    pub fn ask_list(&mut self, name: &str) -> AskedList {
        AskedList(self.place(name, |interest| &mut interest.lists))
    }

    fn place(&mut self, name: &str, of: fn(&mut Self) -> &mut Vec<Box<[u8]>>) -> usize {
        let name = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        self.lengths |= Self::length_bit(name.len());
        let names = of(self);
        if let Some(known) = names.iter().position(|asked| *asked == name) {
            return known;
        }
        names.push(name);
        names.len() - 1
    }

    fn length_bit(length: usize) -> u64 {
        1 << (length % 64)
    }

    fn wants_length(&self, length: usize) -> bool {
        self.lengths & Self::length_bit(length) != 0
    }
}

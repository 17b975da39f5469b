//! `query`: the value of a parameter of the query, decoded.

use super::Named;
use crate::edge::text::Text;
use crate::request::headers::Seen;
use crate::request::query;

/// Compiled.
#[derive(Clone, Debug)]
pub struct Query(Box<[u8]>, Text);

impl Query {
    pub fn new(named: &Named) -> Option<Self> {
        Some(Self(named.name.as_bytes().into(), Text::new(&named.is, false)?))
    }

    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        query::with(seen.path, &self.0, |value| self.1.matches(value))
    }
}

//! `path`: the path without its query, as Envoy has it.

use crate::edge::text::{Test, Text};
use crate::request::headers::Seen;

/// Compiled.
#[derive(Clone, Debug)]
pub struct Path(Text);

impl Path {
    pub fn new(test: &Test) -> Option<Self> {
        Text::new(test, false).map(Self)
    }

    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        self.0.fits(seen.bare_path())
    }
}

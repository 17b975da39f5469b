//! `header`: a header or a pseudo header. Several different values are present, and nothing else.

use super::Named;
use crate::edge::text::Text;
use crate::request::headers::{Asked, Interest, Seen};

/// Compiled.
#[derive(Clone, Debug)]
pub struct Header(Asked, Text);

impl Header {
    pub fn new(named: &Named, interest: &mut Interest) -> Option<Self> {
        Some(Self(interest.ask(&named.name), Text::new(&named.is, false)?))
    }

    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        self.1.matches(seen.asked(self.0).value())
    }
}

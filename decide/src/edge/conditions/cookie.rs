//! `cookie`: the value of a cookie, without quotes around it.

use super::Named;
use crate::edge::text::Text;
use crate::request::cookie;
use crate::request::headers::{Interest, Seen};

/// Compiled.
#[derive(Clone, Debug)]
pub struct Cookie(Box<[u8]>, Text);

impl Cookie {
    pub fn new(named: &Named, interest: &mut Interest) -> Option<Self> {
        interest.cookies = true;
        Some(Self(named.name.as_bytes().into(), Text::new(&named.is, false)?))
    }

    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        self.1.matches(cookie::field(&seen.cookies, &self.0).value())
    }
}

//! `method`: the method, which is a pseudo header.

use graylane_decide::config;

use super::Report;
use super::text::{Kind, Text};

/// Says what is wrong with it.
pub fn check(text: &Text, report: &mut dyn Report, path: &[String]) {
    text.check(Kind::Method, report, path);
}

/// What the filter reads.
pub fn lower(text: &Text) -> Option<config::Condition> {
    Some(config::Condition::Header(config::Named { name: ":method".to_owned(), is: text.lower(false)? }))
}

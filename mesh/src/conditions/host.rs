//! `host`: the host that was asked for.

use graylane_decide::config;

use super::Report;
use super::text::{Kind, Text};

/// Says what is wrong with it.
pub fn check(text: &Text, report: &mut dyn Report, path: &[String]) {
    text.check(Kind::Host, report, path);
}

/// What the filter reads.
pub fn lower(text: &Text) -> Option<config::Condition> {
    text.lower(true).map(config::Condition::Host)
}

//! `certificate`: the identity in the client's certificate.

use graylane_decide::config;

use super::Report;
use super::text::{Kind, Text};

/// Says what is wrong with it.
pub fn check(text: &Text, report: &mut dyn Report, path: &[String]) {
    text.check(Kind::Other, report, path);
}

/// What the filter reads.
pub fn lower(text: &Text) -> Option<config::Condition> {
    text.lower(false).map(config::Condition::Certificate)
}

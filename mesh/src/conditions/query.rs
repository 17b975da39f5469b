//! `query`: a parameter of the query.

use graylane_decide::config;

use super::text::Kind;
use super::{Named, Report, named};

/// Says what is wrong with it.
pub fn check(query: &Named, report: &mut dyn Report, path: &[String]) {
    query.is.check(Kind::Other, report, path);
}

/// What the filter reads.
pub fn lower(query: &Named) -> Option<config::Condition> {
    named(query, query.name.clone()).map(config::Condition::Query)
}

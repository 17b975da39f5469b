//! `cookie`: a cookie that clients send.

use graylane_decide::config;

use super::text::Kind;
use super::{Named, Report, at, named};
use crate::words::is_cookie_name;

/// Says what is wrong with it.
pub fn check(cookie: &Named, report: &mut dyn Report, path: &[String]) {
    if !is_cookie_name(&cookie.name) {
        report
            .error(&at(path, &["name"]), format!("invalid cookie name `{}`", cookie.name))
            .help("write a name, as in `lane-id`");
    }
    cookie.is.check(Kind::Other, report, path);
}

/// What the filter reads.
pub fn lower(cookie: &Named) -> Option<config::Condition> {
    named(cookie, cookie.name.clone()).map(config::Condition::Cookie)
}

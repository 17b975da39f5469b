//! `header`: a header that clients send.

use graylane_decide::config;
use graylane_decide::names::OWN_PREFIX;

use super::text::Kind;
use super::{Named, Report, at, named};
use crate::words::is_token;

/// Says what is wrong with it.
pub fn check(named: &Named, report: &mut dyn Report, path: &[String]) {
    name(&named.name, report, path);
    named.is.check(Kind::Other, report, path);
}

fn name(name: &str, report: &mut dyn Report, path: &[String]) {
    let lower = name.to_ascii_lowercase();
    let tenant = report.tenant_header().to_ascii_lowercase();
    let path = at(path, &["name"]);
    if lower == tenant {
        report
            .error(&path, format!("`{name}` is the tenant header itself"))
            .help("write `mayChoose: [..]`: it lets the header count if it names one of those tenants");
        return;
    }
    let better = match &*lower {
        "cookie" => Some("cookie: {name: .., exact: ..}"),
        "host" => Some("host: {exact: ..}"),
        "authorization" => Some("claim: {name: .., exact: ..}"),
        "x-forwarded-for" | "x-real-ip" | "x-envoy-external-address" => Some("source: [10.0.0.0/8]"),
        "x-forwarded-client-cert" => Some("certificate: {exact: ..}"),
        _ => None,
    };
    if let Some(better) = better {
        report
            .error(&path, format!("a rule on the header `{name}` would trust what any caller sends"))
            .help(format!("write `{better}`, which reads what Envoy parsed"));
    } else if !is_token(name) || lower.starts_with(OWN_PREFIX) {
        report
            .error(&path, format!("clients cannot send the header `{name}`"))
            .help("write a header that clients send, as in `x-user-id`");
    }
}

/// What the filter reads.
pub fn lower(header: &Named) -> Option<config::Condition> {
    named(header, header.name.to_ascii_lowercase()).map(config::Condition::Header)
}

//! Runs cases at a level, and shows want and got side by side.

use std::fmt::Write as _;

use anyhow::Result;
use graylane_decide::Role;

use crate::case::{Case, Headers, Ids, Suite, headers};
use crate::level::{Level, Outcome, Request};

/// Where routes lead unless a suite or case says otherwise: a service of the mesh that no file lists.
pub const DEFAULT_CLUSTER: &str = "outbound|8080||elsewhere.shop.svc.cluster.local";

/// Headers that Envoy itself adds or rewrites on the way, and pseudo headers, which are no lines there.
const ENVOYS_OWN: [&str; 7] = [
    "host",
    "x-forwarded-proto",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-decorator-operation",
    "x-envoy-internal",
    "x-envoy-attempt-count",
    "accept-encoding",
];

/// What went wrong with a case; none if nothing did.
///
/// # Errors
/// When the level itself breaks.
pub fn run(suite: &Suite, case: &Case, number: u64, level: &mut dyn Level) -> Result<Option<String>> {
    let ids = Ids::of(number);
    let cluster = case.cluster.as_deref().or(suite.cluster.as_deref()).unwrap_or(DEFAULT_CLUSTER);
    for before in &case.before {
        level.send(&Request {
            role: Role::Inbound,
            headers: headers(before, &ids)?,
            cluster: Some(cluster),
            route: None,
        })?;
    }
    let sent = headers(&case.request, &ids)?;
    let cluster = Some(cluster).filter(|_| !case.no_route);
    let got = level.send(&Request {
        role: suite.role,
        headers: sent.clone(),
        cluster,
        route: case.route.as_deref(),
    })?;
    let mut table = Table::default();
    compare(case, &ids, &sent, &got, &mut table);
    if let Some(after) = &case.want.after {
        let sent = headers(&after.request, &ids)?;
        let request = Request {
            role: Role::Outbound,
            headers: sent.clone(),
            cluster: Some(DEFAULT_CLUSTER),
            route: None,
        };
        let got = level.send(&request)?;
        let want = after.set.iter().map(|(name, value)| (name.clone(), Some(ids.text(value))));
        table.headers("later ", &edited(&sent, want.collect()), &got.headers);
    }
    Ok(table.failed.then_some(table.text))
}

fn compare(case: &Case, ids: &Ids, sent: &Headers, got: &Outcome, table: &mut Table) {
    let want = &case.want;
    let status = |reply: Option<u32>| reply.map_or("passed on".to_owned(), |status| status.to_string());
    table.row("answer", &status(want.reply), &status(got.reply.as_ref().map(|(status, _)| *status)));
    if want.reply.is_some() || got.reply.is_some() {
        return;
    }
    let edits = want.set.iter().map(|(name, value)| (name.clone(), Some(ids.text(value))));
    let gone = want.remove.iter().map(|name| (name.clone(), None));
    table.headers("", &edited(sent, edits.chain(gone).collect()), &got.headers);
    let lane = got.lane.clone().unwrap_or_default();
    for (what, want, got) in [
        ("tenant", &want.tenant, &lane[0]),
        ("source", &want.source, &lane[1]),
        ("subset", &want.subset, &lane[2]),
    ] {
        want.iter().for_each(|want| table.row(what, want, got));
    }
    if let Some([service, unit]) = &got.counted {
        want.service.iter().for_each(|want| table.row("service", want, service));
        want.unit.iter().for_each(|want| table.row("unit from", want, unit));
    }
    if let Some((reason, bucket)) = &got.why {
        want.reason.iter().for_each(|want| table.row("reason", want, reason));
        let bucket = bucket.map_or(String::new(), |bucket| bucket.to_string());
        want.bucket.iter().for_each(|want| table.row("bucket", &want.to_string(), &bucket));
    }
}

/// Headers after edits: a value replaces all lines, nothing removes them.
fn edited(sent: &Headers, edits: Vec<(String, Option<String>)>) -> Headers {
    let mut headers: Headers =
        sent.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    for (name, value) in edits {
        headers.retain(|(is, _)| *is != name);
        headers.extend(value.map(|value| (name, value.into_bytes())));
    }
    headers
}

#[derive(Default)]
struct Table {
    text: String,
    failed: bool,
}

impl Table {
    fn row(&mut self, what: &str, want: &str, got: &str) {
        let mark = if want == got { ' ' } else { '!' };
        self.failed |= want != got;
        let short = |text: &str| match text.char_indices().nth(60) {
            Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
            None => text.to_owned(),
        };
        let _ = writeln!(self.text, "  {mark} {what:<28} want {:<62} got {}", short(want), short(got));
    }

    /// Header by header, in order of names; lines of one name keep their order. White space around a value is
    /// nobody's: HTTP/1 does not carry it.
    fn headers(&mut self, prefix: &str, want: &Headers, got: &Headers) {
        let lines = |headers: &Headers, name: &str| {
            let values: Vec<String> = headers
                .iter()
                .filter(|(is, _)| is == name)
                .map(|(_, value)| String::from_utf8_lossy(value.trim_ascii()).escape_debug().to_string())
                .collect();
            if values.is_empty() { "(none)".to_owned() } else { values.join(" | ") }
        };
        let names = want.iter().chain(got).map(|(name, _)| name.as_str());
        let names: std::collections::BTreeSet<&str> =
            names.filter(|name| !name.starts_with(':') && !ENVOYS_OWN.contains(name)).collect();
        for name in names {
            self.row(&format!("{prefix}{name}"), &lines(want, name), &lines(got, name));
        }
    }
}

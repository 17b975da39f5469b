//! Runs cases at a level, and shows want and got side by side.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use graylane_decide::choice::keyed::{HashKey, Units};
use graylane_decide::choice::sticky::Unit;
use graylane_decide::{Role, names};

use crate::case::{Case, Headers, Ids, Next, Suite, Want, headers};
use crate::claims;
use crate::level::{Level, Outcome, Request};

/// Where routes lead unless a suite or case says otherwise: a service of the mesh that no file lists.
pub const DEFAULT_CLUSTER: &str = "outbound|8080||elsewhere.shop.svc.cluster.local";

/// Headers that Envoy itself adds or rewrites on the way, and pseudo headers, which are no lines there.
const ENVOYS_OWN: [&str; 9] = [
    "host",
    // Where a case has a token, it is sent in Envoy only.
    "authorization",
    "x-forwarded-proto",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-decorator-operation",
    "x-envoy-internal",
    "x-envoy-attempt-count",
    "accept-encoding",
    // Of a request with trailers.
    "transfer-encoding",
];

/// What went wrong with a case; none if nothing did.
///
/// # Errors
/// When the level itself breaks.
pub fn run(suite: &Suite, case: &Case, number: u64, level: &mut dyn Level) -> Result<Option<String>> {
    let ids = Ids::of(number);
    let cluster = case.cluster.as_deref().or(suite.cluster.as_deref()).unwrap_or(DEFAULT_CLUSTER);
    for before in &case.before {
        level.send(&Request::new(Role::Inbound, headers(before, &ids)?, Some(cluster)))?;
    }
    let sent = headers(&case.request, &ids)?;
    let cluster = (!case.no_route).then_some(cluster);
    let got = level.send(&Request {
        route: case.route.as_deref(),
        token: case.token.as_ref().map(|claims| (claims, case.flaw)),
        certificate: case.certificate.as_deref(),
        properties: properties(case),
        trailers: headers(&case.trailers, &ids)?,
        ..Request::new(suite.role, sent.clone(), cluster)
    })?;
    let mut table = Table::default();
    let mut case = case.clone();
    minted(suite, &mut case.want, &got)?;
    compare(&case, &ids, &sent, &got, &mut table);
    let first = case.want.cookie.as_deref().and_then(value_of).unwrap_or_default().to_owned();
    let mut unit = unit_of(&got.headers);
    for next in &case.want.next {
        unit = next_request((suite.role, cluster), (next, &first), &ids, unit.as_ref(), level, &mut table)?;
    }
    if let Some(after) = &case.want.after {
        let sent = headers(&after.request, &ids)?;
        let request = Request::new(Role::Outbound, sent.clone(), Some(DEFAULT_CLUSTER));
        let got = level.send(&request)?;
        let want = after.set.iter().map(|(name, value)| (name.clone(), Some(ids.text(value))));
        table.headers("later ", &edited(&sent, want.collect()), &got.headers);
    }
    Ok(table.failed.then_some(table.text))
}

/// The caller's next request, and whether the unit is that of the one before; returns its own.
fn next_request(
    (role, cluster): (graylane_decide::Role, Option<&str>),
    (next, cookie): (&Next, &str),
    ids: &Ids,
    before: Option<&String>,
    level: &mut dyn Level,
    table: &mut Table,
) -> Result<Option<String>> {
    let mut sent = headers(&next.request, ids)?;
    for (_, value) in &mut sent {
        *value = String::from_utf8_lossy(value).replace("$cookie", cookie).into_bytes();
    }
    let properties = next.token.iter().flat_map(claims::properties).collect();
    let token = next.token.as_ref().map(|claims| (claims, None));
    let got = level.send(&Request { token, properties, ..Request::new(role, sent, cluster) })?;
    let unit = unit_of(&got.headers);
    let word = |moves: bool| if moves { "another unit" } else { "the same unit" };
    // Without any unit nobody stays and nobody moves.
    let is = unit.as_ref().map_or("no unit", |_| word(unit.as_ref() != before));
    table.row(&next.name, word(next.moves), is);
    Ok(unit)
}

fn value_of(cookie: &str) -> Option<&str> {
    cookie.split(['=', ';']).nth(1)
}

/// The unit that a request carries on.
fn unit_of(headers: &Headers) -> Option<String> {
    let baggage = headers.iter().find(|(name, _)| name == "baggage").map(|(_, value)| value)?;
    let baggage = String::from_utf8_lossy(baggage);
    let unit = baggage.split(',').find_map(|member| member.trim().strip_prefix("graylane-unit="))?;
    Some(unit.to_owned())
}

/// What Envoy knows of a case's caller.
fn properties(case: &Case) -> Vec<(Vec<u8>, Vec<u8>)> {
    let claims = case.token.iter().flat_map(claims::properties);
    let from = case.from.iter().map(|from| {
        let peer = if from.contains(':') { format!("[{from}]:0") } else { format!("{from}:0") };
        (names::SOURCE_ADDRESS.to_vec(), peer.into_bytes())
    });
    let certificate =
        case.certificate.iter().map(|san| (names::CERTIFICATE[0].to_vec(), san.clone().into_bytes()));
    claims.chain(from).chain(certificate).collect()
}

/// What makes units of keys, by the suite's file and environment.
fn units(suite: &Suite) -> Result<Units> {
    let mut mesh = suite.mesh()?;
    let env = mesh.document.sticky.used_key().and_then(|(_, env)| suite.node.environment.get(env));
    mesh.hash_key = env.and_then(|text| HashKey::parse(text));
    mesh.units()
}

/// Puts the value of a cookie that was made, and the unit that it makes, where a case wants them.
fn minted(suite: &Suite, want: &mut Want, got: &Outcome) -> Result<()> {
    let value = got.cookie.as_deref().and_then(value_of);
    let (Some(value), Some(_)) = (value, &want.cookie) else { return Ok(()) };
    ensure!(Unit::parse(value.as_bytes()).is_some(), "`{value}` is no value of a cookie that we make");
    let unit = units(suite)?.of(value.as_bytes()).wire();
    let unit = String::from_utf8_lossy(&unit).into_owned();
    want.set.values_mut().for_each(|text| *text = text.replace("$unit", &unit));
    want.cookie.iter_mut().for_each(|text| *text = text.replace("$cookie", value));
    Ok(())
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
    table.row("trailers", &want.trailers.join(", "), &got.trailers.join(", "));
    let lane = got.lane.clone().unwrap_or_default();
    for (what, want, got) in [
        ("tenant", &want.tenant, &lane[0]),
        ("source", &want.source, &lane[1]),
        ("subset", &want.subset, &lane[2]),
    ] {
        want.iter().for_each(|want| table.row(what, want, got));
    }
    let none = "(none)";
    table.row("cookie", want.cookie.as_deref().unwrap_or(none), got.cookie.as_deref().unwrap_or(none));
    table.row("debug", want.debug.as_deref().unwrap_or(none), got.debug.as_deref().unwrap_or(none));
    if let Some([service, unit]) = &got.counted {
        want.service.iter().for_each(|want| table.row("service", want, service));
        want.unit.iter().for_each(|want| table.row("unit from", want, unit));
    }
    if let Some((reason, bucket)) = &got.why {
        let rule = got.rule.map_or(String::new(), |rule| rule.to_string());
        want.rule.iter().for_each(|want| table.row("rule", &want.to_string(), &rule));
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
    /// not compared: HTTP/1 does not carry it.
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

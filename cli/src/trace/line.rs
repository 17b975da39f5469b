//! A line of an access log: Istio's text format or JSON, with the fields of `render --mesh-config`, behind whatever `kubectl logs`,
//! stern or Loki put before it.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::Value as Json;

/// Keys under which collectors of logs put the line of a container.
const WRAPPED: [&str; 5] = ["log", "message", "line", "msg", "_raw"];

/// A request, as one proxy saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// When it began, in milliseconds since 1970.
    pub time: i64,
    /// How long it took, in milliseconds.
    pub duration: Option<i64>,
    /// The pod whose proxy it is.
    pub pod: Option<String>,
    /// Request id and trace ids, lower case.
    pub ids: BTreeSet<String>,
    /// The host that was asked for.
    pub authority: String,
    /// The cluster that the route led to: `outbound|8080|canary|api.shop.svc.cluster.local`, `inbound|8080||`.
    pub cluster: String,
    /// The name of the route.
    pub route: String,
    /// Does the log have graylane's fields at all?
    pub has_fields: bool,
    /// Whose request it is, as the filter decided.
    pub tenant: Option<String>,
    /// Where the filter sent it.
    pub subset: Option<String>,
    /// Where the tenant came from; none: the header.
    pub source: Option<String>,
}

impl Line {
    /// Did the proxy of the pod that was called write it?
    #[must_use]
    pub fn is_inbound(&self) -> bool {
        self.cluster.starts_with("inbound|")
    }
}

/// The lines of a log, and how many others there are.
#[must_use]
pub fn read(log: &str) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let mut others = 0;
    for text in log.lines().filter(|text| !text.trim().is_empty()) {
        match parse(text, true) {
            Some(line) => lines.push(line),
            None => others += 1,
        }
    }
    (lines, others)
}

fn parse(text: &str, may_be_wrapped: bool) -> Option<Line> {
    let opened = text.match_indices('{').take(8);
    for (at, _) in opened {
        // What stands before may itself have braces, as labels of Loki do.
        if let Ok(Json::Object(fields)) = serde_json::from_str::<Json>(text[at..].trim_end()) {
            let json = Json::Object(fields);
            let inner = WRAPPED.iter().filter(|_| may_be_wrapped).find_map(|key| json[*key].as_str());
            let line = match inner {
                Some(inner) => parse(inner, false),
                None => of_json(&json),
            };
            return line.map(|line| with_pod(line, pod_of_json(&json).or_else(|| pod_before(&text[..at]))));
        }
    }
    let begins = text.match_indices('[').find(|(at, _)| start_time(&text[at + 1..]).is_some());
    let (at, _) = begins?;
    Some(with_pod(of_text(&text[at..])?, pod_before(&text[..at])))
}

fn with_pod(mut line: Line, pod: Option<String>) -> Line {
    line.pod = line.pod.or(pod);
    line
}

/// The time up to the `]`.
fn start_time(text: &str) -> Option<(i64, &str)> {
    let (time, rest) = text.split_once(']')?;
    Some((millis(time)?, rest))
}

fn millis(time: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(time).ok()?.timestamp_millis())
}

/// Istio's text, read from its end: what callers write stands before what the filter decided, so that it cannot pass for it. Quotes
/// within a path or an agent's name cost no more than the duration; within a `traceparent` they make the line unreadable.
fn of_text(text: &str) -> Option<Line> {
    let (time, rest) = start_time(text.strip_prefix('[')?)?;
    let parts: Vec<&str> = rest.rsplitn(12, '"').collect();
    let [tail, _upstream, _, authority, _, request_id, ..] = parts[..] else { return None };
    let mut words = tail.split_ascii_whitespace();
    let cluster = words.next()?;
    let rest: Vec<&str> = words.collect();
    let field = |name: &str| rest.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let numbers = parts.get(10).map(|part| part.split_ascii_whitespace().collect::<Vec<_>>());
    let mut line = Line {
        time,
        duration: numbers.and_then(|numbers| numbers.get(2)?.parse().ok()),
        authority: authority.to_owned(),
        cluster: cluster.to_owned(),
        route: rest
            .get(4)
            .filter(|route| !route.contains('='))
            .map_or_else(String::new, |route| (*route).to_owned()),
        has_fields: field("tenant").is_some(),
        ..Line::default()
    };
    fill(&mut line, request_id, |name| field(name).map(ToOwned::to_owned));
    Some(line)
}

/// Istio's JSON, by the names of its default format.
fn of_json(json: &Json) -> Option<Line> {
    let field = |name: &str| match &json[name] {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let text = |name: &str| field(name).unwrap_or_default();
    let mut line = Line {
        time: millis(&field("start_time")?)?,
        duration: field("duration").and_then(|text| text.parse().ok()),
        authority: text("authority"),
        cluster: field("upstream_cluster")?,
        route: text("route_name"),
        has_fields: json.get("tenant").is_some(),
        ..Line::default()
    };
    fill(&mut line, &text("request_id"), field);
    Some(line)
}

/// The fields that graylane adds.
fn fill(line: &mut Line, request_id: &str, field: impl Fn(&str) -> Option<String>) {
    let some = |text: String| Some(text).filter(|text| !text.is_empty() && text != "-");
    let field = |name: &str| field(name).and_then(some);
    let trace = field("traceparent").and_then(|text| text.split('-').nth(1).map(ToOwned::to_owned));
    let ids = [some(request_id.to_owned()), trace, field("b3")];
    line.ids.extend(ids.into_iter().flatten().map(|id| id.to_ascii_lowercase()));
    line.tenant = field("tenant");
    line.subset = field("subset");
    line.source = field("source");
    line.pod = field("pod");
}

/// The pod that `kubectl logs --prefix`, stern or Loki name before a line.
fn pod_before(text: &str) -> Option<String> {
    let ends = |c: char| matches!(c, '/' | ' ' | '"' | ',' | ']' | '}');
    for key in ["pod/", "pod=\"", "pod_name=\""] {
        if let Some((_, after)) = text.split_once(key) {
            return after.split(ends).next().map(ToOwned::to_owned);
        }
    }
    let mut words = text.split_ascii_whitespace();
    let (pod, container) = (words.next()?, words.next()?);
    (container == "istio-proxy").then(|| pod.to_owned())
}

fn pod_of_json(json: &Json) -> Option<String> {
    let places = ["/kubernetes/pod_name", "/kubernetes/pod/name", "/pod", "/labels/pod", "/stream/pod"];
    places.iter().find_map(|place| Some(json.pointer(place)?.as_str()?.to_owned()))
}

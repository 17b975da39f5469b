//! Where a lane breaks, in plain words.

use std::collections::BTreeMap;

use super::map::{Break, Call, LaneMap, Node};
use super::number;
use crate::mesh::Mesh;

/// All of them: those where the lane is really left first, the busiest first.
pub fn find(map: &LaneMap, mesh: &Mesh) -> Vec<Break> {
    let mut breaks = Vec::new();
    let mut pairs: BTreeMap<(&str, &str), Vec<&Call>> = BTreeMap::new();
    for call in map.calls.iter().filter(|call| !call.enters) {
        pairs.entry((&call.from, &call.to)).or_default().push(call);
    }
    for ((from, to), calls) in pairs {
        breaks.extend(calls.iter().filter_map(|call| restored(map, call)));
        breaks.extend(left(map, mesh, from, to, &calls));
    }
    breaks.extend(map.nodes.iter().filter_map(unseen));
    breaks.extend(map.nodes.iter().filter_map(|node| silent(map, mesh, node)));
    breaks.sort_by(|a, b| a.restored.cmp(&b.restored).then(b.per_minute.total_cmp(&a.per_minute)));
    breaks
}

/// `1 call`, `2 calls`.
fn counted(count: f64, what: &str) -> String {
    let number = number(count);
    let s = if number == "1" { "" } else { "s" };
    format!("{number} {what}{s}")
}

fn received(map: &LaneMap, at: &str, tenant: &str) -> f64 {
    let flows = map.node(at).into_iter().flat_map(|node| &node.inbound);
    flows.filter(|flow| flow.tenant == tenant).map(|flow| flow.per_minute).sum()
}

fn receives(map: &LaneMap, at: &str, tenant: &str) -> String {
    match received(map, at, tenant) {
        0.0 => format!("{at} calls for {tenant}"),
        count => format!("{at} receives {} a minute", counted(count, &format!("{tenant} request"))),
    }
}

/// Calls that lost their header, and got it back.
fn restored(map: &LaneMap, call: &Call) -> Option<Break> {
    let lost = call.restored();
    if lost <= 0.0 {
        return None;
    }
    let from = |source: &str| call.sources.get(source).copied().unwrap_or(0.0);
    let observes = map.observing.contains(&call.from);
    let places = [("memory", "the request id or trace id"), ("baggage", "baggage")]
        .into_iter()
        .filter(|(source, _)| from(source) > 0.0)
        .map(|(source, place)| match observes {
            true => format!("{} would be restored from {place}", number(from(source))),
            false => format!("{} restored from {place}", was(from(source))),
        })
        .collect::<Vec<_>>()
        .join(", ");
    let (at, to, tenant) = (&call.from, &call.to, &call.tenant);
    let carried = call.per_minute - lost;
    let carries = if carried < lost * 0.005 {
        format!(
            "none of its {} to {to} carry the tenant",
            counted(call.per_minute, &format!("{tenant} call"))
        )
    } else {
        format!(
            "{} of its {} to {to} carry no tenant",
            number(lost),
            counted(call.per_minute, &format!("{tenant} call"))
        )
    };
    Some(Break {
        at: at.clone(),
        to: Some(to.clone()),
        restored: !observes,
        per_minute: lost,
        says: format!("{}; {carries}: {places}.", receives(map, at, tenant)),
    })
}

fn was(count: f64) -> String {
    let number = number(count);
    if number == "1" { "1 was".to_owned() } else { format!("{number} were") }
}

/// Calls without a header that nothing was restored for, at a workload that other tenants come through.
fn left(map: &LaneMap, mesh: &Mesh, from: &str, to: &str, calls: &[&Call]) -> Option<Break> {
    let bare: f64 = calls.iter().filter_map(|call| call.sources.get("default")).sum();
    let others: Vec<&String> = map
        .tenants
        .iter()
        .filter(|tenant| **tenant != mesh.default && received(map, from, tenant) > 0.0)
        .collect();
    if bare <= 0.0 || others.is_empty() {
        return None;
    }
    let names = others.iter().map(|tenant| receives(map, from, tenant)).collect::<Vec<_>>().join(", ");
    Some(Break {
        at: from.to_owned(),
        to: Some(to.to_owned()),
        restored: false,
        per_minute: bare,
        says: format!(
            "{names}, and {} to {to} carry no tenant and nothing to restore it from: they are treated as {}.",
            counted(bare, "call"),
            mesh.default
        ),
    })
}

/// Requests that came in without a tenant: no filter saw them on their way.
fn unseen(node: &Node) -> Option<Break> {
    let bare: f64 =
        node.inbound.iter().filter(|flow| flow.source != "header").map(|flow| flow.per_minute).sum();
    (bare > 0.0).then(|| Break {
        at: node.name.clone(),
        to: None,
        restored: false,
        per_minute: bare,
        says: format!(
            "{} gets {} a minute without a tenant: their callers have no filter, or only observe.",
            node.name,
            counted(bare, "request")
        ),
    })
}

/// A service that is called, and whose own sidecars count nothing.
fn silent(map: &LaneMap, mesh: &Mesh, node: &Node) -> Option<Break> {
    let called: f64 = map.calls.iter().filter(|call| call.to == node.name).map(|call| call.per_minute).sum();
    // What is outside the cluster has no sidecars.
    let domain = &mesh.document.mesh.cluster_domain;
    let has_sidecars = mesh.service(&node.name).is_some_and(|service| service.host.ends_with(domain));
    (has_sidecars && called > 0.0 && node.inbound.is_empty()).then(|| Break {
        at: node.name.clone(),
        to: None,
        restored: false,
        per_minute: called,
        says: format!(
            "{} is called {} a minute, and its own sidecars count nothing: they have no filter, or do not answer.",
            node.name,
            counted(called, "time")
        ),
    })
}

//! The report for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::map::{Flow, LaneMap};
use super::number;

/// The whole report.
#[must_use]
pub fn text(map: &LaneMap) -> String {
    let mut text =
        format!("{}: requests a minute, over the last {} minutes\n", map.mesh, number(map.minutes));
    for node in &map.nodes {
        let _ = writeln!(text, "\n{}", node.name);
        side(&mut text, "in", &node.inbound, |flow| flow.subset.clone());
        for (to, flows) in calls(map, &node.name) {
            let total: f64 = flows.values().flatten().map(|(_, count)| count).sum();
            line(&mut text, &format!("to {to}"), total, &flows);
        }
        for delivery in map.deliveries.iter().filter(|delivery| delivery.from == node.name) {
            let _ = writeln!(
                text,
                "  {:<24} {:>8}   {}: {}",
                format!("to {}", delivery.to),
                "",
                delivery.tenant,
                delivery.topic
            );
        }
    }
    text.push('\n');
    if map.breaks.is_empty() {
        text += "No lane breaks.\n";
    } else {
        text += "Where a lane breaks:\n";
        for found in &map.breaks {
            let _ = writeln!(text, "  {} {}", if found.restored { "~" } else { "!" }, found.says);
        }
        text += "\n! leaves its lane   ~ is restored, so it stays\n";
    }
    if !map.unsticky.is_empty() {
        text += "\nUsers who may change versions from call to call:\n";
        for found in &map.unsticky {
            let _ = writeln!(text, "  {}", found.says());
        }
    }
    if !map.observing.is_empty() {
        text += "\nWhat `mode: enforce` would change where the mode is observe:\n";
        for would in &map.would {
            let _ = writeln!(text, "  {:<24} {}", format!("{} to {}", would.from, would.to), would.says());
        }
        if map.would.is_empty() {
            text += "  nothing that was seen\n";
        }
    }
    text
}

/// By tenant: sources and counts.
type Tenants = BTreeMap<String, Vec<(String, f64)>>;

fn calls(map: &LaneMap, from: &str) -> BTreeMap<String, Tenants> {
    let mut calls: BTreeMap<String, Tenants> = BTreeMap::new();
    for call in map.calls.iter().filter(|call| call.from == from) {
        let sources = call.sources.iter().map(|(source, count)| (source.clone(), *count)).collect();
        calls.entry(call.to.clone()).or_default().insert(call.tenant.clone(), sources);
    }
    calls
}

fn side(text: &mut String, name: &str, flows: &[Flow], key: impl Fn(&Flow) -> String) {
    let mut by_key: BTreeMap<String, Tenants> = BTreeMap::new();
    for flow in flows {
        let tenants = by_key.entry(key(flow)).or_default();
        tenants.entry(flow.tenant.clone()).or_default().push((flow.source.clone(), flow.per_minute));
    }
    for (key, tenants) in by_key {
        let total: f64 = tenants.values().flatten().map(|(_, count)| count).sum();
        line(text, &format!("{name} {key}"), total, &tenants);
    }
}

fn line(text: &mut String, what: &str, total: f64, tenants: &Tenants) {
    let tenants: Vec<String> = tenants
        .iter()
        .map(|(tenant, sources)| {
            let sources: Vec<String> =
                sources.iter().map(|(source, count)| format!("{source} {}", number(*count))).collect();
            format!("{tenant} ({})", sources.join(", "))
        })
        .collect();
    let _ = writeln!(text, "  {what:<24} {:>8}   {}", number(total), tenants.join("; "));
}

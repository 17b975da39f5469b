//! The drawing: an SVG, from where requests come in down to where they end. What others named is escaped where it is
//! written: that is what the macro does with every text.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::map::{Call, Delivery, LaneMap, Node};
use super::number;

/// Width of a box.
const BOX: f64 = 190.0;
/// Room between boxes of a row.
const GAP: f64 = 46.0;
/// Room between rows.
const DROP: f64 = 96.0;
/// Height of a box without subsets.
const HEAD: f64 = 46.0;
/// Height of a subset in it.
const LINE: f64 = 34.0;
/// Room around everything.
const MARGIN: f64 = 26.0;
/// Room beside the outer boxes for what stands beside a line.
const LABEL: f64 = 62.0;
/// So many tenants have a colour of their own; the others share the last.
pub const COLOURS: usize = 6;

/// Where a box is.
#[derive(Clone, Copy)]
struct Coordinates {
    x: f64,
    y: f64,
    height: f64,
}

/// A place in the drawing.
fn at(value: f64) -> String {
    format!("{value:.0}")
}

/// The class of a tenant's colour.
pub fn colour(map: &LaneMap, tenant: &str) -> String {
    let index = map.tenants.iter().position(|is| is == tenant).unwrap_or(COLOURS);
    format!("t{}", index.min(COLOURS - 1))
}

/// Requests to a node, by subset and tenant.
fn subsets(node: &Node) -> BTreeMap<&str, BTreeMap<&str, f64>> {
    let mut subsets: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for flow in &node.inbound {
        *subsets.entry(&flow.subset).or_default().entry(&flow.tenant).or_default() += flow.per_minute;
    }
    subsets
}

/// The drawing; `ground` is what lies under it, and the namespace is only needed in a file of its own.
#[must_use]
pub fn svg(map: &LaneMap, namespace: Option<&str>, ground: &Markup) -> Markup {
    let mut rows: BTreeMap<usize, Vec<&Node>> = BTreeMap::new();
    for node in &map.nodes {
        rows.entry(node.depth).or_default().push(node);
    }
    let widest = rows.values().map(Vec::len).max().unwrap_or(1) as f64;
    // A call past a row needs room beside the boxes.
    let calls = map.calls.iter().map(|call| (&call.from, &call.to));
    let mut ways = calls.chain(map.deliveries.iter().map(|delivery| (&delivery.from, &delivery.to)));
    let lane = if ways.any(|(from, to)| is_long(map, from, to)) { 150.0 } else { 0.0 };
    let inner = widest * BOX + (widest - 1.0) * GAP;
    let side = MARGIN + LABEL;
    let width = inner + 2.0 * side + lane;
    let mut places: BTreeMap<&str, Coordinates> = BTreeMap::new();
    let mut y = MARGIN;
    for nodes in rows.values() {
        let count = nodes.len() as f64;
        let left = side + (inner - count * BOX - (count - 1.0) * GAP) / 2.0;
        let heights: Vec<f64> = nodes.iter().map(|node| HEAD + LINE * subsets(node).len() as f64).collect();
        for (index, (node, height)) in nodes.iter().zip(&heights).enumerate() {
            places
                .insert(&node.name, Coordinates { x: left + index as f64 * (BOX + GAP), y, height: *height });
        }
        y += heights.iter().copied().fold(0.0, f64::max) + DROP;
    }
    let height = y - DROP + MARGIN;
    let mut pairs: BTreeMap<(&str, &str), Vec<&Call>> = BTreeMap::new();
    for call in &map.calls {
        pairs.entry((&call.from, &call.to)).or_default().push(call);
    }
    let mut topics: BTreeMap<(&str, &str), Vec<&Delivery>> = BTreeMap::new();
    for delivery in &map.deliveries {
        topics.entry((&delivery.from, &delivery.to)).or_default().push(delivery);
    }
    let between = |from: &str, to: &str| Some((*places.get(from)?, *places.get(to)?));
    let beside = |from: &str, to: &str| is_long(map, from, to).then_some(inner + side);
    html! {
        svg xmlns=[namespace] viewBox={ "0 0 " (at(width)) " " (at(height)) }
            style={ "max-width:" (at(width * 1.25)) "px" } role="img" aria-label={ "Lanes of " (map.mesh) } {
            (ground)
            @for ((from, to), calls) in &pairs {
                @if let Some(places) = between(from, to) { (edge(map, places, calls, beside(from, to))) }
            }
            @for ((from, to), deliveries) in &topics {
                @if let Some(places) = between(from, to) { (messages(map, places, deliveries, beside(from, to))) }
            }
            @for node in &map.nodes { (draw_node(map, node, places[node.name.as_str()])) }
        }
        "\n"
    }
}

/// Does it pass a row in between, or go back?
fn is_long(map: &LaneMap, from: &str, to: &str) -> bool {
    let depth = |name: &str| map.node(name).map_or(0, |node| node.depth);
    depth(to) != depth(from) + 1
}

/// How far lines between the same two boxes are apart.
const APART: f64 = 16.0;

/// A line between two boxes, so far from the middle, and where its label goes.
fn line((a, b): (Coordinates, Coordinates), off: f64, beside: Option<f64>) -> (String, (f64, f64)) {
    // Towards each other, so that lines from several boxes do not end in one point.
    let lean = ((b.x - a.x) / 4.0).clamp(-BOX / 3.0, BOX / 3.0);
    let Some(edge) = beside else {
        let (x1, y1) = (a.x + BOX / 2.0 + off + lean, a.y + a.height);
        let (x2, y2) = (b.x + BOX / 2.0 + off - lean, b.y - 7.0);
        let middle = (y1 + y2) / 2.0;
        let path = format!("M{x1:.0} {y1:.0}C{x1:.0} {middle:.0} {x2:.0} {middle:.0} {x2:.0} {y2:.0}");
        return (path, ((x1 + x2) / 2.0, middle));
    };
    // Out of the side, along the boxes, and into the side.
    let (y1, y2) = (a.y + HEAD / 2.0 + off, b.y + HEAD / 2.0 + off);
    let (x1, x2, far) = (a.x + BOX, b.x + BOX + 7.0, edge + 30.0 + off);
    let path = format!(
        "M{x1:.0} {y1:.0}C{far:.0} {y1:.0} {far:.0} {y1:.0} {far:.0} {:.0}L{far:.0} {:.0}C{far:.0} {y2:.0} {far:.0} {y2:.0} {x2:.0} {y2:.0}",
        y1 + 30.0 * (y2 - y1).signum(),
        y2 - 30.0 * (y2 - y1).signum()
    );
    (path, (far, (y1 + y2) / 2.0))
}

/// Places of so many lines side by side: the first one's distance from the middle.
fn first_of(lines: usize) -> f64 {
    -(lines as f64 - 1.0) / 2.0 * APART
}

/// What stands beside one of several lines: to the right of all of them, one under the other.
fn label_place(lines: usize, index: usize, (x, y): (f64, f64), off: f64) -> (f64, f64) {
    let down = index as f64 * 15.0 - (lines as f64 - 1.0) * 7.5;
    (x - off + first_of(lines).abs() + 9.0, y + down + 4.0)
}

/// Messages on their way from a topic to a worker.
fn messages(
    map: &LaneMap,
    places: (Coordinates, Coordinates),
    deliveries: &[&Delivery],
    beside: Option<f64>,
) -> Markup {
    let one = |(index, delivery): (usize, &&Delivery)| {
        let off = first_of(deliveries.len()) + index as f64 * APART;
        let (path, label) = line(places, off, beside);
        let (x, y) = label_place(deliveries.len(), index, label, off);
        let colour = colour(map, &delivery.tenant);
        html! {
            "\n"
            g class={ "call hop " (colour) } {
                title { (delivery.topic) " → " (delivery.to) ", " (delivery.tenant) }
                path d=(path) marker-end={ "url(#tip-" (colour) ")" } {}
            }
            text class={ "topic " (colour) } x=(at(x)) y=(at(y)) { (delivery.topic) }
        }
    };
    html! { @for delivery in deliveries.iter().enumerate() { (one(delivery)) } }
}

/// The calls from one node to another: a line a tenant, side by side, and what they say beside them.
fn edge(map: &LaneMap, places: (Coordinates, Coordinates), calls: &[&Call], beside: Option<f64>) -> Markup {
    let one = |(index, call): (usize, &&Call)| {
        let off = first_of(calls.len()) + index as f64 * APART;
        let (path, label) = line(places, off, beside);
        let state = if call.restored() > 0.0 { " restored" } else { "" };
        let stroke = 1.5 + (1.0 + call.per_minute).ln().min(6.0) * 0.8;
        let (x, y) = label_place(calls.len(), index, label, off);
        let colour = colour(map, &call.tenant);
        html! {
            "\n"
            g class={ "call " (colour) (state) } {
                title {
                    (call.from) " → " (call.to) ", " (call.tenant) ": " (number(call.per_minute)) " a minute ("
                    (sources(call)) ")"
                }
                path d=(path) style={ "stroke-width:" (format!("{stroke:.1}")) }
                    marker-end={ "url(#tip-" (colour) ")" } {}
            }
            text class={ "count " (colour) } x=(at(x)) y=(at(y)) {
                (number(call.per_minute)) " " tspan class="who" { (call.tenant) } tspan class="note" { (note(call)) }
            }
        }
    };
    html! { @for call in calls.iter().enumerate() { (one(call)) } }
}

/// Where the tenant of calls came from, and how often.
pub fn sources(call: &Call) -> String {
    let one = |(source, count): (&String, &f64)| format!("{source} {}", number(*count));
    call.sources.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How many of the calls had lost their header.
fn note(call: &Call) -> String {
    let lost = call.restored();
    let bare = if call.enters { 0.0 } else { call.sources.get("default").copied().unwrap_or(0.0) };
    match (lost, bare) {
        (0.0, 0.0) => String::new(),
        (0.0, bare) if bare > call.per_minute * 0.995 => " · no header".to_owned(),
        (0.0, bare) => format!(" · {} without header", number(bare)),
        (lost, _) if lost > call.per_minute * 0.995 => " · all restored".to_owned(),
        (lost, _) => format!(" · {} restored", number(lost)),
    }
}

fn draw_node(map: &LaneMap, node: &Node, place: Coordinates) -> Markup {
    let Coordinates { x, y, height } = place;
    let breaks: Vec<_> = map.breaks.iter().filter(|found| found.at == node.name).collect();
    let state = match (breaks.is_empty(), breaks.iter().all(|found| found.restored)) {
        (true, _) => "",
        (false, true) => " mends",
        (false, false) => " breaks",
    };
    let (state, round) = if map.is_topic(&node.name) { (" queue", HEAD / 2.0) } else { (state, 10.0) };
    let sign = if state == " breaks" { "loses tenants" } else { "loses headers" };
    let subsets = subsets(node);
    let most = subsets.values().map(|tenants| tenants.values().sum::<f64>()).fold(0.0, f64::max);
    html! {
        "\n"
        g class={ "node" (state) } {
            rect class="box" x=(at(x)) y=(at(y)) width=(at(BOX)) height=(at(height)) rx=(at(round)) {}
            text class="name" x=(at(x + 14.0)) y=(at(y + 28.0)) { (node.name) }
            @if !breaks.is_empty() {
                text class="sign" x=(at(x + BOX - 12.0)) y=(at(y + 28.0)) { (sign) }
            }
            @for (index, (subset, tenants)) in subsets.iter().enumerate() {
                (share(map, (x, y + HEAD + LINE * index as f64 - 4.0), subset, tenants, most))
            }
        }
    }
}

/// The requests of one subset, in a box: their number, and a bar of all tenants.
fn share(
    map: &LaneMap,
    (x, top): (f64, f64),
    subset: &str,
    tenants: &BTreeMap<&str, f64>,
    most: f64,
) -> Markup {
    let mut left = x + 14.0;
    let bars = tenants.iter().map(|(tenant, count)| {
        let width = (BOX - 28.0) * count / most.max(f64::MIN_POSITIVE);
        let begin = left;
        left += width;
        (tenant, count, format!("{begin:.1}"), format!("{width:.1}"))
    });
    html! {
        "\n"
        text class="subset" x=(at(x + 14.0)) y=(at(top + 8.0)) {
            (if subset == "none" { "all" } else { subset })
        }
        text class="total" x=(at(x + BOX - 14.0)) y=(at(top + 8.0)) { (number(tenants.values().sum())) }
        @for (tenant, count, begin, width) in bars {
            rect class={ "bar " (colour(map, tenant)) } x=(begin) y=(at(top + 14.0)) width=(width) height="7" rx="2" {
                title { (tenant) " " (number(*count)) " a minute" }
            }
        }
    }
}

/// The tips of arrows, one of each colour; once a page.
#[must_use]
pub fn tips() -> Markup {
    html! {
        @for index in 0..COLOURS {
            marker id={ "tip-t" (index) } class={ "t" (index) } viewBox="0 0 8 8" refX="5" refY="4" markerWidth="9"
                markerHeight="9" markerUnits="userSpaceOnUse" orient="auto" {
                path d="M0 0L8 4L0 8z" {}
            }
        }
    }
}

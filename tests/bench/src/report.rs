//! The tables, and the targets that they are held against.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::life::{Ids, Load, Start};
use crate::paths::{Effort, Latency, RATE, Rounds, minimum, tenth};
use crate::scenario::{
    BODIES, FEW, INBOUND_DEFAULT, INBOUND_GRAY, MANY, OUTBOUND_LOST, OUTBOUND_RIGHT, OUTBOUND_STICKY,
    SCENARIOS,
};
use crate::variant::Variant;

/// Everything that a run found out.
pub struct Measured {
    /// Machine and versions.
    pub machine: Vec<(&'static str, String)>,
    /// How much was measured.
    pub effort: Effort,
    /// CPU time.
    pub rounds: Rounds,
    /// At a fixed rate.
    pub latencies: Vec<(Variant, Latency)>,
    /// Start and memory.
    pub starts: Vec<Start>,
    /// Large configurations.
    pub loads: Vec<Load>,
    /// Memory as ids pass through.
    pub ids: Ids,
}

impl Measured {
    fn ratio(&self, title: &'static str, of: Variant, to: Variant) -> Option<f64> {
        let overhead = |variant| overhead(&self.rounds, title, variant, minimum);
        Some(overhead(of)? / overhead(to)?)
    }
}

fn cell(rounds: &Rounds, title: &'static str, variant: Variant, of: fn(&[f64]) -> f64) -> Option<f64> {
    rounds.get(&(title, variant)).map(|values| of(values))
}

/// Microseconds above no filter.
fn overhead(rounds: &Rounds, title: &'static str, variant: Variant, of: fn(&[f64]) -> f64) -> Option<f64> {
    Some(cell(rounds, title, variant, of)? - cell(rounds, title, Variant::Nothing, of)?)
}

struct Target {
    what: String,
    limit: f64,
    is: f64,
    unit: &'static str,
}

fn targets(measured: &Measured) -> Vec<Target> {
    const RATIOS: [(&str, Option<f64>, Option<f64>, f64); 6] = [
        (INBOUND_DEFAULT, Some(1.7), Some(1.1), 0.5),
        ("inbound, absent", None, None, 0.5),
        (OUTBOUND_RIGHT, Some(1.7), Some(1.1), 0.5),
        (INBOUND_GRAY, Some(3.6), Some(0.75), 0.6),
        (OUTBOUND_LOST, Some(3.0), None, 0.6),
        (OUTBOUND_STICKY, Some(2.3), Some(0.9), 0.5),
    ];
    let mut targets = Vec::new();
    for (title, noop, lua, naive) in RATIOS {
        let limits = [(Variant::Noop, noop), (Variant::LuaMetadata, lua), (Variant::Naive, Some(naive))];
        for (variant, limit) in limits {
            if let (Some(limit), Some(is)) = (limit, measured.ratio(title, Variant::Graylane, variant)) {
                targets.push(Target { what: format!("{title}: × {}", variant.name()), limit, is, unit: "" });
            }
        }
    }
    targets.extend(native_targets(measured));
    let of = |title| cell(&measured.rounds, title, Variant::Graylane, minimum).unwrap_or(f64::NAN);
    let more = (of(MANY) / of(FEW) - 1.0) * 100.0;
    let what = "a request: extra cost of 5,000 services over 10".to_owned();
    targets.push(Target { what, limit: 5.0, is: more, unit: " %" });
    if let Some(load) = measured.loads.last() {
        let what = "5,000 services loaded by a worker".to_owned();
        targets.push(Target { what, limit: 150.0, is: load.cpu, unit: " ms" });
    }
    let what = format!("memory after {} million unique ids: growth", measured.effort.ids);
    targets.push(Target { what, limit: 8.0, is: measured.ids.growth(), unit: " MiB" });
    targets
}

/// Of the native module: against Lua, and against a filter on the SDK that does nothing.
fn native_targets(measured: &Measured) -> Vec<Target> {
    const RATIOS: [(&str, f64, f64); 4] = [
        (INBOUND_DEFAULT, 1.0, 0.45),
        (OUTBOUND_RIGHT, 1.0, 0.45),
        (INBOUND_GRAY, 1.2, 0.5),
        (OUTBOUND_STICKY, 1.0, 0.45),
    ];
    let mut targets = Vec::new();
    for (title, noop, lua) in RATIOS {
        for (variant, limit) in [(Variant::Noop, noop), (Variant::LuaMetadata, lua), (Variant::Other, 0.4)] {
            if let Some(is) = measured.ratio(title, Variant::Native, variant) {
                let what = format!("{title}, native: × {}", variant.name());
                targets.push(Target { what, limit, is, unit: "" });
            }
        }
    }
    let rss = |variant| {
        measured
            .starts
            .iter()
            .find(|start| start.variant == variant && start.workers == 4)
            .map(|start| start.rss)
    };
    if let (Some(native), Some(nothing)) = (rss(Variant::Native), rss(Variant::Nothing)) {
        let what = "memory of the native module with 4 workers".to_owned();
        targets.push(Target { what, limit: 1.5, is: native - nothing, unit: " MiB" });
    }
    let loads = measured.loads.iter().filter(|load| load.variant == Variant::Native);
    if let Some(load) = loads.max_by_key(|load| load.services) {
        let what = "5,000 services loaded natively: CPU time of a worker".to_owned();
        targets.push(Target { what, limit: 0.5, is: load.cpu, unit: " ms" });
    }
    targets
}

/// The targets that were missed, in words.
pub fn missed(measured: &Measured) -> Vec<String> {
    let missed =
        targets(measured).into_iter().filter(|target| target.is.is_nan() || target.is > target.limit);
    missed
        .map(|target| format!("{}: {:.2}{u} of {}{u}", target.what, target.is, target.limit, u = target.unit))
        .collect()
}

fn row(to: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    let _ = writeln!(to, "| {} |", cells.join(" | "));
}

fn head(to: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    let rule = "|-".repeat(cells.len()) + "|";
    row(to, cells);
    let _ = writeln!(to, "{rule}");
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.2}"))
}

/// Paths of requests, as overhead above no filter.
pub fn paths(rounds: &Rounds, of: fn(&[f64]) -> f64) -> String {
    let mut text = String::new();
    let shown = |variant: &Variant| rounds.keys().any(|(_, is)| is == variant);
    let variants: Vec<Variant> = Variant::ALL.into_iter().filter(shown).collect();
    head(
        &mut text,
        ["µs a request".to_owned()]
            .into_iter()
            .chain(variants.iter().map(|variant| variant.name().to_owned())),
    );
    let titles = SCENARIOS.iter().chain(&BODIES).map(|scenario| scenario.title);
    for title in titles.filter(|title| rounds.contains_key(&(*title, Variant::Nothing))) {
        let cell = |variant: &Variant| match variant {
            Variant::Nothing => number(cell(rounds, title, *variant, of)),
            _ => {
                overhead(rounds, title, *variant, of).map_or_else(String::new, |value| format!("{value:+.2}"))
            }
        };
        row(&mut text, [title.to_owned()].into_iter().chain(variants.iter().map(cell)));
    }
    text
}

/// All tables.
pub fn tables(measured: &Measured) -> String {
    let mut text = String::new();
    let effort = &measured.effort;
    head(&mut text, ["".to_owned(), "".to_owned()]);
    for (what, is) in &measured.machine {
        row(&mut text, [(*what).to_owned(), is.clone()]);
    }
    let bursts = effort.sittings * effort.rounds * effort.bursts;
    let requests = effort.requests;
    let _ = write!(
        text,
        "\n## Targets\n\nRatios compare overheads above no filter: minima of {bursts} bursts of {requests} requests in {} Envoys.\n\n",
        effort.sittings
    );
    head(&mut text, ["", "limit", "measured", ""].map(str::to_owned));
    for target in targets(measured) {
        let met = if target.is <= target.limit { "met" } else { "**missed**" };
        let value = |value: f64| format!("{value:.2}{}", target.unit);
        row(&mut text, [target.what.clone(), value(target.limit), value(target.is), met.to_owned()]);
    }
    let _ =
        write!(text, "\n## Paths: CPU time, minimum of the bursts\n\n{}", paths(&measured.rounds, minimum));
    let _ = write!(
        text,
        "\n## Paths: CPU time, 10th percentile of the bursts\n\n{}",
        paths(&measured.rounds, tenth)
    );
    latencies(&mut text, measured);
    life(&mut text, measured);
    let _ = write!(
        text,
        "\n## Memory while unique ids pass through\n\nGray requests, each with a request id and a trace id of its own.\n\n"
    );
    head(&mut text, ["ids", "RSS, MiB"].map(str::to_owned));
    for (ids, rss) in &measured.ids.points {
        row(&mut text, [ids.to_string(), format!("{rss:.1}")]);
    }
    text
}

fn latencies(text: &mut String, measured: &Measured) {
    let _ = write!(
        text,
        "\n## Latency at {RATE} requests a second\n\nOutbound, right already; a direct response; timed from when a request was due. \
         Quantiles of each turn, and the median over all turns; beside them, how long the worker waited for its core in a turn.\n\n"
    );
    head(text, ["µs", "p50", "p99", "p99.9", "waited, ms"].map(str::to_owned));
    for (variant, latency) in &measured.latencies {
        let times = latency.quantiles.map(|time| format!("{time:.0}"));
        let waited = format!("{:.1}", latency.waited);
        row(text, [variant.name().to_owned()].into_iter().chain(times).chain([waited]));
    }
}

/// Start and memory of proxies.
pub fn starts(starts: &[Start]) -> String {
    let mut text = String::new();
    head(&mut text, ["workers", "filter", "RSS, MiB", "start to ready, ms"].map(str::to_owned));
    for start in starts {
        row(
            &mut text,
            [
                start.workers.to_string(),
                start.variant.name().to_owned(),
                format!("{:.1}", start.rss),
                format!("{:.0}", start.ready),
            ],
        );
    }
    text
}

fn life(text: &mut String, measured: &Measured) {
    let few = measured.effort.starts;
    let _ = write!(
        text,
        "\n## Start and memory\n\nA sidecar's two listeners; memory after 4,000 requests; the lowest of {few} starts; for those that need \
         little memory, of {}.\n\n{}",
        few * crate::life::MORE,
        starts(&measured.starts)
    );
    let _ = write!(
        text,
        "\n## Large configurations\n\nCompared with one service; the main thread reads each configuration too.\n\n"
    );
    head(
        text,
        ["module", "services", "configuration, KiB", "CPU time of a worker, ms", "RSS, MiB"]
            .map(str::to_owned),
    );
    for load in &measured.loads {
        row(
            text,
            [
                load.variant.name().to_owned(),
                load.services.to_string(),
                format!("{:.0}", load.size),
                format!("{:.1}", load.cpu),
                format!("{:.1}", load.rss),
            ],
        );
    }
}

/// Writes docs/performance.md, and the figures that the README quotes.
///
/// # Errors
/// When a file cannot be written, or has lost its place for the figures.
pub fn write(root: &Path, measured: &Measured, tables: &str) -> Result<()> {
    let text = include_str!("../performance.md").replace("TABLES\n", tables);
    std::fs::write(root.join("docs/performance.md"), text)?;
    let path = root.join("README.md");
    let readme = std::fs::read_to_string(&path)?;
    std::fs::write(
        &path,
        quoted(&readme, &figures(measured)).context("README.md has no place for figures")?,
    )?;
    Ok(())
}

/// Three figures.
fn figures(measured: &Measured) -> String {
    let above = |title, variant| overhead(&measured.rounds, title, variant, minimum).unwrap_or(f64::NAN);
    let line = |what: &str, title, wherefore: &str| {
        let variants = [Variant::Graylane, Variant::Native, Variant::Noop, Variant::LuaMetadata];
        let [ours, native, noop, lua] = variants.map(|variant| above(title, variant));
        let lua = if lua.is_nan() { "cannot".to_owned() } else { format!("{lua:.1}") };
        format!("| {what}{wherefore} | **{ours:.1}** | **{native:.1}** | {noop:.1} | {lua} |\n")
    };
    let mut text = "| µs of CPU time added per request | graylane | native | a filter on the Rust SDK that does nothing | Lua |\n|-|-|-|-|-|\n".to_owned();
    text += &line("a request with the right header", OUTBOUND_RIGHT, "");
    text += &line("a live user's version chosen", OUTBOUND_STICKY, "");
    text += &line("a lost header restored", OUTBOUND_LOST, "");
    text
}

const BEGIN: &str = "<!-- figures of `make bench` -->\n";
const END: &str = "<!-- end of figures -->\n";

fn quoted(readme: &str, figures: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{figures}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_replaced_and_the_rest_stays() {
        let readme = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(quoted(&readme, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert_eq!(quoted("a", "new"), None);
    }

    #[test]
    fn the_lowest_and_the_lowest_but_for_a_tenth() {
        let values: Vec<f64> = (0..20).rev().map(f64::from).collect();
        assert_eq!((minimum(&values), tenth(&values)), (0.0, 2.0));
        assert!(tenth(&[]).is_nan());
    }
}

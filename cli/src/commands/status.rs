//! `graylane status`: which configuration pods run.

use anyhow::Result;
use serde::Serialize;

use crate::args::{Format, Status};
use crate::printer::{Outcome, Printer};
use crate::prometheus::{Prometheus, Sample};
use crate::queries::Queries;
use crate::ramp::apply::{NATIVE, Plugin, half_over, plugins};
use crate::{lower, plain};

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    revision: &'a str,
    current: usize,
    other: usize,
    plugins: &'a [Plugin],
}

/// Says which pods run the configuration of the file, and which do not.
pub fn run(args: &Status, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let prometheus = Prometheus::open(&args.asked)?;
    let runtime = printer.runtime()?;
    let plugins = runtime.block_on(plugins(&prometheus, &mesh))?;
    let queries = Queries::of(&mesh);
    let unreadable = runtime.block_on(prometheus.query(&queries.invalid()))?;
    let without = runtime.block_on(prometheus.query(&queries.proxies_without_filter()))?;
    let revision = lower::revision(&mesh);
    let current = plugins.iter().filter(|plugin| plugin.current).count();
    let other = plugins.len() - current;
    match args.output {
        Format::Json => printer.json(&Report { revision: &revision, current, other, plugins: &plugins })?,
        Format::Text => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(["namespace", "pod", "plugin", "module", "runs", ""]);
            for plugin in &plugins {
                let mark = if plugin.current { "" } else { "another configuration" };
                let runs = plugin.revision.as_deref().unwrap_or("nothing");
                let told = [&*plugin.namespace, &plugin.pod, &plugin.direction].map(plain::line);
                table.add_row([&*told[0], &*told[1], &*told[2], plugin.module, runs, mark]);
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            printer.data(&(table.trim_fmt() + "\n"))?;
            let native = plugins.iter().filter(|plugin| plugin.module == NATIVE).count();
            let native =
                if native > 0 { format!(", {native} of them as native module") } else { String::new() };
            printer.say(&format!("{current} of {} plugins run revision {revision}{native}", plugins.len()));
        }
    }
    let half_over = half_over(&plugins);
    if !half_over.is_empty() {
        printer.say(&format!(
            "the native module for one direction, the filter for the other: {}; what comes in there is not restored when it goes out: \
             docs/native.md",
            half_over.join(", ")
        ));
    }
    if let Some(first) = unreadable.first() {
        printer.say(&format!(
            "{} plugins cannot read the configuration they were given last, as the one for {} of {}; they keep the one \
             before, if there was one",
            unreadable.len(),
            plain::line(first.label("direction")),
            place(first)
        ));
    }
    if !without.is_empty() {
        let places: Vec<String> = without.iter().map(place).collect();
        printer.say(&format!("without a plugin: {}", places.join(", ")));
    }
    if plugins.is_empty() {
        printer.say("no pod reports its configuration: is the filter's metrics port scraped?");
    }
    let fine =
        other == 0 && current > 0 && unreadable.is_empty() && without.is_empty() && half_over.is_empty();
    Ok(if fine { Outcome::Ok } else { Outcome::Findings })
}

/// The pod of a series; the gateway's has none if no pod of it says anything.
fn place(sample: &Sample) -> String {
    match [sample.label("namespace"), sample.label("pod")].map(plain::line) {
        [namespace, pod] if pod.is_empty() => format!("the gateway in {namespace}"),
        [namespace, pod] => format!("{namespace}/{pod}"),
    }
}

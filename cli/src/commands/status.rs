//! `graylane status`: which configuration pods run, and which patches of external weights do not fit the routes that are there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use graylane_mesh::aligned;
use serde::Serialize;

use super::patches::{self, Row};
use crate::args::{Format, Status};
use crate::history::{self, Found};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::prometheus::{Prometheus, Sample};
use crate::queries::Queries;
use crate::ramp::apply::{NATIVE, Plugin, half_over, plugins};
use crate::time::rfc3339;
use crate::{lower, plain};

/// What machines get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    revision: &'a str,
    /// By revision: the commit that brought it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    commits: &'a BTreeMap<String, Found>,
    #[serde(flatten)]
    pods: Option<&'a Pods>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<&'a [Row]>,
}

/// What Prometheus knows.
#[derive(Serialize)]
struct Pods {
    current: usize,
    other: usize,
    plugins: Vec<Plugin>,
    #[serde(skip)]
    unreadable: Vec<Sample>,
    #[serde(skip)]
    without: Vec<Sample>,
}

/// Says which pods run the configuration of the file, and which do not; and which EnvoyFilters do not fit the routes that are there.
pub fn run(args: &Status, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let prometheus = args.asked.as_ref().map(Prometheus::open).transpose()?;
    let runtime = printer.runtime()?;
    let pods = prometheus.as_ref().map(|prometheus| runtime.block_on(pods(prometheus, &mesh))).transpose()?;
    let revision = lower::revision(&mesh);
    let commits = commits(args, &revision, pods.as_ref());
    if let (Some(pods), Format::Text) = (&pods, args.output) {
        show(pods, &revision, &commits, printer)?;
    }
    let found = match &args.against {
        Some(path) => Some(runtime.block_on(patches::find(path, &mesh, prometheus.as_ref(), printer))?),
        None => None,
    };
    if args.output == Format::Json {
        let routes = found.as_ref().map(|found| &found.rows[..]);
        printer.json(&Report { revision: &revision, commits: &commits, pods: pods.as_ref(), routes })?;
    }
    let pods_are_fine = pods.as_ref().is_none_or(|pods| said_fine(pods, printer));
    let fine = pods_are_fine && found.is_none_or(|found| found.is_fine);
    Ok(if fine { Outcome::Ok } else { Outcome::Findings })
}

async fn pods(prometheus: &Prometheus, mesh: &Mesh) -> Result<Pods> {
    let plugins = plugins(prometheus, mesh).await?;
    let queries = Queries::of(mesh);
    let unreadable = prometheus.query(&queries.invalid()).await?;
    let without = prometheus.query(&queries.proxies_without_filter()).await?;
    let current = plugins.iter().filter(|plugin| plugin.current).count();
    Ok(Pods { current, other: plugins.len() - current, plugins, unreadable, without })
}

/// The commits that brought what pods run, and what is in the file: as far as the file is in Git.
fn commits(args: &Status, revision: &str, pods: Option<&Pods>) -> BTreeMap<String, Found> {
    let Some(pods) = pods else { return BTreeMap::new() };
    let run = pods.plugins.iter().filter_map(|plugin| plugin.revision.clone());
    let wanted: BTreeSet<String> = run.chain([revision.to_owned()]).collect();
    history::of_revisions(&args.files.file, &wanted).map(|(found, _)| found).unwrap_or_default()
}

/// Prints the table.
fn show(pods: &Pods, revision: &str, commits: &BTreeMap<String, Found>, printer: Printer) -> Result<()> {
    let of_commit = |revision: &str, before: &str, after: &str| {
        commits.get(revision).map_or_else(String::new, |found| {
            format!("{before}commit {} of {}{after}", found.commit.id, rfc3339(found.commit.time))
        })
    };
    let row = |plugin: &Plugin| {
        let mark = match &plugin.revision {
            _ if plugin.current => String::new(),
            Some(revision) => format!("another configuration{}", of_commit(revision, ", ", "")),
            None => "another configuration".to_owned(),
        };
        let runs = plugin.revision.as_deref().unwrap_or("nothing");
        let [namespace, pod, direction] =
            [&*plugin.namespace, &plugin.pod, &plugin.direction].map(|text| plain::line(text).into_owned());
        [namespace, pod, direction, plugin.module.to_owned(), runs.to_owned(), mark]
    };
    let head = ["namespace", "pod", "plugin", "module", "runs", ""];
    printer.data(&aligned(head, pods.plugins.iter().map(row)))?;
    let native = pods.plugins.iter().filter(|plugin| plugin.module == NATIVE).count();
    let native = if native > 0 { format!(", {native} of them as native module") } else { String::new() };
    printer.say(&format!(
        "{} of {} plugins run revision {revision}{}{native}",
        pods.current,
        pods.plugins.len(),
        of_commit(revision, " (", ")")
    ));
    Ok(())
}

/// Says what is wrong with pods; is nothing?
fn said_fine(pods: &Pods, printer: Printer) -> bool {
    let Pods { current, other, plugins, unreadable, without } = pods;
    let half_over = half_over(plugins);
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
    *other == 0 && *current > 0 && unreadable.is_empty() && without.is_empty() && half_over.is_empty()
}

/// The pod of a series; the gateway's has none if no pod of it says anything.
fn place(sample: &Sample) -> String {
    match [sample.label("namespace"), sample.label("pod")].map(plain::line) {
        [namespace, pod] if pod.is_empty() => format!("the gateway in {namespace}"),
        [namespace, pod] => format!("{namespace}/{pod}"),
    }
}

//! `graylane status`: which configuration pods run, and which patches of external weights do not fit the routes that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Result, bail};
use futures_util::future::join_all;
use graylane_mesh::aligned;
use serde::Serialize;

use super::patches::{self, Row};
use crate::args::{Asked, Format, Status};
use crate::clusters::{self, InCluster, said_of};
use crate::document::Checked;
use crate::history::{self, Found};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::prometheus::{Prometheus, Sample, Several};
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
    /// By cluster, where the file names clusters; a text: why it is not known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    clusters: BTreeMap<&'a str, InOne<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<&'a [Row]>,
}

/// A cluster among several.
#[derive(Serialize)]
#[serde(untagged)]
enum InOne<'a> {
    Known {
        revision: &'a str,
        #[serde(flatten)]
        pods: &'a Pods,
    },
    Unknown {
        error: String,
    },
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

/// A cluster, what its file says, and what its pods run.
struct There {
    name: Option<String>,
    revision: String,
    pods: Result<Pods>,
}

/// Says which pods run the configuration of the file, and which do not; and which EnvoyFilters do not fit the routes that are there.
pub fn run(args: &Status, printer: Printer) -> Result<Outcome> {
    let Some((file, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let runtime = printer.runtime()?;
    let mut all = match &args.asked {
        Some(asked) => runtime.block_on(everywhere(asked, &args.files.file, &file))?,
        None => Vec::new(),
    };
    if let [There { name: None, pods, .. }] = &mut all[..]
        && let Err(error) = pods
    {
        // There is nothing else to say.
        bail!("{error:#}");
    }
    let revision = lower::revision(&mesh);
    let commits = commits(args, &revision, &all);
    if args.output == Format::Text {
        all.iter().try_for_each(|one| show(one, &commits, printer))?;
    }
    let found = match &args.against {
        Some(path) => {
            let prometheus = args.asked.as_ref().filter(|_| all.iter().all(|one| one.name.is_none()));
            let prometheus = prometheus.map(Prometheus::open).transpose()?;
            Some(runtime.block_on(patches::find(path, &mesh, prometheus.as_ref(), printer))?)
        }
        None => None,
    };
    if args.output == Format::Json {
        let routes = found.as_ref().map(|found| &found.rows[..]);
        let only = all.first().filter(|one| one.name.is_none());
        let pods = only.and_then(|one| one.pods.as_ref().ok());
        let clusters = all.iter().filter_map(|one| Some((one.name.as_deref()?, in_one(one)))).collect();
        printer.json(&Report { revision: &revision, commits: &commits, pods, clusters, routes })?;
    }
    // Each says what is wrong with it.
    let wrong = all.iter().filter(|one| !is_fine(one, printer)).count();
    Ok(if wrong == 0 && found.is_none_or(|found| found.is_fine) { Outcome::Ok } else { Outcome::Findings })
}

fn in_one(There { revision, pods, .. }: &There) -> InOne<'_> {
    match pods {
        Ok(pods) => InOne::Known { revision, pods },
        Err(error) => InOne::Unknown { error: format!("{error:#}") },
    }
}

/// Asks for each cluster.
async fn everywhere(asked: &Asked, paths: &[PathBuf], file: &Checked) -> Result<Vec<There>> {
    let prometheus = Several::open(asked, &clusters::names(file))?;
    let clusters = clusters::meshes(paths, file)?;
    let all =
        clusters.into_iter().zip(prometheus.iter()).map(async |(InCluster { name, mesh }, (_, one))| There {
            name,
            revision: lower::revision(&mesh),
            pods: pods(one, &mesh).await,
        });
    Ok(join_all(all).await)
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
fn commits(args: &Status, revision: &str, all: &[There]) -> BTreeMap<String, Found> {
    let pods: Vec<&Pods> = all.iter().filter_map(|one| one.pods.as_ref().ok()).collect();
    if pods.is_empty() {
        return BTreeMap::new();
    }
    let run = pods.iter().flat_map(|pods| &pods.plugins).filter_map(|plugin| plugin.revision.clone());
    let wanted: BTreeSet<String> = run.chain([revision.to_owned()]).collect();
    history::of_revisions(&args.files.file, &wanted).map(|(found, _)| found).unwrap_or_default()
}

/// Prints the table of a cluster.
fn show(one: &There, commits: &BTreeMap<String, Found>, printer: Printer) -> Result<()> {
    let There { name, revision, pods: Ok(pods) } = one else { return Ok(()) };
    if let Some(name) = name {
        printer.data(&format!("cluster {name}\n"))?;
    }
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
    let said = format!(
        "{} of {} plugins run revision {revision}{}{native}",
        pods.current,
        pods.plugins.len(),
        of_commit(revision, " (", ")")
    );
    printer.say(&said_of(name.as_deref(), &said));
    Ok(())
}

/// Says what is wrong in a cluster; is nothing?
fn is_fine(There { name, pods, .. }: &There, printer: Printer) -> bool {
    let say = |text: &str| printer.say(&said_of(name.as_deref(), text));
    let pods = match pods {
        Ok(pods) => pods,
        Err(error) => {
            say(&format!("unknown what pods run: {error:#}"));
            return false;
        }
    };
    let Pods { current, other, plugins, unreadable, without } = pods;
    let half_over = half_over(plugins);
    if !half_over.is_empty() {
        say(&format!(
            "the native module for one direction, the filter for the other: {}; what comes in there is not restored when it goes out: \
             docs/native.md",
            half_over.join(", ")
        ));
    }
    if let Some(first) = unreadable.first() {
        say(&format!(
            "{} plugins cannot read the configuration they were given last, as the one for {} of {}; they keep the one \
             before, if there was one",
            unreadable.len(),
            plain::line(first.label("direction")),
            place(first)
        ));
    }
    if !without.is_empty() {
        let places: Vec<String> = without.iter().map(place).collect();
        say(&format!("without a plugin: {}", places.join(", ")));
    }
    if plugins.is_empty() {
        say("no pod reports its configuration: is the filter's metrics port scraped?");
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

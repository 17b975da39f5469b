//! EnvoyFilters of external weights, on the routes that are there: what `status` says of them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::there::{self, There};
use crate::adopt::patches::{self, Filter, Mismatch};
use crate::adopt::weights::What;
use crate::document::finding::Findings;
use crate::mesh::Mesh;
use crate::plain;
use crate::printer::Printer;
use crate::prometheus::Prometheus;
use crate::queries::Queries;

/// How to read what is there.
const ALL: &str = "kubectl get vs,dr,envoyfilter -A -o yaml";

/// Something wrong, for machines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    service: String,
    problem: String,
    /// `namespace/name` of each EnvoyFilter.
    envoy_filters: Vec<String>,
    /// Does Envoy reject the route table?
    rejected: bool,
    /// Proxies that rejected routes since istiod started, as `pod.namespace`; none: Prometheus was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_by: Option<Vec<String>>,
    /// What takes the EnvoyFilters away.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// For machines.
    pub rows: Vec<Row>,
    /// Is all as it should be?
    pub is_fine: bool,
}

/// Compares, says what is wrong (to people), and returns it.
///
/// # Errors
/// When what is there cannot be read, or Prometheus does not answer.
pub async fn find(
    path: &Path,
    mesh: &Mesh,
    prometheus: Option<&Prometheus>,
    printer: Printer,
) -> Result<Found> {
    let there = There::read(path, mesh, printer)?;
    let whole: Vec<_> = there.resources.iter().map(|resource| &resource.whole).collect();
    let filters = patches::filters(mesh, &whole);
    let mut findings = Findings::default();
    let mut rows = Vec::new();
    for mismatch in patches::mismatches(&filters, &there.world) {
        let rejected_by = match prometheus {
            Some(prometheus) if mismatch.problem.what == What::Rejected => {
                Some(rejected_by(prometheus, &mismatch).await?)
            }
            _ => None,
        };
        let row = row(mesh, &mismatch, rejected_by);
        let place = mismatch.problem.at.and_then(|at| there::rule(&there.resources, at));
        match &row.command {
            Some(command) => findings.error(place, text(&mismatch, &row)).help(format!(
                "delete the EnvoyFilter: `{command}`; istiod's next push repairs the routes, and the weights are drawn at random for each request"
            )),
            None => findings.warning(place, text(&mismatch, &row)).help(mismatch.problem.help.clone()),
        };
        rows.push(row);
    }
    let missing = patches::missing(mesh, &filters);
    for (service, namespaces) in &missing {
        findings
            .warning(
                None,
                format!(
                    "no EnvoyFilter of `{service}` in {}: its weights are drawn at random for each request there",
                    namespaces.join(", ")
                ),
            )
            .help(format!("apply what `graylane render` prints; or pass what is there: `{ALL}`"));
    }
    let is_fine = rows.is_empty() && missing.is_empty();
    printer.findings(&findings, &there.sources);
    if is_fine && !filters.is_empty() {
        printer.say(&format!("{}: each matches the existing routes", counted(filters.len())));
    }
    Ok(Found { rows, is_fine })
}

fn row(mesh: &Mesh, mismatch: &Mismatch<'_>, rejected_by: Option<Vec<String>>) -> Row {
    let problem = &mismatch.problem;
    let rejected = problem.what == What::Rejected;
    Row {
        service: problem.service.clone(),
        problem: problem.text.clone(),
        envoy_filters: mismatch.filters.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect(),
        rejected,
        rejected_by,
        command: rejected.then(|| patches::removal(mesh, &problem.service)),
    }
}

fn text(mismatch: &Mismatch<'_>, row: &Row) -> String {
    let names = row.envoy_filters.join(", ");
    if !row.rejected {
        return format!(
            "EnvoyFilter {names} does not match the routes: {}; users of `{}` get a version at random for each request",
            row.problem, row.service
        );
    }
    let by = match row.rejected_by.as_deref() {
        None => String::new(),
        Some([]) => "; istiod counts no rejected routes there".to_owned(),
        Some(nodes) => format!("; rejected routes since istiod started: {}", nodes.join(", ")),
    };
    format!(
        "{}, and EnvoyFilter {names} makes it invalid: proxies of {} reject all routes of its port, running ones keep what they have, new \
         pods have none{by}",
        row.problem,
        of(&mismatch.filters)
    )
}

/// Whose proxies they patch.
fn of(filters: &[&Filter]) -> String {
    let one = |filter: &&Filter| {
        let labels = filter.selector.iter().map(|(key, value)| format!("{key}={value}"));
        match labels.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => format!("namespace {}", filter.namespace),
            labels => format!("namespace {} with {labels}", filter.namespace),
        }
    };
    filters.iter().map(one).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

async fn rejected_by(prometheus: &Prometheus, mismatch: &Mismatch<'_>) -> Result<Vec<String>> {
    let namespaces: BTreeSet<&str> = mismatch.filters.iter().map(|one| one.namespace.as_str()).collect();
    let samples = prometheus.query(&Queries::proxies_that_rejected_routes(namespaces)).await?;
    let nodes: BTreeSet<String> =
        samples.iter().map(|sample| plain::line(sample.label("node")).into_owned()).collect();
    Ok(nodes.into_iter().collect())
}

fn counted(filters: usize) -> String {
    match filters {
        1 => "1 EnvoyFilter of external weights".to_owned(),
        many => format!("{many} EnvoyFilters of external weights"),
    }
}

//! Is a cluster ready for graylane, and what is to be done first? Out of what `kubectl get -o yaml` prints; nothing is asked of the
//! cluster itself.
//!
//! | part | its subject |
//! |-|-|
//! | `versions` | istiod, proxies, and the APIs that the cluster has |
//! | `pods` | pods without a sidecar |
//! | `gateways` | ingress gateways, and whether the file names them |
//! | `others` | objects that other people made for the same hosts and namespaces, and graylane's own |
//! | `text` | what is printed |

mod gateways;
mod others;
mod pods;
mod text;
mod versions;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;

use crate::manifest::Resource;
use crate::mesh::Mesh;
use crate::report::LaneMap;

pub use text::text;

/// How it stands with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Nothing to do.
    Ok,
    /// What it depends on was not passed.
    Unknown,
    /// It works, and probably not as it is meant.
    Warning,
    /// graylane does not work so.
    Error,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// How it stands.
    pub state: State,
    /// What it is about.
    pub subject: &'static str,
    /// What was found.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const NO_PODS: &str = "no pod was passed";
const PASS_PODS: &str = "pass the pods of all namespaces: kubectl get pods -A -o yaml";

impl Row {
    fn new(state: State, subject: &'static str, text: impl Into<String>) -> Self {
        Self { state, subject, text: text.into(), next: None }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}

/// What is known of a cluster.
struct Cluster<'a> {
    resources: &'a [Resource],
    /// Namespaces that the mesh is about: the file's, or those with injection.
    namespaces: BTreeSet<String>,
}

impl<'a> Cluster<'a> {
    fn of(resources: &'a [Resource], mesh: Option<&Mesh>) -> Self {
        let namespaces = match mesh {
            Some(mesh) => mesh.namespaces().iter().map(|name| (*name).to_owned()).collect(),
            None => pods::injected(resources),
        };
        Self { resources, namespaces }
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// Pods that run or will.
    fn pods(&self) -> impl Iterator<Item = &'a Resource> {
        let ended =
            |pod: &&Resource| matches!(pod.whole["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        self.of_kind("Pod").filter(move |pod| !ended(pod))
    }
}

/// Looks at everything. `lanes`: what the filter counted, where a Prometheus was asked.
#[must_use]
pub fn examine(resources: &[Resource], mesh: Option<&Mesh>, lanes: Option<&LaneMap>) -> Vec<Row> {
    let cluster = Cluster::of(resources, mesh);
    let mut rows = Vec::new();
    if mesh.is_none() {
        let row =
            Row::new(State::Warning, "file", "no graylane file: hosts and gateways are not compared with it");
        rows.push(row.next("graylane init: a first file from Services and Deployments; pass it with --file"));
    }
    rows.extend(versions::rows(&cluster));
    rows.push(pods::row(&cluster));
    rows.extend(gateways::rows(&cluster, mesh));
    rows.extend(others::rows(&cluster, mesh));
    rows.push(lost(lanes));
    rows
}

/// Applications that lose the tenant.
fn lost(lanes: Option<&LaneMap>) -> Row {
    const SUBJECT: &str = "applications";
    let Some(lanes) = lanes else {
        let row = Row::new(
            State::Unknown,
            SUBJECT,
            "only the filter's metrics show which ones lose the tenant header",
        );
        return row.next("once the filter runs, pass --prometheus URL");
    };
    match &lanes.breaks[..] {
        [] => Row::new(State::Ok, SUBJECT, "no call loses its tenant"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            // What is restored works; what is not, sends testers to the baseline.
            let state =
                if lanes.breaks.iter().all(|each| each.restored) { State::Ok } else { State::Warning };
            let row = Row::new(state, SUBJECT, format!("{}{more}", first.says.trim_end_matches('.')));
            row.next("graylane report: each call that loses it, and what would bring it back")
        }
    }
}

/// Labels, as a map of texts.
fn labels(json: &Json) -> impl Iterator<Item = (&str, &str)> {
    json.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Are all of these labels on a pod?
fn selects<'l>(mut selector: impl Iterator<Item = (&'l str, &'l str)>, pod: &Resource) -> bool {
    selector.all(|(key, value)| pod.whole["metadata"]["labels"][key] == value)
}

/// Some names, and how many more there are.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

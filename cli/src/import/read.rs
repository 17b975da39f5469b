//! Resources out of YAML: several documents in a file, and the lists that `kubectl get -o yaml` writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};
use crate::document::tree::{self, Node, Value};
use crate::files;
pub use crate::manifest::Resource;
use crate::traffic::{group_is_istio, is_of_gateway_api};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those of Istio and of the Gateway API that an import makes something of, in the order that they were read.
    pub known: Vec<Resource>,
    /// Services, if there are HTTPRoutes: those lead to Services, which say what their versions are.
    pub services: Vec<Resource>,
    /// How many there are of other kinds.
    pub others: BTreeMap<String, usize>,
}

/// Istio's kinds that an import makes something of.
const KINDS: [&str; 4] = ["VirtualService", "DestinationRule", "Gateway", "RequestAuthentication"];
/// Those of the Gateway API.
const KINDS_OF_GATEWAY_API: [&str; 3] = [HTTP_ROUTE, GRPC_ROUTE, "Gateway"];
/// A route for HTTP.
pub const HTTP_ROUTE: &str = "HTTPRoute";
/// A route for gRPC.
pub const GRPC_ROUTE: &str = "GRPCRoute";

impl Found {
    /// From resources of any kind.
    #[must_use]
    pub fn of(resources: Vec<Resource>) -> Self {
        let mut found = Self::default();
        let has_routes = resources.iter().any(|one| one.kind == HTTP_ROUTE && is_of_gateway_api(&one.whole));
        for resource in resources {
            let kind = resource.kind.as_str();
            if has_routes && kind == "Service" && resource.whole["apiVersion"] == "v1" {
                found.services.push(resource);
                continue;
            }
            let of_gateway_api = KINDS_OF_GATEWAY_API.contains(&kind) && is_of_gateway_api(&resource.whole);
            if of_gateway_api && (has_routes || kind == GRPC_ROUTE) {
                found.known.push(resource);
                continue;
            }
            match (KINDS.contains(&kind), group_is_istio(&resource.whole)) {
                (true, true) => found.known.push(resource),
                (true, false) => {
                    let group = resource.whole["apiVersion"].as_str().unwrap_or_default();
                    *found
                        .others
                        .entry(format!("{} of {group}, which is not Istio's", resource.kind))
                        .or_default() += 1;
                }
                (false, _) => *found.others.entry(resource.kind).or_default() += 1,
            }
        }
        found
    }

    /// Those of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.known.iter().filter(move |resource| resource.kind == kind)
    }

    /// Is there nothing that routes?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routing().next().is_none()
    }

    /// What routes.
    fn routing(&self) -> impl Iterator<Item = &Resource> {
        let kinds = ["VirtualService", "DestinationRule", HTTP_ROUTE, GRPC_ROUTE];
        self.known.iter().filter(move |resource| kinds.contains(&resource.kind.as_str()))
    }

    /// Which form of routes the file has: with an HTTPRoute, that of the Gateway API.
    #[must_use]
    pub fn is_of_gateway_api(&self) -> bool {
        self.of_kind(HTTP_ROUTE).next().is_some()
    }

    /// The namespace that most of what routes is in.
    #[must_use]
    pub fn namespace(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for resource in self.routing() {
            *counts.entry(&resource.namespace).or_default() += 1;
        }
        let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
        most.map_or("default", |(name, _)| name).to_owned()
    }
}

/// Reads files, folders and `-`. What is not YAML or not a resource is a finding; in a folder, which is read in depth, what is
/// no resource is passed over.
///
/// # Errors
/// When one cannot be read at all.
pub fn read(paths: &[PathBuf], sources: &mut SourceFiles, findings: &mut Findings) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    for path in paths {
        let folder = path.is_dir();
        for path in manifests(path)? {
            let file = files::read(sources, &path)?;
            let text = sources.text(file);
            if path.as_os_str() == "-" && text.trim().is_empty() {
                findings.error(None, "standard input is empty").help(
                    "run the command before the pipe alone: kubectl prints no object at all if the cluster does not know one of the kinds",
                );
            }
            // Values, charts and settings of other tools lie in the same folders.
            if folder && !(text.contains("apiVersion") && text.contains("kind")) {
                continue;
            }
            if is_template(sources.text(file)) {
                let place = template_place(sources, file);
                findings
                    .error(Some(place), "this is a template, not YAML")
                    .help("render it first, as in `helm template CHART | graylane import -`");
                continue;
            }
            for node in tree::parse(sources, file, findings) {
                add(node, folder, &mut resources, findings);
            }
        }
    }
    Ok(resources)
}

fn add(mut node: Node, folder: bool, resources: &mut Vec<Resource>, findings: &mut Findings) {
    let kind = node.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
    if kind == "Kustomization" {
        return;
    }
    if kind.ends_with("List")
        && let Value::Map(entries) = &mut node.value
        && let Some(items) = entries.iter_mut().find(|entry| entry.key == "items")
        && let Value::List(items) = &mut items.node.value
    {
        resources.extend(std::mem::take(items).into_iter().filter_map(|item| Resource::of(item).ok()));
        return;
    }
    match Resource::of(node) {
        Ok(resource) => resources.push(resource),
        Err(_) if folder || kind.ends_with("List") => {}
        Err(node) => {
            findings
                .error(Some(node.span), "not a Kubernetes resource: missing `kind` or `metadata.name`")
                .help("pass VirtualServices and DestinationRules, as in `kubectl get vs,dr -o yaml`");
        }
    }
}

/// Braces of Helm outside of quotes and comments.
fn is_template(text: &str) -> bool {
    text.lines().any(line_is_template)
}

fn line_is_template(line: &str) -> bool {
    let line = line.trim();
    let Some(at) = line.find("{{") else { return false };
    let before = &line[..at];
    // `[{{…}}]` cannot be YAML: a map is not a key. In quotes it is text, as in annotations and Prometheus rules.
    !line.starts_with('#')
        && line.contains("}}")
        && !before.contains(['"', '\'', '`'])
        && !before.contains(" #")
        && (before.is_empty()
            || before.ends_with([' ', '-', ':', '/', '.'])
            || before.ends_with(char::is_alphanumeric))
        && !line[at..].starts_with("{{}}")
}

fn template_place(sources: &SourceFiles, file: usize) -> Span {
    let text = sources.text(file);
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line_is_template(line) {
            let offset = line.find("{{").unwrap_or(0);
            let column = line[..offset].chars().count() + 1;
            return Span { file, start: start + offset, end: start + offset + 2, line: index + 1, column };
        }
        start += line.len();
    }
    Span { file, start: 0, end: 0, line: 1, column: 1 }
}

/// The manifests of a folder and the folders in it, in byte order of their names; of a file, the file itself.
fn manifests(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let problem = || format!("cannot read folder `{}`", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(problem)? {
            let entry = entry.with_context(problem)?;
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_string_lossy().starts_with('.');
            // Not through links, which may lead in circles.
            if entry.file_type().with_context(problem)?.is_dir() && !hidden {
                folders.push(path);
            } else if path.is_file()
                && path
                    .extension()
                    .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
            {
                files.push(path);
            }
        }
    }
    ensure!(!files.is_empty(), "folder `{}` has no .yaml or .json file", path.display());
    files.sort();
    Ok(files)
}

//! The Istio resources of a file.
//!
//! Deterministic: the same file gives the same bytes. The order is that of safe application: DestinationRules (a
//! route to a subset that is not there yet answers 503), sidecar plugins, VirtualServices, gateway plugin; removal goes
//! the other way round. Telemetry, alerts and dashboards come last.

mod admission;
mod alertmanager_config;
mod alone;
mod attached;
mod checks;
mod dashboard;
mod destination_rule;
mod files;
pub(crate) mod hosts;
mod http_route;
mod kind;
mod mesh_config;
mod native;
mod native_pods;
mod next;
mod off;
mod overlay;
mod plugin;
mod point;
mod prometheus_rule;
mod replace;
mod request_authentication;
mod routes;
mod telemetry;
mod topic;
mod trace_context;
mod virtual_service;
mod waypoints;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::manifest;
use crate::mesh::{Fields, Mesh};
use crate::serialise;

pub use crate::lacking::Lacking;
pub use alone::filter as alone_filter;
pub use checks::{check_data_plane, check_extension, check_filter, check_unseen};
pub use dashboard::{dashboard, dashboard_queries, file_name as dashboard_file};
pub use destination_rule::{all_for_chart as destination_rules_for_chart, common_labels, host_fallbacks};
pub use files::{Written, file_name, files};
pub use kind::Kind;
pub use mesh_config::{access_log_format, mesh_config};
pub use native::{LABEL as NATIVE_LABEL, PROXIES as NATIVE_PROXIES};
pub use native_pods::{NativePods, native_pods};
pub use next::{LABEL as NEXT_LABEL, Next, VALUE as NEXT_VALUE, check as check_next};
pub use off::{Scope, off};
pub use overlay::files as overlays;
pub use plugin::{Variable, environment};
pub use point::SERVICE as SERVICE_LABEL;
pub use telemetry::{check_merge, existing as existing_telemetries, is_for_all_pods, tenant_tag};
pub use trace_context::mutation as trace_mutation;
pub use virtual_service::frame as host_frame;
pub use waypoints::lacking;

/// Through which API plugins are applied. Never both, or the filter runs twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extension {
    /// WasmPlugin.
    #[default]
    WasmPlugin,
    /// TrafficExtension, its successor.
    TrafficExtension,
}

/// What carries the mesh's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPlane {
    /// A sidecar in every pod.
    #[default]
    Sidecar,
    /// Waypoints.
    Ambient,
}

/// How a file is rendered.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Through which API plugins are applied.
    pub extension: Extension,
    /// What carries the traffic.
    pub data_plane: DataPlane,
    /// Where Istio gets the filter, written as it is; without it there are no plugins.
    pub url: Option<String>,
    /// Where a gateway's proxies get it, if elsewhere: a file in their image needs no registry when they start.
    pub gateway_url: Option<String>,
    /// Another image of the filter, for some pods.
    pub next: Option<Next>,
    /// The only revision of Istio whose istiod reads the plugins.
    pub istio_revision: Option<String>,
    /// The newest version of its configuration that the filter reads, where that is known.
    pub reads: Option<u32>,
    /// Plain routing: no plugin, and no rule that only a plugin makes sense of.
    pub without_filter: bool,
    /// No ValidatingAdmissionPolicy: who applies may not write objects of the whole cluster, or Kubernetes is older than 1.30.
    pub without_admission_policy: bool,
    /// Spans get their tags from headers, as before Istio 1.29.
    pub header_tags: bool,
    /// Telemetries that exist, to be merged with ours.
    pub telemetries: Vec<manifest::Resource>,
    /// A dashboard as ConfigMap; without this, where the file has alerts.
    pub dashboards: Option<bool>,
    /// Where pods have the native module, which then runs instead of the filter in those that are labelled so.
    pub native: Option<String>,
    /// Only these kinds.
    pub only: Option<BTreeSet<Kind>>,
    /// Only objects of these namespaces.
    pub namespaces: Option<BTreeSet<String>>,
}

/// When a resource is safely applied, counted from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Workers consume what is there.
    Topics = 0,
    /// Nothing depends on what was before: subsets, and what guards routes.
    Subsets = 1,
    /// Sidecars and waypoints learn what routes will need.
    Plugins = 2,
    /// Routes.
    Routes = 3,
    /// The gateway starts to choose.
    Gateway = 4,
    /// What is seen of it all.
    Sight = 5,
}

/// One resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    api_version: &'static str,
    #[serde(rename = "kind")]
    kind_name: &'static str,
    /// Name, namespace, labels and annotations.
    pub metadata: Metadata,
    #[serde(flatten)]
    body: Body,
    #[serde(skip)]
    kind: Kind,
    #[serde(skip)]
    stage: Stage,
}

/// Name, namespace, labels and annotations of a resource.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace; empty: it is the whole cluster's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What owns it, so that `kubectl apply --prune` and Argo CD can.
    pub labels: BTreeMap<Cow<'static, str>, String>,
    /// What made it.
    pub annotations: BTreeMap<&'static str, String>,
}

impl Metadata {
    /// Adds the labels by which Prometheus and Alertmanager choose what they load.
    fn chosen_by(&mut self, mesh: &Mesh) {
        let labels = mesh.document.alerts.iter().flat_map(|alerts| &alerts.labels);
        self.labels.extend(labels.map(|(key, value)| (Cow::Owned(key.clone()), value.clone())));
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Spec(Spec),
    Data(BTreeMap<String, String>),
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Spec {
    KafkaTopic(topic::Spec),
    DestinationRule(destination_rule::Spec),
    VirtualService(virtual_service::Spec),
    WasmPlugin(Box<plugin::WasmPlugin>),
    TrafficExtension(Box<plugin::TrafficExtension>),
    PrometheusRule(prometheus_rule::Spec),
    Fields(Fields),
    /// Of a ConfigMap, which has no spec.
    Data(BTreeMap<String, String>),
}

/// Label with the program that made a resource.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its name there.
const PROGRAM: &str = "graylane";
/// Label with the mesh that a resource belongs to.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// Annotation with the version of the program.
pub const VERSION: &str = "graylane.dev/version";

/// Did graylane make an object?
#[must_use]
pub fn is_ours(object: &serde_json::Value) -> bool {
    object["metadata"]["labels"][MANAGED_BY] == PROGRAM
}

/// Did graylane make it for this mesh?
#[must_use]
pub fn is_of(mesh: &str, object: &serde_json::Value) -> bool {
    is_ours(object) && object["metadata"]["labels"][PART_OF] == mesh
}

/// Annotation by which Argo CD orders what it applies.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

impl Resource {
    fn new(mesh: &Mesh, kind: Kind, stage: Stage, namespace: &str, name: &str, spec: Spec) -> Self {
        let part_of = mesh.document.mesh.name.clone();
        Self {
            api_version: kind.api_version(),
            kind_name: kind.name(),
            metadata: Metadata {
                name: resource_name(mesh, name),
                namespace: namespace.to_owned(),
                labels: BTreeMap::from([(MANAGED_BY.into(), PROGRAM.to_owned()), (PART_OF.into(), part_of)]),
                annotations: BTreeMap::from([(VERSION, env!("CARGO_PKG_VERSION").to_owned())]),
            },
            body: match spec {
                Spec::Data(data) => Body::Data(data),
                spec => Body::Spec(spec),
            },
            kind,
            stage,
        }
    }

    /// The same with this name, if there is one.
    fn named(mut self, name: Option<&str>) -> Self {
        if let Some(name) = name {
            name.clone_into(&mut self.metadata.name);
        }
        self
    }

    /// Its namespace; empty: it is the whole cluster's.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When it is safely applied.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// In the wave of Argo CD that is its stage. A wave is applied when the one before it is healthy; pruning begins with the last
    /// (argo-cd docs/user-guide/sync-waves.md).
    pub fn in_its_wave(&mut self) {
        self.metadata.annotations.insert(SYNC_WAVE, (self.stage as u8).to_string());
    }

    /// As YAML, without a line before it.
    #[must_use]
    pub fn yaml(&self) -> String {
        serialise::flat_yaml(self)
    }

    /// As JSON, for schemas and comparisons.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serialise::json(self)
    }
}

/// The name of a resource about this: the mesh's name and the thing's, as a DNS name.
#[must_use]
pub fn resource_name(mesh: &Mesh, name: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
    let name: String = name.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    format!("{}-{name}", mesh.document.mesh.name)
}

/// All resources of a mesh, in the order of safe application.
#[must_use]
pub fn resources(mesh: &Mesh, options: &Options) -> Vec<Resource> {
    let mut all = topic::all(mesh);
    all.extend(destination_rule::all(mesh));
    all.extend(mesh.has_gateway_api().then(|| http_route::services(mesh)).into_iter().flatten());
    if let (Some(url), false) = (&options.url, options.without_filter) {
        all.extend(plugin::all(mesh, options, url));
        all.extend(options.native.iter().flat_map(|file| native::all(mesh, file)));
        all.extend(next::all(mesh, options));
        all.extend(
            (options.data_plane == DataPlane::Sidecar).then(|| alone::all(mesh)).into_iter().flatten(),
        );
    }
    all.extend(routes::all(mesh, options.without_filter));
    if !options.without_filter {
        all.extend(request_authentication::all(mesh));
        all.extend(trace_context::all(mesh));
        all.extend(point::all(mesh));
        if !options.without_admission_policy {
            all.extend(admission::all(mesh));
        }
    }
    all.extend(telemetry::all(mesh, options));
    if !options.without_filter {
        let has_alerts = mesh.document.alerts.is_some();
        let dashboards = options.dashboards.unwrap_or(has_alerts);
        all.extend((has_alerts || dashboards).then(|| prometheus_rule::all(mesh, options)).flatten());
        all.extend(alertmanager_config::all(mesh));
        all.extend(dashboards.then(|| dashboard::config_map(mesh, options)));
    }
    all.retain(|resource| options.only.as_ref().is_none_or(|only| only.contains(&resource.kind)));
    if let Some(namespaces) = &options.namespaces {
        all.retain(|resource| namespaces.contains(resource.namespace()));
    }
    all.sort_by(|a, b| {
        let place = |resource: &Resource| {
            (
                resource.stage,
                resource.kind,
                resource.metadata.namespace.clone(),
                resource.metadata.name.clone(),
            )
        };
        place(a).cmp(&place(b))
    });
    all
}

/// The resources as one YAML stream, ready for `kubectl apply -f -`.
#[must_use]
pub fn stream(resources: &[Resource]) -> String {
    let mut text = String::new();
    for resource in resources {
        // Every document starts with its marker: kubectl takes a file that starts with `{` for JSON.
        text += "---\n";
        text += &resource.yaml();
    }
    text
}

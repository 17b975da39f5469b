//! The file that people write, typed. Its shape is also its reference: `graylane schema` prints it, and `docs/file.md`
//! is made from the descriptions here.

mod alerts;
mod edge;
mod external;
mod service;
mod share;
mod sticky;
mod worker;

use std::collections::BTreeMap;

use graylane_decide::config::{Carrier, Conflict, Id, Missing, Mode, Restore, Unknown};
use schemars::JsonSchema;
use serde::Deserialize;

pub use alerts::{Alerts, Notify, PagerDuty, SecretKey, Slack, WorseErrors, WorseLatency};
pub use edge::{Edge, Gateway, Jwt, Rule, TraceContext};
pub use external::{Routing, Weights};
pub use service::{ANSWERS, Expose, Fallback, Guard, Names, Outside, Rollout, Route, Service, Version};
pub use share::{Placed, Share};
pub use sticky::{At, Key, Mint, SameSite, Sticky};
pub use worker::{FullTopic, Kafka, Topic, Worker};

/// A graylane file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// Version of the file format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// `enforce`, or `observe`: decide and count, change nothing. How one starts with 80 services.
    #[serde(default)]
    pub mode: Mode,
    /// The mesh.
    pub mesh: Mesh,
    /// Name of the header that carries the tenant.
    #[serde(default = "default_header")]
    pub header: String,
    /// All tenants, by name; one of them is the default.
    pub tenants: BTreeMap<String, Option<Tenant>>,
    /// What a sidecar does.
    #[serde(default)]
    pub policy: Policy,
    /// Who may choose a tenant, where the outside comes in. `none`: nothing comes in from outside, or only through something
    /// that removes the tenant header itself.
    #[serde(default, deserialize_with = "external::edge")]
    #[schemars(schema_with = "external::edge_schema")]
    pub edge: Edge,
    /// Where traffic leaves.
    #[serde(default)]
    pub egress: Egress,
    /// How users become sticky.
    #[serde(default)]
    pub sticky: Sticky,
    /// The services that have more than one version, or may have, by name. Default: none, and the tenant header is restored
    /// for whatever routes are there.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Workloads that have no request to copy a tenant from, by name.
    #[serde(default)]
    pub workers: BTreeMap<String, Worker>,
    /// Where the topics of workers are.
    #[serde(default)]
    pub kafka: Kafka,
    /// What can be seen of it all.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// When to call somebody.
    pub alerts: Option<Alerts>,
}

fn default_header() -> String {
    graylane_decide::names::DEFAULT_HEADER.to_owned()
}

/// The mesh.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mesh {
    /// Names what is generated.
    pub name: String,
    /// Namespace of services that name none.
    pub namespace: String,
    /// Domain of the cluster's services.
    #[serde(default = "default_cluster_domain")]
    pub cluster_domain: String,
    /// Namespaces whose pods get the filter, besides those of services. Default where there is no service: `namespace`.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Who writes VirtualServices and DestinationRules of services that do not say it themselves.
    #[serde(default)]
    pub routing: Routing,
}

fn default_cluster_domain() -> String {
    "cluster.local".to_owned()
}

/// A tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// Is this the tenant of a live user? Exactly one is.
    pub default: bool,
}

/// What a sidecar does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// A request without a tenant, after everything in `restore` was tried: `default` gives it the default tenant, `pass`
    /// treats it as the default tenant's and writes nothing, `reject` answers 400. Default: `default`, and `pass` where
    /// routes are somebody else's (no services, or one with `routing: external`).
    pub missing: Option<Missing>,
    /// A request with a tenant that is not declared, or with several: `default` overwrites it with the default
    /// tenant, `pass` leaves it and treats it as the default, `reject` answers 400. Default: `default`, and `pass` where
    /// routes are somebody else's.
    pub unknown: Option<Unknown>,
    /// The header says one tenant, the memory another: `header` trusts the header (and looks nothing up), `memory`
    /// the memory, `reject` answers 403.
    pub conflict: Conflict,
    /// What a lost tenant is restored from, in this order.
    pub restore: Vec<Restore>,
    /// What carries tenant and unit besides the tenant header and W3C Baggage, where applications or libraries forward
    /// that: `ot-baggage`, `uberctx`, `correlation-context`, `sw8-correlation`, or a header of your own. They are read after
    /// W3C Baggage, in this order, and written like it. A gateway removes ours from all of them, named or not.
    pub carriers: Vec<Carrier>,
    /// By which ids requests of one causal chain are recognised, in this order. A list replaces the default,
    /// `[request-id, w3c, b3]`.
    pub ids: Vec<Id>,
    /// How long a sidecar remembers what came in under a request id or trace id, 1s to 1h.
    pub remember: String,
    /// Requests that are never touched, counted or rejected.
    pub exempt: Exempt,
}

impl Default for Policy {
    fn default() -> Self {
        let policy = graylane_decide::config::Policy::default();
        Self {
            missing: None,
            unknown: None,
            conflict: policy.conflict,
            restore: policy.restore,
            carriers: policy.carriers,
            ids: policy.ids,
            remember: "30s".to_owned(),
            exempt: Exempt::default(),
        }
    }
}

/// Requests that sidecars leave alone. At the gateway nothing is exempt.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exempt {
    /// Paths without query; one that ends in `*` is a prefix.
    pub paths: Vec<String>,
    /// Ports: the pod's for requests to it, the service's for requests of it. Costs a host call per request, paths
    /// cost none.
    #[schemars(inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
}

/// Where traffic leaves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Hosts of the mesh through which traffic leaves it; full names. Calls to them lose tenant, unit and subset.
    pub gateways: Vec<String>,
}

/// What can be seen.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Telemetry {
    /// Count requests by tenant, subset and source.
    pub metrics: bool,
    /// Tag metrics, spans and access logs of Istio.
    pub tracing: bool,
    /// Let responses say how their request was decided: header `x-graylane-debug`.
    pub debug_header: bool,
    /// Whose metrics dashboards, alerts and guards read: `istio` (istio_requests_total and friends) or `envoy` (the
    /// proxies' own cluster statistics).
    pub source: MetricSource,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics: true, tracing: true, debug_header: false, source: MetricSource::default() }
    }
}

/// Whose metrics are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricSource {
    /// Istio's standard metrics, with our tags.
    #[default]
    Istio,
    /// Envoy's cluster statistics.
    Envoy,
}

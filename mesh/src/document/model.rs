//! The file that people write, typed. Its shape is also its reference: `graylane schema` prints it, and `docs/file.md`
//! is made from the descriptions here.

mod alerts;
mod cluster;
mod debug;
mod edge;
mod external;
mod kubernetes;
mod owner;
mod rollout;
mod service;
mod share;
mod sticky;
mod telemetry;
mod worker;

use std::collections::BTreeMap;

use graylane_decide::config::{Carrier, Conflict, Id, Missing, Mode, Restore, Unknown};
use schemars::JsonSchema;
use serde::Deserialize;

pub use alerts::{Alerts, Notify, PagerDuty, SecretKey, Slack, WorseErrors, WorseLatency};
pub use cluster::Cluster;
pub use debug::{Callers, DebugHeader};
pub use edge::{Edge, GATEWAY_LABEL, Gateway, Jwt, OneOfSeveral, Rule, Tokens, TraceContext};
pub use external::{Routing, Weights};
pub use kubernetes::{Kubernetes, RouteForm, TargetPort};
pub use owner::Owner;
pub use rollout::{Day, Guard, Hooks, PROMOTE, Pause, PauseFor, Rollout, Step, Window};
pub use service::{ANSWERS, Expose, Fallback, Names, Outside, Route, Service, Version};
pub use share::{Placed, Share};
pub use sticky::{At, HashKind, Identity, Key, Mint, SameSite, Sticky};
pub use telemetry::{Budget, MetricSource, Reporter, Telemetry};
pub use worker::{FullTopic, Kafka, Topic, Worker, WorkerSticky, WorkloadKind};

/// A graylane file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// Version of the file format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// `enforce`; `observe`: decide and count, change nothing; or `off`: leave requests alone and count none. Use `observe`
    /// first in a large mesh. A pod's label `graylane.dev/mode` wins over the mode of its service, that over the mode of its
    /// namespace (`mesh.modes`), and that over this one. No label and no `off` opens the gateway: see `edge.mode`.
    #[serde(default)]
    pub mode: Mode,
    /// The mesh that the file describes.
    pub mesh: Mesh,
    /// Name of the header that carries the tenant.
    #[serde(default = "default_header")]
    pub header: String,
    /// Which files may define which services and workers, by team. Everything else is said by the file with `owners`, and by
    /// the files of an owner with `platform: true`. Default: every file may say everything.
    #[serde(default)]
    pub owners: BTreeMap<String, Owner>,
    /// All tenants, by name; one of them is the default.
    pub tenants: BTreeMap<String, Option<Tenant>>,
    /// How sidecars treat requests.
    #[serde(default)]
    pub policy: Policy,
    /// Who may choose a tenant where requests enter the mesh. `none`: no requests enter from outside, or something else
    /// removes the tenant header from them.
    #[serde(default, deserialize_with = "external::edge")]
    #[schemars(schema_with = "external::edge_schema")]
    pub edge: Edge,
    /// Where traffic leaves the mesh.
    #[serde(default)]
    pub egress: Egress,
    /// How users stay on one version.
    #[serde(default)]
    pub sticky: Sticky,
    /// The services with more than one version, or with one that may get a second, by name. Default: none; the tenant
    /// header is then restored for the routes that you have.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Workloads that have no request to copy a tenant from, such as consumers of a topic, by name.
    #[serde(default)]
    pub workers: BTreeMap<String, Worker>,
    /// Where the topics of workers are, and how they are named.
    #[serde(default)]
    pub kafka: Kafka,
    /// Metrics, traces and debug output.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// When to alert, and whom.
    pub alerts: Option<Alerts>,
}

impl Document {
    /// Fills in what follows from the form of routes.
    pub fn complete(&mut self) {
        if self.mesh.routes == RouteForm::GatewayApi {
            self.edge.in_gateway_api();
        }
    }
}

fn default_header() -> String {
    graylane_decide::names::DEFAULT_HEADER.to_owned()
}

/// The mesh that the file describes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mesh {
    /// Name of the mesh; the names of rendered resources begin with it.
    pub name: String,
    /// Namespace of services without a `namespace` of their own.
    pub namespace: String,
    /// Domain of the cluster's services.
    #[serde(default = "default_cluster_domain")]
    pub cluster_domain: String,
    /// Namespaces whose pods get the filter, in addition to those of services. Default in a file without services:
    /// `namespace`.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Modes of the pods of some namespaces, as in `pay: enforce`. Default: `mode` of the file.
    #[serde(default)]
    pub modes: BTreeMap<String, Mode>,
    /// Who writes VirtualServices and DestinationRules, for services without a `routing` of their own.
    #[serde(default)]
    pub routing: Routing,
    /// The kind of routes to write: `virtual-service`, Istio's own, or `gateway-api`, HTTPRoutes of the Kubernetes Gateway API with a
    /// Kubernetes Service for each subset.
    #[serde(default)]
    pub routes: RouteForm,
    /// The clusters that the file is applied to, by name, where there are several: `check`, `ramp run` and `status` look at each of
    /// them (docs/clusters.md).
    #[serde(default)]
    pub clusters: BTreeMap<String, Option<Cluster>>,
}

fn default_cluster_domain() -> String {
    "cluster.local".to_owned()
}

/// A tenant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// `true`: the tenant of live users. Exactly one tenant has it.
    pub default: bool,
    /// `false`: its requests, as of load tests and synthetic checks, are left out of the figures by which `ramp run`, alerts
    /// and `report` judge a canary. Needs `telemetry.source: istio`.
    pub judge: bool,
    /// `false`: metrics call it `other`, together with all other tenants that have none of their own, so that it adds no
    /// series. Spans and access logs have its name.
    pub label: bool,
}

impl Default for Tenant {
    fn default() -> Self {
        Self { default: false, judge: true, label: true }
    }
}

/// How sidecars treat requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// A request without a tenant, after everything in `restore` was tried: `default` gives it the default tenant, `pass`
    /// treats it as the default tenant's and writes nothing, `reject` answers 400. Default: `default`, or `pass` where
    /// routes are not rendered by graylane (no services, or one with `routing: external`).
    pub missing: Option<Missing>,
    /// A request with an undeclared tenant, or with several tenants: `default` overwrites it with the default tenant,
    /// `pass` leaves the header and treats the request as the default tenant's, `reject` answers 400. Default: `default`,
    /// or `pass` where routes are not rendered by graylane.
    pub unknown: Option<Unknown>,
    /// If the tenant header and the memory disagree: `header` trusts the header (and does not look up the memory), `memory`
    /// trusts the memory, `reject` answers 403.
    pub conflict: Conflict,
    /// Where a lost tenant is restored from, in this order.
    pub restore: Vec<Restore>,
    /// Headers that carry tenant and unit besides the tenant header and W3C Baggage, if applications or libraries forward
    /// them: `ot-baggage`, `uberctx`, `correlation-context`, `sw8-correlation`, or a header of your own. They are read
    /// after W3C Baggage, in this order, and written like it. A gateway removes graylane's entries from all of them, listed
    /// here or not.
    pub carriers: Vec<Carrier>,
    /// The ids by which requests of one causal chain are recognised, in this order. A list replaces the default,
    /// `[request-id, w3c, b3]`.
    pub ids: Vec<Id>,
    /// How long a sidecar remembers the tenant of a request under its request id or trace id, 1s to 1h.
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
    /// Ports: the pod's for inbound requests, the service's for outbound ones. Checking them costs a host call per request;
    /// paths cost none.
    #[schemars(inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
}

/// Where traffic leaves the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Full host names of the services through which traffic leaves the mesh. Calls to them lose tenant, unit and subset.
    pub gateways: Vec<String>,
}

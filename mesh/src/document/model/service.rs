//! A service and its versions.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::Mode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::external::Routing;
use super::kubernetes::Kubernetes;
use super::rollout::Rollout;

/// Fields of an HTTPRoute by which Envoy answers itself.
pub const ANSWERS: [&str; 2] = ["redirect", "directResponse"];

/// A service with more than one version, or with one that may get a second.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Service {
    /// Host name. Default: the service's key in this file. A name without dots gets the namespace and the cluster's domain
    /// appended.
    pub host: Option<String>,
    /// Default: `mesh.namespace`.
    pub namespace: Option<String>,
    /// The port of the service that routes apply to. Default: any.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Mode of its own pods, for the requests that they get and those that they send. Its pods are those of its namespace
    /// whose canonical label (`service.istio.io/canonical-name`, `app.kubernetes.io/name` or `app`, the first that is there)
    /// is the first part of its host. Default: that of its namespace.
    pub mode: Option<Mode>,
    /// The namespaces whose pods call it, besides its own: only their plugins know it, so that each knows few in a large mesh. A
    /// call from elsewhere is counted under `other` and has no sticky subset: its route obeys pins, and weights draw for each
    /// request. Default: all.
    pub visible_to: Option<BTreeSet<String>>,
    /// Where it is exposed outside the mesh.
    pub expose: Option<Expose>,
    /// Who writes its VirtualService and its DestinationRule. Default: `mesh.routing`.
    pub routing: Option<Routing>,
    /// Its versions: a name, and the pod labels that select it. A service without subsets has `routing: external`.
    #[serde(default)]
    pub subsets: BTreeMap<String, BTreeMap<String, String>>,
    /// The subset for everything that no pin or weight sends elsewhere. Default: the only subset.
    pub baseline: Option<String>,
    /// Tenants with a subset of their own.
    #[serde(default)]
    pub pins: BTreeMap<String, String>,
    /// Which share of the users gets which subset.
    pub rollout: Option<Rollout>,
    /// Requests with routing of their own; the first that matches applies. All others are routed by the keys of the
    /// service.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Any field of Istio's HTTPRoute, copied to each rule.
    #[serde(default)]
    pub http: serde_json::Map<String, serde_json::Value>,
    /// Any field of Istio's TrafficPolicy, copied to the DestinationRule.
    #[serde(default)]
    pub traffic_policy: serde_json::Map<String, serde_json::Value>,
    /// `baseline`: a pinned tenant whose subset has no healthy pod gets the baseline.
    pub fallback: Option<Fallback>,
    /// Settings of single versions, by subset.
    #[serde(default)]
    pub versions: BTreeMap<String, Version>,
    /// Names of its rendered resources, to replace existing ones.
    #[serde(default)]
    pub names: Names,
    /// How its Kubernetes Service is defined, for the Services of its subsets. Only with `mesh.routes: gateway-api`.
    #[serde(default)]
    pub kubernetes: Kubernetes,
}

/// Names of rendered resources. Default: made from the names of the mesh and of the service, or of the host.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Names {
    /// The VirtualService of its host inside the mesh, or the HTTPRoute.
    pub virtual_service: Option<String>,
    /// The DestinationRule of its host.
    pub destination_rule: Option<String>,
    /// The VirtualServices of public hosts, or the HTTPRoutes, by host.
    pub hosts: BTreeMap<String, String>,
}

/// Settings of one version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Version {
    /// Its host, if it has a Kubernetes Service of its own, such as `podinfo-canary`. Default: the service's.
    pub host: Option<String>,
    /// The port that it is called at. Default: the port that the request was sent to; at a gateway, the service's port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Istio's `headers`: what is set, added or removed in its requests and responses.
    pub headers: serde_json::Map<String, serde_json::Value>,
    /// Fields of Istio's TrafficPolicy; they override the service's.
    pub traffic_policy: serde_json::Map<String, serde_json::Value>,
}

/// Requests with routing of their own. Keys that are missing here are taken from the service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Name of the route in Envoy. Default: `route-1`, `route-2` and so on.
    pub name: Option<String>,
    /// Istio's HTTPMatchRequests; one must match.
    #[serde(rename = "match")]
    pub matches: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Fields of Istio's HTTPRoute; they override the service's.
    #[serde(default)]
    pub http: serde_json::Map<String, serde_json::Value>,
    /// Tenants with a subset of their own, instead of the service's.
    pub pins: Option<BTreeMap<String, String>>,
    /// Which share of the users gets which subset, instead of the service's.
    pub rollout: Option<Rollout>,
    /// The subset for everything that no pin or weight here sends elsewhere. With it, nothing is taken from the service: no
    /// `http`, no `pins`, no `rollout`.
    pub baseline: Option<String>,
}

impl Route {
    /// Does it take nothing over from the service: has it a baseline of its own, or does Envoy answer?
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.baseline.is_some() || ANSWERS.iter().any(|key| self.http.contains_key(*key))
    }
}

impl Outside {
    /// As a route of the service.
    #[must_use]
    pub fn as_route(&self) -> Route {
        Route {
            name: self.name.clone(),
            matches: self.matches.clone(),
            http: self.http.clone(),
            pins: self.pins.clone(),
            rollout: self.rollout.clone(),
            baseline: self.baseline.clone(),
        }
    }
}

/// What a pinned tenant gets while its subset has no healthy pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// The baseline.
    Baseline,
}

/// Where a service is exposed outside the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expose {
    /// Public host names.
    pub hosts: Vec<String>,
    /// Path prefixes. Default: all.
    pub paths: Vec<String>,
    /// The Gateways that expose it: names in `edge.gateways`, or Gateway resources, as `namespace/name`. Default: those of all
    /// gateways of `edge` that have a `name`.
    pub gateways: Vec<String>,
    /// Instead of `paths`: expose only requests that match one of these; the first that matches applies. The service's own
    /// `routes` do not apply to them.
    pub routes: Vec<Outside>,
}

/// Requests from outside the mesh. Keys that are missing here are taken from the service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outside {
    /// Name of the route in Envoy. Default: `outside-1`, `outside-2` and so on.
    pub name: Option<String>,
    /// Routes of several services at one host are tried in this order, the lowest first. Default: 0.
    pub order: i32,
    /// Public host names. Default: those of `expose`.
    pub hosts: Vec<String>,
    /// The Gateways, as in `expose`. Default: those of `expose`.
    pub gateways: Vec<String>,
    /// Istio's HTTPMatchRequests; one must match. Default: every request that no other route matches.
    #[serde(rename = "match")]
    pub matches: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Fields of Istio's HTTPRoute; they override the service's.
    pub http: serde_json::Map<String, serde_json::Value>,
    /// Tenants with a subset of their own, instead of the service's.
    pub pins: Option<BTreeMap<String, String>>,
    /// Which share of the users gets which subset, instead of the service's.
    pub rollout: Option<Rollout>,
    /// The subset for everything that no pin or weight here sends elsewhere. With it, nothing is taken from the service.
    pub baseline: Option<String>,
}

//! A service and its versions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::external::{Routing, Weights};

/// Fields of an HTTPRoute by which Envoy answers itself.
pub const ANSWERS: [&str; 2] = ["redirect", "directResponse"];

/// A service that has more than one version, or may have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Service {
    /// Host name. Default: its name here; a name without dots is completed with the namespace.
    pub host: Option<String>,
    /// Default: `mesh.namespace`.
    pub namespace: Option<String>,
    /// The service's port that is meant. Default: any.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// To whom it is shown outside.
    pub expose: Option<Expose>,
    /// Who writes its VirtualService and its DestinationRule. Default: `mesh.routing`.
    pub routing: Option<Routing>,
    /// Its versions: a name, and the pod labels that make it. Without any, its routes are somebody else's.
    #[serde(default)]
    pub subsets: BTreeMap<String, BTreeMap<String, String>>,
    /// The subset that everybody not otherwise placed gets. Default: the only one.
    pub baseline: Option<String>,
    /// Tenants with a subset of their own.
    #[serde(default)]
    pub pins: BTreeMap<String, String>,
    /// Which share of the users gets which subset.
    pub rollout: Option<Rollout>,
    /// Requests that go their own way, the first that matches counts; all others get what is said above.
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
    /// What one version has of its own, by subset.
    #[serde(default)]
    pub versions: BTreeMap<String, Version>,
    /// Names of its resources, where they replace some that exist.
    #[serde(default)]
    pub names: Names,
}

/// Names of resources. Default: the mesh's name and the service's, or the host's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Names {
    /// The VirtualService of its host inside the mesh.
    pub virtual_service: Option<String>,
    /// The DestinationRule of its host.
    pub destination_rule: Option<String>,
    /// The VirtualServices of public hosts, by host.
    pub hosts: BTreeMap<String, String>,
}

/// What one version has of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Version {
    /// Its host, if it is a Kubernetes service of its own, as `podinfo-canary`. Default: the service's.
    pub host: Option<String>,
    /// The port that it is called at. Default: the one that the request was sent to, at a gateway the service's.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Istio's Headers: what requests to it, and its responses, get or lose.
    pub headers: serde_json::Map<String, serde_json::Value>,
    /// Fields of Istio's TrafficPolicy, over those of the service.
    pub traffic_policy: serde_json::Map<String, serde_json::Value>,
}

/// Requests that go their own way. What is not said here is as in the service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Names Envoy's routes. Default: `route-1`, `route-2` and so on.
    pub name: Option<String>,
    /// Istio's HTTPMatchRequests: one of them fits.
    #[serde(rename = "match")]
    pub matches: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Fields of Istio's HTTPRoute, over those of the service.
    #[serde(default)]
    pub http: serde_json::Map<String, serde_json::Value>,
    /// Tenants with a subset of their own, instead of the service's.
    pub pins: Option<BTreeMap<String, String>>,
    /// Which share of the users gets which subset, instead of the service's.
    pub rollout: Option<Rollout>,
    /// The subset that everybody gets here who is not placed otherwise. A route with a baseline of its own takes nothing
    /// over from the service: no `http`, no `pins`, no `rollout`.
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

/// To whom a service is shown outside.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expose {
    /// Public host names.
    pub hosts: Vec<String>,
    /// Path prefixes. Default: all.
    pub paths: Vec<String>,
    /// The Gateways that show it, as `namespace/name`. Default: `edge.gateway.name`.
    pub gateways: Vec<String>,
    /// Instead of `paths`: only requests that one of these matches are shown, the first that matches counts. The service's
    /// own `routes` do not hold for them.
    pub routes: Vec<Outside>,
}

/// Requests of the outside. What is not said here is as in the service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outside {
    /// Names Envoy's routes. Default: `outside-1`, `outside-2` and so on.
    pub name: Option<String>,
    /// Routes of several services at one host are tried in this order, the lowest first. Default: 0.
    pub order: i32,
    /// Public host names. Default: those of `expose`.
    pub hosts: Vec<String>,
    /// The Gateways. Default: those of `expose`.
    pub gateways: Vec<String>,
    /// Istio's HTTPMatchRequests: one of them fits. Default: every request that no other matches.
    #[serde(rename = "match")]
    pub matches: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Fields of Istio's HTTPRoute, over those of the service.
    pub http: serde_json::Map<String, serde_json::Value>,
    /// Tenants with a subset of their own, instead of the service's.
    pub pins: Option<BTreeMap<String, String>>,
    /// Which share of the users gets which subset, instead of the service's.
    pub rollout: Option<Rollout>,
    /// The subset that everybody gets here who is not placed otherwise; then nothing is taken over from the service.
    pub baseline: Option<String>,
}

/// Which share of the users gets which subset.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Percent by canary, with up to two decimals; the baseline has the rest. `external`: Argo Rollouts, Flagger or somebody
    /// else moves the weights of the service's route, and users stay where these put them.
    pub weights: Weights,
    /// With `weights: external`: the name of the rule of the VirtualService whose weights these are. Without it all rules
    /// of the host are, and each has two destinations or more.
    pub route: Option<String>,
    /// Who takes part. Default: the default tenant.
    pub tenants: Option<Vec<String>>,
    /// Which users are first. Services that must move together share one. Default: the full host name.
    pub salt: Option<String>,
    /// The percentages on the way up.
    #[serde(default)]
    pub steps: Vec<f64>,
    /// How long each step is watched. Default: `10m`.
    pub hold: Option<String>,
    /// A tenant whose requests are judged before the first live user is moved.
    pub gate: Option<String>,
    /// What has to hold besides errors and latency, which are always judged (see `alerts`).
    #[serde(default)]
    pub guards: Vec<Guard>,
}

/// A number of the owner's own that a rollout is judged by.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What it is called in verdicts.
    pub name: String,
    /// PromQL with one series as its result.
    pub query: String,
    /// Above this the rollout is aborted.
    pub max: Option<f64>,
    /// Below this the rollout is aborted.
    pub min: Option<f64>,
}

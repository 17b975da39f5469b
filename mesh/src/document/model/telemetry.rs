//! Metrics, traces and debug output, and what they may cost.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::DebugHeader;

/// Metrics, traces and debug output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Telemetry {
    /// Count requests by tenant, subset and source.
    pub metrics: bool,
    /// Add tags to Istio's metrics, spans and access logs.
    pub tracing: bool,
    /// Add the header `x-graylane-debug` to responses; it says how the request was decided. `true` adds it for everybody;
    /// conditions, as in `{claim: {name: role, exact: employee}}` or `{tenants: [gray-v1]}`, for the callers at the gateway
    /// that match all of them.
    pub debug_header: DebugHeader,
    /// The metrics that dashboards, alerts and guards read: `istio` (istio_requests_total and friends) or `envoy` (the
    /// proxies' own cluster statistics).
    pub source: MetricSource,
    /// Tag Istio's histogram of latency as well, which has 22 series for each one of the counter. `false`: latency is not
    /// known by subset, and a rollout is judged by errors and by its own `guards`.
    pub histograms: bool,
    /// The sides whose metrics get the tags (default: both): `client` (callers and gateways) and `server`. One of them is enough for
    /// dashboards, alerts and guards, at half of what the tags add; only the client's side counts requests that reach no pod.
    pub reporters: BTreeSet<Reporter>,
    /// Let Prometheus compute once what alerts and dashboards read: PrometheusRules record rates by service, tenant and
    /// subset. Needs a Prometheus Operator, like the alerts.
    pub recording: bool,
    /// How many series Istio's tagged metrics may come to; above it `check` warns. `graylane render --cost` prints how many
    /// they are.
    pub budget: Option<Budget>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            metrics: true,
            tracing: true,
            debug_header: DebugHeader::default(),
            source: MetricSource::default(),
            histograms: true,
            reporters: [Reporter::Client, Reporter::Server].into(),
            recording: false,
            budget: None,
        }
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

/// A side of a request that Istio's metrics are counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    /// The caller, or the gateway.
    Client,
    /// The called pod.
    Server,
}

/// How many series there may be, and what they are estimated from while no Prometheus is asked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Series of Istio's metrics with tags, at most.
    #[schemars(range(min = 1))]
    pub series: u64,
    /// How many workloads call each service.
    #[serde(default = "default_callers")]
    #[schemars(range(min = 1))]
    pub callers: u64,
    /// How many pods a workload has.
    #[serde(default = "default_pods")]
    #[schemars(range(min = 1))]
    pub pods: u64,
}

impl Budget {
    /// What is assumed where the file says nothing; no limit.
    pub const DEFAULT: Self = Self { series: u64::MAX, callers: default_callers(), pods: default_pods() };
}

const fn default_callers() -> u64 {
    3
}

const fn default_pods() -> u64 {
    2
}

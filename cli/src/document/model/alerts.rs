//! When to call somebody.

use schemars::JsonSchema;
use serde::Deserialize;

/// When to call somebody.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Alerts {
    /// The canary answers with more errors than the baseline.
    pub error_ratio: Option<Worse>,
    /// The canary is slower than the baseline, at the 99th percentile.
    pub latency_p99: Option<Worse>,
    /// Whom.
    pub notify: Vec<Notify>,
}

/// How much worse than the baseline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Worse {
    /// So many times the baseline's.
    pub canary_over_baseline: f64,
    /// And at least so much.
    pub min: Option<f64>,
}

/// Whom to call: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A Slack channel.
    pub slack: Option<serde_json::Value>,
    /// A PagerDuty service.
    pub pagerduty: Option<serde_json::Value>,
}

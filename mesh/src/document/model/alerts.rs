//! When to alert, and whom.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// When to alert, and whom. With this, `render` writes alert rules and a dashboard.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Alerts {
    /// A canary answers with more errors than the baseline.
    pub error_ratio: Option<WorseErrors>,
    /// A canary is slower than the baseline, at the 99th percentile.
    pub latency_p99: Option<WorseLatency>,
    /// Where alerts go.
    pub notify: Vec<Notify>,
    /// Labels of the rules and receivers, by which Prometheus and Alertmanager choose what they load, as in
    /// `release: prometheus`.
    pub labels: BTreeMap<String, String>,
    /// URL of the runbooks (docs/runbooks.md, as published on your site): each alert gets a `runbook_url` that links to its
    /// section, as in `https://wiki.example/graylane/runbooks`.
    pub runbooks: Option<String>,
}

/// How far the canary's error ratio may exceed the baseline's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorseErrors {
    /// The alert fires at this many times the baseline's error ratio, if `min` is reached too.
    pub canary_over_baseline: f64,
    /// The alert fires only if at least this share of the canary's requests fail, 0 to 1.
    #[serde(default = "default_min_ratio")]
    pub min: f64,
}

fn default_min_ratio() -> f64 {
    0.01
}

/// How far the canary's latency may exceed the baseline's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorseLatency {
    /// The alert fires at this many times the baseline's latency, if `min` is reached too.
    pub canary_over_baseline: f64,
    /// The alert fires only if the canary's latency is at least this many milliseconds.
    #[serde(default)]
    pub min: f64,
}

/// Where alerts go: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A Slack channel.
    pub slack: Option<Slack>,
    /// A PagerDuty service.
    pub pagerduty: Option<PagerDuty>,
}

/// A Slack channel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Name of the channel, as in `#lanes`.
    pub channel: String,
    /// The secret with the URL of the webhook. Default: the one in Alertmanager's own configuration.
    pub webhook: Option<SecretKey>,
}

/// A PagerDuty service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PagerDuty {
    /// The secret with the integration key.
    pub routing_key: SecretKey,
}

/// A key of a Kubernetes secret in `mesh.namespace`. The value itself is never in the file or in the output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// Name of the secret.
    pub secret: String,
    /// The key in the secret.
    pub key: String,
}

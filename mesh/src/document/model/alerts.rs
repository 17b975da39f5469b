//! When to call somebody.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// When to call somebody. With this, `render` writes alert rules and a dashboard.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Alerts {
    /// A canary answers with more errors than the baseline.
    pub error_ratio: Option<WorseErrors>,
    /// A canary is slower than the baseline, at the 99th percentile.
    pub latency_p99: Option<WorseLatency>,
    /// Whom.
    pub notify: Vec<Notify>,
    /// Labels of the rules and receivers, by which Prometheus and Alertmanager choose what they load, as in
    /// `release: prometheus`.
    pub labels: BTreeMap<String, String>,
    /// Address of the runbooks (docs/runbooks.md, as your site shows it): each alert gets a `runbook_url` that leads to its section,
    /// as in `https://wiki.example/graylane/runbooks`.
    pub runbooks: Option<String>,
}

/// How many more errors than the baseline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorseErrors {
    /// So many times the baseline's share of errors.
    pub canary_over_baseline: f64,
    /// And at least this share of the canary's requests, 0 to 1.
    #[serde(default = "default_min_ratio")]
    pub min: f64,
}

fn default_min_ratio() -> f64 {
    0.01
}

/// How much slower than the baseline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WorseLatency {
    /// So many times the baseline's latency.
    pub canary_over_baseline: f64,
    /// And at least so many milliseconds.
    #[serde(default)]
    pub min: f64,
}

/// Whom to call: one of these.
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
    /// Its name, as in `#lanes`.
    pub channel: String,
    /// The secret with the URL of the webhook. Default: the one that Alertmanager has.
    pub webhook: Option<SecretKey>,
}

/// A PagerDuty service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PagerDuty {
    /// The secret with the integration key.
    pub routing_key: SecretKey,
}

/// A key of a Kubernetes secret in `mesh.namespace`. The value itself is in no file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The secret's name.
    pub secret: String,
    /// The key in it.
    pub key: String,
}

//! Workloads that have no request to copy a tenant from.

use schemars::JsonSchema;
use serde::Deserialize;

/// A workload that consumes topics.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// The tenants that have a deployment of their own.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The topics it consumes.
    #[serde(default)]
    pub topics: Vec<String>,
}

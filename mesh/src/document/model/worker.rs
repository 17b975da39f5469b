//! Workloads that have no request to copy a tenant from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A workload that consumes topics. The pod label `graylane.dev/tenant` gives its tenant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Default: `mesh.namespace`.
    pub namespace: Option<String>,
    /// Name of its Deployment, and of the container in it. Default: its name here.
    pub deployment: Option<String>,
    /// Its consumer group. Default: its name here.
    pub group: Option<String>,
    /// The tenants with a deployment of their own, in addition to the default tenant's.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The topics it consumes: a name, or a map with a name and settings.
    #[serde(default)]
    pub topics: Vec<Topic>,
}

/// A topic: its name, or more than that.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Topic {
    /// Its name.
    Name(String),
    /// What tenants' topics have, besides the name.
    Full(FullTopic),
}

/// What the topics of tenants are like. The default tenant's is the team's own, and is never touched.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullTopic {
    /// Name of the default tenant's topic.
    pub name: String,
    /// Default: the broker's.
    #[schemars(range(min = 1))]
    pub partitions: Option<u32>,
    /// Default: the broker's.
    #[schemars(range(min = 1, max = 32767))]
    pub replicas: Option<u32>,
    /// Settings of the topic, as in `retention.ms`.
    #[serde(default)]
    pub config: BTreeMap<String, serde_json::Value>,
}

impl Topic {
    /// Name of the default tenant's topic.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Full(FullTopic { name, .. }) => name,
        }
    }

    /// All that is said about it.
    #[must_use]
    pub fn full(&self) -> FullTopic {
        match self {
            Self::Name(name) => FullTopic { name: name.clone(), ..FullTopic::default() },
            Self::Full(full) => full.clone(),
        }
    }
}

/// Where topics are, and how they are named.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Name of the Strimzi cluster. Default: `mesh.name`.
    pub cluster: Option<String>,
    /// Namespace of the Strimzi cluster. Default: `mesh.namespace`.
    pub namespace: Option<String>,
    /// Pattern for the names of tenants' topics, with `{topic}` and `{tenant}`.
    pub topic: String,
    /// Pattern for the names of tenants' consumer groups, with `{group}` and `{tenant}`.
    pub group: String,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            cluster: None,
            namespace: None,
            topic: "{topic}.{tenant}".to_owned(),
            group: "{group}.{tenant}".to_owned(),
        }
    }
}

//! Workloads that have no request to copy a tenant from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A workload that consumes topics, or a batch. The pod label `graylane.dev/tenant` gives its tenant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Default: `mesh.namespace`.
    pub namespace: Option<String>,
    /// Name of its workload, and of the container in it. Default: its name here.
    pub deployment: Option<String>,
    /// What its workload is. Default: `Deployment`.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Whose its calls are: `none`: each call is of a user of its own, whatever ids it comes with; `application`: the application
    /// writes the unit or the sticky key of each call's user. Default: the calls with one sticky key or one request id are of one user.
    pub sticky: Option<WorkerSticky>,
    /// Its consumer group. Default: its name here.
    pub group: Option<String>,
    /// The tenants with a deployment of their own, in addition to the default tenant's.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Tenants without a deployment of their own, whose topics the default deployment consumes besides its own: the application
    /// then takes the tenant of its calls from the message.
    #[serde(default)]
    pub subscribes: Vec<String>,
    /// The topics it consumes: a name, or a map with a name and settings. A Job or CronJob needs none.
    #[serde(default)]
    pub topics: Vec<Topic>,
}

/// Whose a worker's calls are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkerSticky {
    /// Each call is of a user of its own.
    None,
    /// The application says so in each call.
    Application,
}

/// What runs a worker's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// Pods that are all alike.
    #[default]
    Deployment,
    /// Pods with names and volumes of their own.
    StatefulSet,
    /// Pods that run to their end.
    Job,
    /// Jobs by the clock.
    CronJob,
    /// A Deployment of Argo Rollouts.
    Rollout,
}

impl WorkloadKind {
    /// As Kubernetes calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Rollout => "Rollout",
        }
    }

    /// The version of its API.
    #[must_use]
    pub fn api(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::Rollout => "argoproj.io/v1alpha1",
        }
    }

    /// Does it run to its end, so that it may have no topic?
    #[must_use]
    pub fn is_batch(self) -> bool {
        matches!(self, Self::Job | Self::CronJob)
    }

    /// The keys on the way to the template of its pods.
    #[must_use]
    pub fn template(self) -> &'static [&'static str] {
        match self {
            Self::CronJob => &["spec", "jobTemplate", "spec", "template"],
            _ => &["spec", "template"],
        }
    }
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

//! KafkaTopics (Strimzi): one for each topic of a worker and each tenant with a deployment of its own.
//!
//! The default tenant's topic is the team's own: it has live data, and nothing that graylane writes or leaves out may
//! ever remove it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Kind, Resource, Stage};
use crate::document::model::FullTopic;
use crate::mesh::Mesh;
use crate::workers::{in_kubernetes, topic_of};

/// Label with the Strimzi cluster that a topic is of.
const CLUSTER: &str = "strimzi.io/cluster";

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    topic_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, serde_json::Value>,
}

/// All of them, each once, however many workers consume it.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let kafka = &mesh.document.kafka;
    let mut topics: BTreeMap<String, FullTopic> = BTreeMap::new();
    for worker in &mesh.workers {
        for tenant in &worker.tenants {
            for topic in &worker.topics {
                let known =
                    topics.entry(topic_of(kafka, &topic.name, tenant)).or_insert_with(|| topic.clone());
                // Workers that say something say the same; one may say nothing.
                known.partitions = known.partitions.or(topic.partitions);
                known.replicas = known.replicas.or(topic.replicas);
                if known.config.is_empty() {
                    known.config.clone_from(&topic.config);
                }
            }
        }
    }
    let own = &mesh.document.mesh;
    let namespace = kafka.namespace.as_ref().unwrap_or(&own.namespace);
    let cluster = kafka.cluster.as_ref().unwrap_or(&own.name);
    topics
        .into_iter()
        .map(|(name, topic)| {
            let FullTopic { partitions, replicas, config, .. } = topic;
            let spec = Spec { topic_name: name.clone(), partitions, replicas, config };
            let spec = super::Spec::KafkaTopic(spec);
            let mut resource =
                Resource::new(mesh, Kind::KafkaTopic, Stage::Topics, namespace, &in_kubernetes(&name), spec);
            resource.metadata.labels.insert(CLUSTER.into(), cluster.clone());
            resource
        })
        .collect()
}

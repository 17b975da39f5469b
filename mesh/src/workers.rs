//! Workers, with every default filled in: what their tenants' topics, groups and deployments are called.

use crate::document::model::{Document, FullTopic, Kafka, Worker as Written, WorkerSticky, WorkloadKind};

/// Label of pods whose calls are each of a user of its own.
pub const STICKY_LABEL: &str = "graylane.dev/sticky";
/// Its value.
pub const STICKY_NONE: &str = "none";

/// A workload that consumes topics, or a batch.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its key in the file.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Name of its workload, and of the container in it.
    pub deployment: String,
    /// What its workload is.
    pub kind: WorkloadKind,
    /// Is each of its calls of a user of its own?
    pub alone: bool,
    /// The default tenant's consumer group.
    pub group: String,
    /// The tenants with a deployment of their own, in the order of the file, without the default one.
    pub tenants: Vec<String>,
    /// The topics that it consumes.
    pub topics: Vec<FullTopic>,
}

impl Worker {
    /// Fills in the defaults.
    #[must_use]
    pub fn of(document: &Document, default_tenant: &str, name: &str, written: &Written) -> Self {
        let mut tenants: Vec<String> = Vec::new();
        for tenant in &written.tenants {
            if tenant != default_tenant && !tenants.contains(tenant) {
                tenants.push(tenant.clone());
            }
        }
        let or_name = |given: &Option<String>| given.clone().unwrap_or_else(|| name.to_owned());
        Self {
            name: name.to_owned(),
            namespace: written.namespace.clone().unwrap_or_else(|| document.mesh.namespace.clone()),
            deployment: or_name(&written.deployment),
            kind: written.kind,
            alone: written.sticky == Some(WorkerSticky::None),
            group: or_name(&written.group),
            tenants,
            topics: written.topics.iter().map(crate::document::model::Topic::full).collect(),
        }
    }
}

/// Has a tenant a topic of its own beside this one: has any worker of it a deployment for the tenant?
#[must_use]
pub fn has_own_topic(document: &Document, topic: &str, tenant: &str) -> bool {
    let consumes = |worker: &Written| worker.topics.iter().any(|own| own.name() == topic);
    document.workers.values().any(|worker| consumes(worker) && worker.tenants.iter().any(|own| own == tenant))
}

/// The tenants without a deployment of their own whose topic beside this one a worker consumes.
pub fn subscribed<'a>(
    document: &'a Document,
    worker: &str,
    topic: &'a str,
) -> impl Iterator<Item = &'a String> {
    let written = document.workers.get(worker).into_iter();
    written.flat_map(|worker| &worker.subscribes).filter(|tenant| has_own_topic(document, topic, tenant))
}

/// What a tenant's topic is called.
#[must_use]
pub fn topic_of(kafka: &Kafka, topic: &str, tenant: &str) -> String {
    fill(&kafka.topic, "{topic}", topic, tenant)
}

/// What a tenant's consumer group is called.
#[must_use]
pub fn group_of(kafka: &Kafka, group: &str, tenant: &str) -> String {
    fill(&kafka.group, "{group}", group, tenant)
}

/// One pass, so that nothing in a name is taken for a placeholder.
fn fill(pattern: &str, placeholder: &str, name: &str, tenant: &str) -> String {
    let parts: Vec<String> = pattern
        .split(placeholder)
        .map(|part| part.split("{tenant}").collect::<Vec<_>>().join(tenant))
        .collect();
    parts.join(name)
}

/// The environment variable that names a topic for a worker.
#[must_use]
pub fn variable_of(topic: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("TOPIC_{}", topic.chars().map(upper).collect::<String>())
}

/// The environment variable that names a worker's consumer group.
pub const GROUP_VARIABLE: &str = "CONSUMER_GROUP";

/// A topic as Kafka identifies it: in names of its metrics `.` and `_` are the same, and it refuses to make two
/// topics that differ in nothing else (`org.apache.kafka.common.internals.Topic.hasCollision`).
#[must_use]
pub fn in_metrics(topic: &str) -> String {
    topic.replace('.', "_")
}

/// A topic as the name of a resource: lower case letters, digits, `-` and `.`, a letter or digit at both ends.
#[must_use]
pub fn in_kubernetes(topic: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
    let clean: String = topic.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    // Each part between dots is a name of its own, which starts and ends with a letter or digit.
    let parts = clean.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let kafka = Kafka::default();
        assert_eq!(topic_of(&kafka, "orders", "gray-v1"), "orders.gray-v1");
        assert_eq!(group_of(&kafka, "mailer", "gray-v1"), "mailer.gray-v1");
        let other = Kafka { topic: "{tenant}_{topic}".to_owned(), ..kafka };
        assert_eq!(topic_of(&other, "a{tenant}", "b{topic}"), "b{topic}_a{tenant}");
        assert_eq!(variable_of("shop.orders-v2"), "TOPIC_SHOP_ORDERS_V2");
        assert_eq!(in_kubernetes("Shop_Orders._x.gray-v1"), "shop-orders.x.gray-v1");
        assert_eq!(in_metrics("a.b_c"), "a_b_c");
    }
}

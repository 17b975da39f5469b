//! What makes a worker's own deployment a tenant's: a kustomize component, the same as Helm values, and an example of
//! what the broker has to allow.

use std::collections::BTreeMap;

use graylane_decide::names::TENANT_LABEL;
use serde_json::{Value as Json, json};

use crate::document::model::WorkloadKind;
use crate::mesh::Mesh;
use crate::serialise;
use crate::workers::{GROUP_VARIABLE, STICKY_LABEL, STICKY_NONE, Worker, group_of, topic_of, variable_of};

/// Files of all workers and tenants: path in the output folder, and text.
#[must_use]
pub fn files(mesh: &Mesh) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let topics = topics(mesh);
    if !topics.is_empty() {
        files.insert("workers/topics.yaml".to_owned(), serialise::yaml(&topics));
    }
    for worker in &mesh.workers {
        for tenant in &worker.tenants {
            let folder = format!("workers/{}/{tenant}", worker.name);
            let mut put =
                |name: &str, json: &Json| files.insert(format!("{folder}/{name}"), serialise::yaml(json));
            put("kustomization.yaml", &component(worker, tenant));
            put("patch.yaml", &patch(mesh, worker, tenant));
            put("values.yaml", &values(mesh, worker, tenant));
            if !worker.topics.is_empty() {
                put("acl-example.yaml", &acl(mesh, worker, tenant));
            }
        }
    }
    files
}

/// For producers: the topics of tenants that have their own, by topic and tenant.
fn topics(mesh: &Mesh) -> BTreeMap<&str, BTreeMap<&str, String>> {
    let mut topics: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for worker in &mesh.workers {
        for tenant in &worker.tenants {
            for topic in &worker.topics {
                let name = topic_of(&mesh.document.kafka, &topic.name, tenant);
                topics.entry(&topic.name).or_default().insert(tenant, name);
            }
        }
    }
    topics
}

/// Topics and consumer group, as a worker's container gets them.
fn environment(mesh: &Mesh, worker: &Worker, tenant: &str) -> Vec<Json> {
    let kafka = &mesh.document.kafka;
    let topics = worker.topics.iter().map(
        |topic| json!({"name": variable_of(&topic.name), "value": topic_of(kafka, &topic.name, tenant)}),
    );
    let group = json!({"name": GROUP_VARIABLE, "value": group_of(kafka, &worker.group, tenant)});
    // Without a topic there is nothing to read in a group.
    topics.chain((!worker.topics.is_empty()).then_some(group)).collect()
}

/// Labels of the pods of a tenant's deployment.
fn labels(worker: &Worker, tenant: &str) -> Json {
    match worker.alone {
        true => json!({TENANT_LABEL: tenant, STICKY_LABEL: STICKY_NONE}),
        false => json!({TENANT_LABEL: tenant}),
    }
}

fn component(worker: &Worker, tenant: &str) -> Json {
    let suffix = crate::workers::in_kubernetes(tenant);
    // In the selector as well: two Deployments must not claim the same pods.
    let mut labels =
        json!({"pairs": {TENANT_LABEL: tenant}, "includeSelectors": true, "includeTemplates": true});
    if worker.kind == WorkloadKind::Rollout {
        // kustomize knows where the labels of Kubernetes' own kinds are, and of no others.
        let at =
            |path: &str| json!({"path": path, "create": true, "group": "argoproj.io", "kind": "Rollout"});
        labels["fields"] = json!([at("spec/selector/matchLabels"), at("spec/template/metadata/labels")]);
    }
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "nameSuffix": format!("-{suffix}"),
        "labels": [labels],
        "patches": [{"path": "patch.yaml", "target": {"kind": worker.kind.name(), "name": worker.deployment}}],
    })
}

fn patch(mesh: &Mesh, worker: &Worker, tenant: &str) -> Json {
    let variables = environment(mesh, worker, tenant);
    if worker.kind == WorkloadKind::Rollout {
        // Merged, its containers would be replaced by this one. `env` has to be there: without it kustomize refuses.
        let add = |variable: Json| json!({"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": variable});
        let path = format!("/spec/template/metadata/labels/{}", STICKY_LABEL.replace('/', "~1"));
        let label = json!({"op": "add", "path": path, "value": STICKY_NONE});
        return variables.into_iter().map(add).chain(worker.alone.then_some(label)).collect();
    }
    let mut template = json!({"metadata": {"labels": labels(worker, tenant)}});
    if !variables.is_empty() {
        template["spec"] = json!({"containers": [{"name": worker.deployment, "env": variables}]});
    }
    let nested = |inner: Json, key: &&str| json!({*key: inner});
    let mut patch = worker.kind.template().iter().rev().fold(template, nested);
    patch["apiVersion"] = json!(worker.kind.api());
    patch["kind"] = json!(worker.kind.name());
    patch["metadata"] = json!({"name": worker.deployment});
    patch
}

/// In the words of `helm create`.
fn values(mesh: &Mesh, worker: &Worker, tenant: &str) -> Json {
    let suffix = crate::workers::in_kubernetes(tenant);
    json!({
        "fullnameOverride": format!("{}-{suffix}", worker.deployment),
        "podLabels": labels(worker, tenant),
        "env": environment(mesh, worker, tenant),
    })
}

/// A Strimzi user that may read this tenant's topics in this tenant's group, and nothing else.
fn acl(mesh: &Mesh, worker: &Worker, tenant: &str) -> Json {
    let (kafka, own) = (&mesh.document.kafka, &mesh.document.mesh);
    let rule = |kind: &str, name: String, operations: &[&str]| {
        json!({
            "resource": {"type": kind, "name": name, "patternType": "literal"},
            "operations": operations,
        })
    };
    let topics = worker
        .topics
        .iter()
        .map(|topic| rule("topic", topic_of(kafka, &topic.name, tenant), &["Describe", "Read"]));
    let group = rule("group", group_of(kafka, &worker.group, tenant), &["Read"]);
    json!({
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {
            "name": format!("{}-{}", worker.deployment, crate::workers::in_kubernetes(tenant)),
            "namespace": kafka.namespace.as_ref().unwrap_or(&own.namespace),
            "labels": {"strimzi.io/cluster": kafka.cluster.as_ref().unwrap_or(&own.name)},
        },
        "spec": {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": topics.chain([group]).collect::<Vec<_>>()},
        },
    })
}

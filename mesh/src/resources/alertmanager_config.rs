//! AlertmanagerConfig (Prometheus Operator): whom alerts call. Secrets are named, never written.

use serde_json::{Value as Json, json};

use super::{Kind, Resource, Stage};
use crate::document::model::{Notify, SecretKey};
use crate::mesh::{Fields, Mesh};

const SUMMARY: &str = "{{ .CommonAnnotations.summary }}";
const TEXT: &str = "{{ range .Alerts }}{{ .Annotations.description }}\n{{ end }}";

/// One, if there is a receiver.
pub fn all(mesh: &Mesh) -> Option<Resource> {
    let alerts = mesh.document.alerts.as_ref().filter(|alerts| !alerts.notify.is_empty())?;
    let own = &mesh.document.mesh;
    let slack: Vec<Json> = alerts.notify.iter().filter_map(slack).collect();
    let pagerduty: Vec<Json> = alerts.notify.iter().filter_map(pagerduty).collect();
    let spec = json!({
        "route": {
            "receiver": "lanes",
            "groupBy": ["alertname", "service", "subset"],
            // Of the namespace's alerts, ours only.
            "matchers": [{"name": "mesh", "matchType": "=", "value": own.name}],
        },
        "receivers": [{"name": "lanes", "slackConfigs": slack, "pagerdutyConfigs": pagerduty}],
    });
    let spec = super::Spec::Fields(without_empty(&spec));
    let kind = Kind::AlertmanagerConfig;
    let mut resource = Resource::new(mesh, kind, Stage::Sight, &own.namespace, "lanes", spec);
    resource.metadata.chosen_by(mesh);
    Some(resource)
}

fn key(secret: &SecretKey) -> Json {
    json!({"name": secret.secret, "key": secret.key})
}

fn slack(notify: &Notify) -> Option<Json> {
    let slack = notify.slack.as_ref()?;
    let mut config = json!({"channel": slack.channel, "sendResolved": true, "title": SUMMARY, "text": TEXT});
    if let Some(webhook) = &slack.webhook {
        config["apiURL"] = key(webhook);
    }
    Some(config)
}

fn pagerduty(notify: &Notify) -> Option<Json> {
    let pagerduty = notify.pagerduty.as_ref()?;
    Some(json!({
        "routingKey": key(&pagerduty.routing_key),
        "sendResolved": true,
        "severity": "{{ .CommonLabels.severity }}",
        "description": SUMMARY,
    }))
}

/// Without the lists of receivers that there are none of.
fn without_empty(spec: &Json) -> Fields {
    let mut spec = spec.clone();
    if let Some(receiver) = spec["receivers"][0].as_object_mut() {
        receiver.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    spec.as_object().cloned().unwrap_or_default()
}

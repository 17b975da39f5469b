//! To which pods of a gateway something applies: by its Gateway of the Gateway API, if they were made for one, else by their labels.

use serde_json::json;

use crate::document::model::Gateway;
use crate::gateway_api::GROUP;
use crate::mesh::Fields;

/// As Istio's policies have it; empty: to all pods of the namespace. Istio ignores labels at Gateways of the Gateway API (`istioctl analyze`,
/// IST0166).
pub fn policy(gateway: &Gateway) -> Fields {
    fields(gateway, "selector", "matchLabels")
}

/// As EnvoyFilters have it.
pub fn patch(gateway: &Gateway) -> Fields {
    fields(gateway, "workloadSelector", "labels")
}

fn fields(gateway: &Gateway, selector: &str, labels: &str) -> Fields {
    let mut fields = Fields::new();
    if let Some(name) = gateway.target() {
        let target = json!({"group": GROUP, "kind": "Gateway", "name": name});
        fields.insert("targetRefs".to_owned(), json!([target]));
    } else if !gateway.selector.is_empty() {
        fields.insert(selector.to_owned(), json!({labels: gateway.selector}));
    }
    fields
}

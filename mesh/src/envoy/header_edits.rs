//! Headers that are set, added and removed: Istio's Headers, as fields of an Envoy route or of a weighted cluster.

use serde_json::{Map, Value as Json, json};

use crate::mesh::Fields;

/// The fields. `set` stands for whatever was there, `add` beside it (`TranslateHeadersOperations` in
/// pilot/pkg/networking/core/route/route.go); removal comes before both, in Istio as in Envoy.
pub(super) fn of(headers: &Json) -> Fields {
    let mut fields = Fields::new();
    for side in ["request", "response"] {
        let said = &headers[side];
        let remove: Vec<&Json> = said["remove"].as_array().into_iter().flatten().collect();
        if !remove.is_empty() {
            fields.insert(format!("{side}_headers_to_remove"), json!(remove));
        }
        let options: Vec<Json> = [("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD")]
            .into_iter()
            .flat_map(|(key, action)| {
                let pairs = said[key].as_object().into_iter().flat_map(Map::iter);
                pairs.map(move |(name, value)| json!({"header": {"key": name, "value": value}, "append_action": action}))
            })
            .collect();
        if !options.is_empty() {
            fields.insert(format!("{side}_headers_to_add"), options.into());
        }
    }
    fields
}

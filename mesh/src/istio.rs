//! Istio's versions; Istio's and Strimzi's own types: the schemas of their CRDs (see `schemas/README.md`).

use std::sync::LazyLock;

use serde_json::Value as Json;

/// Minor versions of Istio 1 that are supported: docs/support.md.
pub const MINORS: std::ops::RangeInclusive<u32> = 28..=31;
/// The first one that has TrafficExtension.
pub const TRAFFIC_EXTENSION_SINCE: u32 = 30;

/// The first one whose tags of spans can be made of more than headers.
pub const FORMATTED_TAGS_SINCE: u32 = 29;

macro_rules! schema {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Json> = LazyLock::new(|| {
            // A file of this very crate, which a test reads as well.
            serde_json::from_str(include_str!(concat!("../schemas/", $file, ".json"))).unwrap_or_default()
        });
    };
}

schema!(KAFKA_TOPIC, "KafkaTopic");
schema!(VIRTUAL_SERVICE, "VirtualService");
schema!(DESTINATION_RULE, "DestinationRule");
schema!(WASM_PLUGIN, "WasmPlugin");
schema!(TRAFFIC_EXTENSION, "TrafficExtension");
schema!(TELEMETRY, "Telemetry");
schema!(REQUEST_AUTHENTICATION, "RequestAuthentication");
schema!(ENVOY_FILTER, "EnvoyFilter");

/// The schema of a kind's resources.
#[must_use]
pub fn schema(kind: &str) -> Option<&'static Json> {
    Some(match kind {
        "KafkaTopic" => &KAFKA_TOPIC,
        "VirtualService" => &VIRTUAL_SERVICE,
        "DestinationRule" => &DESTINATION_RULE,
        "WasmPlugin" => &WASM_PLUGIN,
        "TrafficExtension" => &TRAFFIC_EXTENSION,
        "Telemetry" => &TELEMETRY,
        "RequestAuthentication" => &REQUEST_AUTHENTICATION,
        "EnvoyFilter" => &ENVOY_FILTER,
        _ => return None,
    })
}

fn part(schema: &'static Json, pointer: &str) -> &'static Json {
    schema.pointer(pointer).unwrap_or(&Json::Null)
}

/// One rule of a VirtualService.
#[must_use]
pub fn http_route() -> &'static Json {
    part(&VIRTUAL_SERVICE, "/properties/spec/properties/http/items")
}

/// All that a rule may match: a list.
#[must_use]
pub fn http_matches() -> &'static Json {
    part(&VIRTUAL_SERVICE, "/properties/spec/properties/http/items/properties/match")
}

/// What a rule may match.
#[must_use]
pub fn http_match() -> &'static Json {
    part(&VIRTUAL_SERVICE, "/properties/spec/properties/http/items/properties/match/items")
}

/// What requests to a destination and its responses get or lose.
#[must_use]
pub fn headers() -> &'static Json {
    part(&VIRTUAL_SERVICE, "/properties/spec/properties/http/items/properties/headers")
}

/// The traffic policy of a DestinationRule.
#[must_use]
pub fn traffic_policy() -> &'static Json {
    part(&DESTINATION_RULE, "/properties/spec/properties/trafficPolicy")
}

//! Pieces of Envoy configuration, as JSON: what Istio would send to a proxy, as far as a demo and tests need it.

use std::path::Path;

use graylane_decide::metrics::TAGS;
use serde_json::{Value as Json, json};

const HTTP_CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/// The node as Istio's agent describes it: id, namespace and labels, where the filter reads them.
#[must_use]
pub fn node(kind: &str, name: &str, namespace: &str, labels: &Json) -> Json {
    json!({
        "id": format!("{kind}~127.0.0.1~{name}.{namespace}~{namespace}.svc.cluster.local"),
        "cluster": format!("{name}.{namespace}"),
        "metadata": {"NAMESPACE": namespace, "LABELS": labels},
    })
}

/// A bootstrap with an admin interface on a free port, and our metrics' tags read as Istio's `extraStatTags` are.
#[must_use]
pub fn bootstrap(node: &Json, listeners: &[Json], clusters: &[Json]) -> Json {
    let tag = |tag: &&str| json!({"tag_name": tag, "regex": format!("({tag}=\\.=(.*?);\\.;)")});
    json!({
        "node": node,
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "stats_config": {"stats_tags": TAGS.iter().map(tag).collect::<Vec<_>>()},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    })
}

/// The Wasm filter as Istio configures it: V8, no VM id, the role as root id, the module from a file.
#[must_use]
pub fn wasm_filter(
    name: &str,
    root_id: &str,
    module: &Path,
    configuration: &str,
    failure_policy: &str,
) -> Json {
    json!({
        "@type": WASM,
        "config": {
            "name": name,
            "root_id": root_id,
            "failure_policy": failure_policy,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
            },
        },
    })
}

/// A filter whose configuration comes from a file of extension configurations (ECDS), as Istio's comes over ADS.
#[must_use]
pub fn discovered_filter(name: &str, file: &Path) -> Json {
    json!({
        "name": name,
        "config_discovery": {
            "config_source": {"path_config_source": {"path": file}, "resource_api_version": "V3"},
            "type_urls": [WASM],
        },
    })
}

/// The router, which ends every chain of filters.
#[must_use]
pub fn router() -> Json {
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}})
}

/// A listener on a free port of loopback, with these HTTP filters before the router. `manager` adds fields to the
/// connection manager; its routes have to be among them.
#[must_use]
pub fn listener(name: &str, direction: &str, filters: &[Json], manager: &Json) -> Json {
    let mut http = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": name,
        "http_filters": filters.iter().cloned().chain([router()]).collect::<Vec<_>>(),
    });
    merge(&mut http, manager);
    json!({
        "name": name,
        "traffic_direction": direction,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{
            "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}],
        }],
    })
}

/// Routes from a file of route configurations (RDS).
#[must_use]
pub fn discovered_routes(name: &str, file: &Path) -> Json {
    json!({"rds": {
        "route_config_name": name,
        "config_source": {"path_config_source": {"path": file}, "resource_api_version": "V3"},
    }})
}

/// A cluster with one address.
#[must_use]
pub fn static_cluster(name: &str, address: std::net::SocketAddr) -> Json {
    json!({
        "name": name,
        "connect_timeout": "5s",
        "type": "STATIC",
        "load_assignment": load_assignment(name, &[address]),
    })
}

/// A cluster whose addresses come from a file (EDS).
#[must_use]
pub fn discovered_cluster(name: &str, file: &Path) -> Json {
    json!({
        "name": name,
        "connect_timeout": "5s",
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {"path_config_source": {"path": file}, "resource_api_version": "V3"},
        },
    })
}

/// The addresses of a cluster.
#[must_use]
pub fn load_assignment(name: &str, addresses: &[std::net::SocketAddr]) -> Json {
    let endpoint = |address: &std::net::SocketAddr| {
        json!({"endpoint": {"address": {"socket_address": {
            "address": address.ip().to_string(), "port_value": address.port(),
        }}}})
    };
    json!({
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>()}],
    })
}

/// A file of resources, as Envoy reads it; each gets its type.
#[must_use]
pub fn resources(kind: &str, version: &str, resources: Vec<Json>) -> Json {
    let typed = |mut resource: Json| {
        merge(&mut resource, &json!({"@type": kind}));
        resource
    };
    json!({"version_info": version, "resources": resources.into_iter().map(typed).collect::<Vec<_>>()})
}

/// Type of a route configuration.
pub const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// Type of a cluster's addresses.
pub const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Type of an extension's configuration.
pub const EXTENSIONS: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// Adds the fields of one object to another.
fn merge(object: &mut Json, fields: &Json) {
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

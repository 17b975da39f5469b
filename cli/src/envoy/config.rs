//! Pieces of Envoy configuration, as JSON: what Istio would send to a proxy, as far as a demo and tests need it.

use std::net::SocketAddr;
use std::path::Path;

pub use graylane_mesh::envoy::types::{EXTENSION, ROUTES, WASM};
use graylane_mesh::envoy::{extension, router, stats_tags};
use serde_json::{Value as Json, json};

const HTTP_CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// The node as Istio's agent describes it: id, namespace and labels, where the filter reads them.
#[must_use]
pub fn node(kind: &str, name: &str, namespace: &str, labels: &Json) -> Json {
    json!({
        "id": format!("{kind}~127.0.0.1~{name}.{namespace}~{namespace}.svc.cluster.local"),
        "cluster": format!("{name}.{namespace}"),
        "metadata": {"NAMESPACE": namespace, "LABELS": labels},
    })
}

/// A bootstrap with an admin interface on a free port.
#[must_use]
pub fn bootstrap(node: &Json, listeners: &[Json], clusters: &[Json]) -> Json {
    json!({
        "node": node,
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "stats_config": {"use_all_default_tags": false, "stats_tags": stats_tags()},
        // Histograms are added up when somebody asks, not every five seconds.
        "stats_flush_on_admin": true,
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
    extension(name, root_id, &module.display().to_string(), configuration, failure_policy)
}

/// Name of the cluster of the discovery service.
pub const DISCOVERY: &str = "discovery";

/// A source of configuration: the discovery service, asked over plain HTTP ten times a second (xDS over REST). Files
/// would do as well, but every file that an Envoy watches takes one of a user's few inotify instances.
fn discovery() -> Json {
    json!({
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": [DISCOVERY],
            "refresh_delay": "0.1s",
            "request_timeout": "5s",
        },
    })
}

/// A filter whose configuration is discovered by its name (ECDS), as Istio's is.
#[must_use]
pub fn discovered_filter(name: &str) -> Json {
    discovered_filter_of(name, WASM)
}

/// The same, of a filter of this type.
#[must_use]
pub fn discovered_filter_of(name: &str, type_url: &str) -> Json {
    json!({"name": name, "config_discovery": {"config_source": discovery(), "type_urls": [type_url]}})
}

/// A listener on a port of loopback (0: any), with these HTTP filters before the router. `manager` adds fields to the
/// connection manager; its routes have to be among them.
#[must_use]
pub fn listener(name: &str, port: u16, direction: &str, filters: &[Json], manager: &Json) -> Json {
    let mut http = json!({
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": name,
        "http_filters": filters.iter().cloned().chain([router()]).collect::<Vec<_>>(),
    });
    merge(&mut http, manager);
    json!({
        "name": name,
        "traffic_direction": direction,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{
            "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}],
        }],
    })
}

/// Routes that are discovered by their name (RDS).
#[must_use]
pub fn discovered_routes(name: &str) -> Json {
    json!({"rds": {"route_config_name": name, "config_source": discovery()}})
}

/// A log of requests, appended to a file.
#[must_use]
pub fn access_log(path: &Path, format: &str) -> Json {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"text_format_source": {"inline_string": format}},
        },
    })
}

/// A cluster with these addresses.
#[must_use]
pub fn cluster(name: &str, addresses: &[SocketAddr]) -> Json {
    let endpoint = |address: &SocketAddr| {
        json!({"endpoint": {"address": {"socket_address": {
            "address": address.ip().to_string(), "port_value": address.port(),
        }}}})
    };
    json!({
        "name": name,
        "alt_stat_name": format!("{name};"),
        "connect_timeout": "5s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>()}],
        },
    })
}

/// The discovery service's answer: one resource of a type.
#[must_use]
pub fn discovered(type_url: &str, version: &str, mut resource: Json) -> Json {
    merge(&mut resource, &json!({"@type": type_url}));
    json!({"version_info": version, "type_url": type_url, "resources": [resource]})
}

/// Adds the fields of one object to another.
fn merge(object: &mut Json, fields: &Json) {
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

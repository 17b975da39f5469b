//! An Envoy that asks istiod itself, without Istio's agent: a sidecar or a gateway.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use graylane::envoy::{Envoy, Options, config};
use reqwest::Client;
use serde_json::{Value as Json, json};

use super::control_plane::ControlPlane;
use super::declare::Pod;
use super::objects::labels;
use super::proxy::{Proxy, Running};

/// Two, so that inbound and outbound of one chain of calls meet on different ones now and then.
const WORKERS: u32 = 2;
/// Name of istiod's cluster.
const ISTIOD: &str = "xds-grpc";

/// Starts it, and waits until it has everything that istiod has for it.
///
/// # Errors
/// When it does not come up; with the end of its log.
pub async fn start(plane: &ControlPlane, namespace: &str, pod: &Pod, address: Ipv4Addr) -> Result<Proxy> {
    let bootstrap = bootstrap(&node(plane, namespace, pod, address), plane.cluster.discovery());
    let options = Options { concurrency: WORKERS, environment: &pod.environment };
    let envoy = Envoy::start(&plane.tools.envoy, &pod.name, &bootstrap, options).await?;
    let (admin, client): (SocketAddr, Client) = (envoy.admin, plane.client.clone());
    Ok(Proxy::new(&pod.name, admin, client, Running::Envoy(envoy)))
}

/// Label that says which version of Istio a pod's proxy claims to be of.
pub const VERSION_LABEL: &str = "graylane.test/istio-version";

/// What Istio's agent says about its pod.
fn node(plane: &ControlPlane, namespace: &str, pod: &Pod, address: Ipv4Addr) -> Json {
    let kind = if pod.kind.is_gateway() { "router" } else { "sidecar" };
    let name = &pod.name;
    let mut node = json!({
        "id": format!("{kind}~{address}~{name}.{namespace}~{namespace}.svc.cluster.local"),
        "cluster": format!("{name}.{namespace}"),
        "metadata": {
            "NAME": name,
            "NAMESPACE": namespace,
            "LABELS": labels(pod),
            "INSTANCE_IPS": address,
            "CLUSTER_ID": plane.cluster.id,
            "INTERCEPTION_MODE": "NONE",
            // EnvoyFilters for proxies of some versions pass over one that says none.
            "ISTIO_VERSION": "1.32.0",
        },
    });
    if let Some(version) = pod.labels.get(VERSION_LABEL) {
        node["metadata"]["ISTIO_VERSION"] = json!(version);
    }
    node
}

fn bootstrap(node: &Json, discovery: SocketAddr) -> Json {
    let mut istiod = config::cluster(ISTIOD, &[discovery]);
    istiod["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        },
    });
    let ads = json!({"ads": {}, "resource_api_version": "V3"});
    let mut bootstrap = config::bootstrap(node, &[], &[istiod]);
    bootstrap["dynamic_resources"] = json!({
        "cds_config": ads,
        "lds_config": ads,
        "ads_config": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": true,
            "grpc_services": [{"envoy_grpc": {"cluster_name": ISTIOD}}],
        },
    });
    bootstrap
}

//! Kubernetes objects that this harness makes, in the place of kubelet and the controllers.

use std::net::Ipv4Addr;

use serde_json::{Value as Json, json};

use super::declare::{Pod, Port, Service};
use super::network::outbound_address;

/// The label by which a pod's own Sidecar resource finds it.
pub const POD_LABEL: &str = "graylane.test/pod";
/// The label of what stays when a run's objects are deleted.
pub const KEPT_LABEL: &str = "graylane.test/kept";

/// The service account of every pod.
pub const ACCOUNT: &str = "default";

/// A namespace.
#[must_use]
pub fn namespace(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A service.
#[must_use]
pub fn service(namespace: &str, service: &Service) -> Json {
    let port = |port: &Port| json!({"name": port.name, "port": port.number, "targetPort": port.target});
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": service.name, "namespace": namespace},
        "spec": {
            "selector": service.selector,
            "ports": service.ports.iter().map(port).collect::<Vec<_>>(),
        },
    })
}

/// A pod; what it runs does not matter here.
#[must_use]
pub fn pod(namespace: &str, pod: &Pod) -> Json {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod.name, "namespace": namespace, "labels": labels(pod)},
        "spec": {
            "containers": [{"name": "app", "image": "app"}],
            "serviceAccountName": ACCOUNT,
            "terminationGracePeriodSeconds": 0,
        },
    })
}

/// A pod's labels, with the harness' own.
#[must_use]
pub fn labels(pod: &Pod) -> Json {
    let mut labels = json!(pod.labels);
    labels[POD_LABEL] = json!(pod.name);
    labels
}

/// The status of a pod, as kubelet reports it.
#[must_use]
pub fn pod_status(address: Ipv4Addr, ready: bool) -> Json {
    let status = if ready { "True" } else { "False" };
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": "Ready", "status": status},
            {"type": "ContainersReady", "status": status},
        ],
    })
}

/// A service's endpoints, as the controller for endpoints makes them: pods that are not ready are in it, and say so.
#[must_use]
pub fn endpoint_slice(namespace: &str, service: &Service, pods: &[(&str, Ipv4Addr, bool)]) -> Json {
    let port = |port: &Port| json!({"name": port.name, "port": port.target, "protocol": "TCP"});
    let endpoint = |(name, address, ready): &(&str, Ipv4Addr, bool)| {
        json!({
            "addresses": [address],
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
            "targetRef": {"kind": "Pod", "name": name, "namespace": namespace},
        })
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{}-graylane", service.name), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service.name},
        },
        "addressType": "IPv4",
        "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": service.ports.iter().map(port).collect::<Vec<_>>(),
    })
}

/// The Sidecar resource of one pod, in the place of iptables: a listener for each port that its application may call,
/// and one for each port that it serves. Without it, a proxy from which nothing is intercepted has no inbound listener.
#[must_use]
pub fn sidecar(
    namespace: &str,
    pod: &Pod,
    address: Ipv4Addr,
    outbound: &[u16],
    inbound: &[&Port],
    app: u16,
) -> Json {
    let egress = |port: &u16| {
        json!({
            "port": {"number": port, "protocol": "HTTP", "name": format!("http-out-{port}")},
            "bind": outbound_address(address), "captureMode": "NONE", "hosts": ["*/*"],
        })
    };
    let ingress = |port: &&Port| {
        json!({
            "port": {"number": port.target, "protocol": "HTTP", "name": format!("http-in-{}", port.target)},
            "bind": address, "captureMode": "NONE", "defaultEndpoint": format!("127.0.0.1:{app}"),
        })
    };
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"name": pod.name, "namespace": namespace},
        "spec": {
            "workloadSelector": {"labels": {POD_LABEL: pod.name}},
            "egress": outbound.iter().map(egress).collect::<Vec<_>>(),
            "ingress": inbound.iter().map(ingress).collect::<Vec<_>>(),
        },
    })
}

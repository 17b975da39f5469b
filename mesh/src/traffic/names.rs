//! Names of hosts and namespaces, as Istio reads them.

use serde_json::Value as Json;

/// A host name, completed as Istio completes it.
#[must_use]
pub fn full_host(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') || host == "*" || host.is_empty() {
        host
    } else {
        format!("{host}.{namespace}.svc.cluster.local")
    }
}

/// Is a resource of Istio's API? Others have kinds of the same name.
#[must_use]
pub fn group_is_istio(json: &Json) -> bool {
    json["apiVersion"].as_str().is_none_or(|version| {
        version.split('/').next().is_some_and(|group| group == "istio.io" || group.ends_with(".istio.io"))
    })
}

/// The namespace of a resource.
pub(super) fn namespace(json: &Json) -> &str {
    json["metadata"]["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or("default")
}

/// Does the name of a VirtualService's host cover a host?
pub(super) fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(rest) => host.ends_with(rest) && host.len() > rest.len(),
        None => name == host,
    }
}

//! Names that several parts must agree on.

/// Request header that carries the choice of a subset from the filter to the route: `<full host>/<subset>`.
pub const SUBSET_HEADER: &str = "x-graylane-subset";

/// Request header that carries the point of a user's unit to Envoy, which chooses by it among the clusters of a weighted
/// route: a decimal number of 64 bits.
pub const POINT_HEADER: &str = "x-graylane-point";

/// Filter state with the payload of a verified token as JSON, which Envoy writes for the native module.
pub const CLAIMS_STATE: &str = "graylane.claims";

/// Request header with a lane token ([`crate::edge::token`]), for callers who send headers.
pub const TOKEN_HEADER: &str = "x-graylane-token";

/// Parameter of the query with a lane token, for callers who are given a URL.
pub const TOKEN_PARAMETER: &[u8] = b"graylane-token";

/// Every header of graylane's own starts with it; outside callers must send none of them.
pub const OWN_PREFIX: &str = "x-graylane-";

/// Response header that says how its request was decided, where the file asks for it.
pub const DEBUG_HEADER: &str = "x-graylane-debug";

/// Baggage member that carries the unit: 16 lowercase hex digits.
pub const UNIT_MEMBER: &str = "graylane-unit";

/// Pod label that names the tenant of a worker.
pub const TENANT_LABEL: &str = "graylane.dev/tenant";

/// Pod label that names the mode of its sidecar.
pub const MODE_LABEL: &str = "graylane.dev/mode";

/// Environment variable of the VM with the name of the tenant header: a gateway that never had a readable
/// configuration still removes it.
pub const HEADER_ENV: &str = "GRAYLANE_HEADER";

/// Environment variable of the VM with further headers that outside callers must not send, separated by commas: a gateway
/// that never had a readable configuration still removes them.
pub const REMOVE_ENV: &str = "GRAYLANE_REMOVE";

/// The tenant header of a file that names none, and of a gateway that knows nothing.
pub const DEFAULT_HEADER: &str = "tenant";

/// Filter state of a decision, read by others as `wasm.tenant`.
pub const TENANT_STATE: &str = "tenant";
/// Filter state of a decision, read by others as `wasm.subset`.
pub const SUBSET_STATE: &str = "subset";
/// Filter state of a decision, read by others as `wasm.source`; written only where the source is not the header.
pub const SOURCE_STATE: &str = "source";

/// Filter state with the whole value of the debug header, written by the gateway for callers that may see it; the route
/// adds it to the response, or nothing where it is not set.
pub const DEBUG_STATE: &str = "debug";

/// The name under which others read filter state of ours: in CEL `filter_state['wasm.tenant']`, in access logs
/// `%FILTER_STATE(wasm.tenant:PLAIN)%`. Envoy puts `wasm.` before it (`Context::setProperty` in
/// source/extensions/common/wasm/context.cc).
#[must_use]
pub fn filter_state(name: &str) -> String {
    ["wasm.", name].concat()
}

/// Filter state with a cookie that was made: a value of `Set-Cookie`, which the route adds to the response.
pub const COOKIE_STATE: &str = "cookie";

/// Property with the client's address and port, as Envoy resolved it (`x-forwarded-for` and trusted hops included).
pub const SOURCE_ADDRESS: &[u8] = b"source\0address";

/// Properties with the identity in the client's certificate: its first URI SAN, its first DNS SAN.
pub const CERTIFICATE: [&[u8]; 2] =
    [b"connection\0uri_san_peer_certificate", b"connection\0dns_san_peer_certificate"];

/// The property with a claim: dynamic metadata that jwt_authn writes, under the key that Istio has it use
/// (`payload`, istio/pilot/pkg/security/authn/policy_applier.go). A client has no way to write there.
#[must_use]
pub fn claim_path(path: &[String]) -> Vec<u8> {
    let mut whole = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload".to_vec();
    for step in path {
        whole.push(0);
        whole.extend_from_slice(step.as_bytes());
    }
    whole
}

/// Pod labels that name the service of a workload, the first one present counts
/// (Istio's canonical service: istio/pkg/model/proxy_workload, `CanonicalServiceLabel`).
pub const SERVICE_LABELS: [&str; 3] = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];

/// The name of Envoy's route for one rule of a service: `<service>:<rule>`, and where the service has routes of its own
/// kind `<service>:<route>:<rule>`.
#[must_use]
pub fn route_name(service: &str, route: Option<&str>, rule: &str) -> String {
    match route {
        Some(route) => [service, ":", route, ":", rule].concat(),
        None => [service, ":", rule].concat(),
    }
}

/// What stands between the parts of such a name where the rule is one of the Kubernetes Gateway API, which allows no `:` in names.
pub const GATEWAY_API_SEPARATOR: &str = ".";

/// The route in a name that [`route_name`] made; none where the service has none of its own kind.
#[must_use]
pub fn route_in(name: &[u8]) -> Option<&[u8]> {
    let separator = if name.contains(&b':') { b':' } else { b'.' };
    let mut parts = name.split(|byte| *byte == separator);
    let (_service, route, _rule) = (parts.next()?, parts.next()?, parts.next()?);
    Some(route)
}

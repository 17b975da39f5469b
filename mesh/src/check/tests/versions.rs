//! What single versions have of their own.

use super::{GOOD, findings};

#[test]
fn versions_with_hosts_and_ports_of_their_own_are_not_sticky_at_a_gateway() {
    let own_host = "versions: {canary: {host: api-canary}}";
    let weighed = GOOD.to_owned() + "    rollout: {weights: {canary: 5}}\n    " + own_host + "\n";
    assert_eq!(findings(&weighed), [""; 0], "inside the mesh users stay");
    let shown = weighed
        .replace("\nservices:", "\nedge: {gateway: {selector: {istio: ingressgateway}, name: a/b}, accept: never, traceContext: keep}\nservices:")
        + "    expose: {hosts: [api.example.com]}\n";
    assert_eq!(findings(&shown), [""; 0], "the gateway knows the service by both hosts");
    let other_port = shown.replace("{host: api-canary}", "{host: api-canary, port: 9090}");
    let said = findings(&other_port.replace("  api:\n", "  api:\n    port: 8080\n"));
    assert!(said[0].contains("users at a gateway do not stay"), "{said:?}");
    assert_eq!(findings(&other_port), [""; 0], "a service without a port has any");
}

//! What a file says that Envoy alone cannot do.

use crate::lacking::Lost;
use crate::mesh::{Mesh, Service};

/// What belongs to no single route.
pub(super) fn of_mesh(mesh: &Mesh, lost: &mut Lost) {
    for service in &mesh.services {
        let (name, path) = (&service.name, ["services", &service.name]);
        if service.external {
            lost.say(
                &path,
                format!("`{name}` has external routes, and Envoys without Istio have no others than those of the file"),
                "write its `subsets`, and weights of the file instead of `external` ones",
            );
        } else if service.port.is_none() {
            lost.say(
                &path,
                format!("`{name}` has no `port`, by which Envoy finds routes and clusters"),
                "write `port`",
            );
        }
        let policies = std::iter::once((vec!["services", name, "trafficPolicy"], &service.traffic_policy))
            .chain(service.versions.iter().map(|(subset, version)| {
                (vec!["services", name, "versions", subset, "trafficPolicy"], &version.traffic_policy)
            }));
        for (path, policy) in policies {
            if policy.get("loadBalancer").is_some_and(|balancer| balancer.get("consistentHash").is_some()) {
                lost.say(
                    &path,
                    format!(
                        "`consistentHash` of `{name}` needs a hash policy in routes, which is not written"
                    ),
                    "take it off the file",
                );
            }
        }
        unknown_gateways(mesh, service, lost);
    }
}

/// A Gateway resource that no gateway of the file is: nobody could tell which Envoy has it.
fn unknown_gateways(mesh: &Mesh, service: &Service, lost: &mut Lost) {
    let ingresses = mesh.ingresses();
    let one = ingresses.len() == 1;
    let is_known = |name: &String| {
        ingresses.iter().filter_map(|ingress| ingress.gateway).any(|gateway| match &gateway.name {
            Some(own) => own == name,
            None => one,
        })
    };
    let outside = service.outside.iter().flat_map(|outside| &outside.gateways);
    if let Some(name) =
        service.expose.gateways.iter().chain(outside).find(|name| name.contains('/') && !is_known(name))
    {
        lost.say(
            &["services", &service.name, "expose", "gateways"],
            format!("`{name}` of `{}` is the Gateway of no gateway in `edge`", service.name),
            "name one of `edge.gateways`, or give one of them this `name`",
        );
    }
}

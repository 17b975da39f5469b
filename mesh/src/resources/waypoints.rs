//! What a file says that waypoints cannot do. A waypoint stands before a service: it sees a call, and neither what came into the pod
//! that makes it nor that pod's labels (docs/ambient.md).

use graylane_decide::config::{Conflict, Restore};

use crate::adopt::weights;
use crate::lacking::Lacking;
use crate::mesh::Mesh;

const MEMORY: &str = "let applications forward `baggage` (OpenTelemetry does), or keep sidecars for those that lose the header";
const HEADER: &str = "send the tenant header from the worker itself, or keep its sidecar";

/// What a file says, or means by default, that waypoints cannot do.
#[must_use]
pub fn lacking(mesh: &Mesh) -> Vec<Lacking> {
    let mut all = Vec::new();
    let mut say = |path: &[&str], text: String, instead: &'static str| {
        let path = path.iter().map(|&step| step.to_owned()).collect();
        all.push(Lacking { path, text, instead });
    };
    let policy = &mesh.document.policy;
    if policy.restore.contains(&Restore::Memory) {
        let text = "a waypoint does not know what came into the pod that calls, so it restores no header from a request id or trace id";
        say(&["policy", "restore"], text.to_owned(), MEMORY);
    }
    if policy.conflict != Conflict::Header {
        let text = format!(
            "`conflict: {}` compares with the memory of a pod, which a waypoint does not have: the header counts",
            policy.conflict.word()
        );
        say(&["policy", "conflict"], text, "write `conflict: header`");
    }
    for worker in mesh.workers.iter().filter(|worker| !worker.tenants.is_empty()) {
        let text = format!(
            "a waypoint does not know the labels of the pod that calls, so calls of worker `{}` are not restored from its tenant's label",
            worker.name
        );
        say(&["workers", &worker.name], text, HEADER);
    }
    for (name, service) in mesh.document.services.iter().filter(|(_, service)| service.mode.is_some()) {
        let mode = service.mode.map(graylane_decide::config::Mode::word).unwrap_or_default();
        let text = format!(
            "`mode: {mode}` of `{name}` applies to the proxies of its pods, so it has no effect at a waypoint"
        );
        say(&["services", name, "mode"], text, "write the mode of the namespace under `mesh.modes`");
    }
    if !mesh.document.egress.gateways.is_empty() {
        let text = "a waypoint takes nothing off requests that leave the mesh, so tenant and unit reach the egress gateway and what is behind it";
        say(&["egress", "gateways"], text.to_owned(), "keep sidecars in the pods that call it");
    }
    for service in &mesh.services {
        let matches = || service.all_routes().flat_map(|route| &route.matches);
        for (key, means) in [
            (
                "sourceLabels",
                "never matches at a waypoint, which does not know the labels of the pod that calls",
            ),
            ("sourceNamespace", "means the namespace of the waypoint, and not that of the pod that calls"),
        ] {
            if matches().any(|one| one.contains_key(key)) {
                let text = format!("`{key}` in a route of `{}` {means}", service.name);
                say(&["services", &service.name, "routes"], text, "match a header that the caller sends");
            }
        }
    }
    for (service, _) in weights::services(mesh) {
        let text = format!(
            "`weights: external` of `{}` needs an EnvoyFilter in the proxy of each caller: behind a waypoint its users are drawn anew with \
             each request",
            service.name
        );
        say(
            &["services", &service.name, "rollout", "weights"],
            text,
            "write the weights here, or keep sidecars for its callers",
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn each_thing_that_only_sidecars_do_is_named_with_its_place() {
        let file = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: none
egress: {gateways: [egress.istio-system.svc.cluster.local]}
policy: {conflict: memory}
services:
  api: {mode: observe, subsets: {a: {v: '1'}, b: {v: '2'}}, baseline: a, routes: [{match: [{sourceLabels: {app: web}}], pins: {gray-v1: b}}]}
  web: {routing: external, rollout: {weights: external, route: primary}}
workers: {mailer: {topics: [orders], tenants: [gray-v1]}}
";
        let mesh = |text: &str| {
            Mesh::of(&crate::check::open(document::load_text("f.yaml", text).unwrap()).checked().unwrap())
        };
        let paths: Vec<String> = lacking(&mesh(file)).iter().map(|one| one.path.join(".")).collect();
        let want = [
            "policy.restore",
            "policy.conflict",
            "workers.mailer",
            "services.api.mode",
            "egress.gateways",
            "services.api.routes",
            "services.web.rollout.weights",
        ];
        assert_eq!(paths, want);
        let little =
            file.replace("{conflict: memory}", "{restore: [baggage]}").replace("mode: observe, ", "");
        let little =
            little.replace(", routes: [{match: [{sourceLabels: {app: web}}], pins: {gray-v1: b}}]", "");
        let little = little.replace("egress: {gateways: [egress.istio-system.svc.cluster.local]}\n", "");
        let (little, _) = little.split_once("  web:").unwrap();
        assert_eq!(lacking(&mesh(little)), []);
    }
}

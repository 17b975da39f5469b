use super::*;
use crate::check::open;
use crate::document;

fn mesh(source: &str) -> Mesh {
    let text = format!(
        "version: 1\nmesh: {{name: bank, namespace: bank}}\ntenants: {{green: {{default: true}}, gray.v1: {{}}}}\n\
         services:\n  api: {{port: 8080, subsets: {{stable: {{version: v1}}, canary.2: {{version: v2}}}}, baseline: stable}}\n\
         \x20 old: {{subsets: {{stable: {{version: v1}}}}}}\ntelemetry: {{source: {source}}}\n"
    );
    Mesh::of(&open(document::load_text("graylane.yaml", &text).unwrap()).checked().unwrap())
}

#[test]
fn of_istio() {
    let mesh = mesh("istio");
    let (queries, api) = (Queries::of(&mesh), mesh.service("api").unwrap());
    let to_canary = r#"reporter="source",destination_service="api.bank.svc.cluster.local",subset="canary.2""#;
    assert_eq!(
        queries.requests(api, Part::Subset("canary.2"), "5m"),
        format!("sum(rate(istio_requests_total{{{to_canary}}}[5m]))")
    );
    assert_eq!(
        queries.error_ratio(api, Part::Subset("canary.2"), "5m"),
        format!(
            "(sum(rate(istio_requests_total{{{to_canary},response_code=~\"5..\"}}[5m]) or \
             rate(istio_requests_total{{{to_canary},grpc_response_status=~\"2|4|12|13|14|15\"}}[5m])) or vector(0)) / \
             (sum(rate(istio_requests_total{{{to_canary}}}[5m])) > 0)"
        )
    );
    let waypoints = Queries::of_waypoints(&mesh).count(api, Part::Tenant("gray.v1"), "1h");
    assert!(waypoints.contains(r#"reporter="waypoint""#) && waypoints.contains(r#"tenant="gray.v1""#));
}

#[test]
fn of_envoy() {
    let mesh = mesh("envoy");
    let (queries, api) = (Queries::of(&mesh), mesh.service("api").unwrap());
    assert_eq!(
        queries.count(api, Part::Subset("canary.2"), "5m"),
        "sum(increase(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~\
         \"outbound[|]8080[|]canary[.]2[|]api[.]bank[.]svc[.]cluster[.]local\"}[5m]))"
    );
    let old = queries.latency_p99(mesh.service("old").unwrap(), Part::All, "5m");
    assert!(old.contains("outbound[|][0-9]+[|][^|]*[|]old[.]bank"), "{old}");
    let tenant = queries.requests(api, Part::Tenant("gray.v1"), "5m");
    assert!(tenant.contains(r#"vcluster_upstream_rq_xx{envoy_virtual_host="api.bank.svc.cluster.local",envoy_virtual_cluster="gray.v1"}"#));
}

#[test]
fn every_character_of_a_name_matches_itself_only() {
    assert_eq!(literal("a-b_c.d|e*"), "a-b_c[.]d[|]e[*]");
    assert_eq!(any_of(["a.b", "c"]), "a[.]b|c");
}

#[test]
fn proxies_without_a_plugin_are_those_of_the_services() {
    let without = Queries::of(&mesh("istio")).proxies_without_filter();
    assert_eq!(
        without,
        "group by (namespace, pod) (envoy_server_live{namespace=~\"bank\"}) unless on (namespace, pod) graylane_config_revision"
    );
}

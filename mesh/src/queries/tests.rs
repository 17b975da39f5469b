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

#[test]
fn judged_are_those_who_take_part_and_are_not_left_out() {
    let text = "version: 1\nmesh: {name: bank, namespace: bank}\n\
                tenants: {green: {default: true}, load: {judge: false}, probe: {judge: false}}\n\
                services:\n  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable}\n";
    let of =
        |text: &str| Mesh::of(&open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap());
    let mesh = of(text);
    let api = mesh.service("api").unwrap();
    let queries = Queries::of(&mesh);
    let lane = |tenants: &[&str]| {
        let tenants: Vec<String> = tenants.iter().map(|&name| name.to_owned()).collect();
        queries.count(api, Part::Lane("canary", &tenants), "5m")
    };
    assert!(lane(&["green"]).contains(r#"subset="canary",tenant=~"green"}"#), "{}", lane(&["green"]));
    assert!(lane(&["green", "gray.v1"]).contains(r#"tenant=~"green|gray[.]v1"}"#));
    let worse = crate::document::model::WorseErrors { canary_over_baseline: 2.0, min: 0.01 };
    let alert = queries.worse_errors(api, "canary", &worse, "5m");
    assert_eq!(
        alert.matches(r#",tenant!~"load|probe""#).count(),
        alert.matches("istio_requests_total").count()
    );
    // Without tenants that are left out, alerts are what they were.
    let plain = of(&text.replace("{judge: false}", "{}"));
    let plain = Queries::of(&plain).worse_errors(api, "canary", &worse, "5m");
    assert_eq!(plain, alert.replace(r#",tenant!~"load|probe""#, ""));
    // What has no label of its own is left out under the name that metrics have for it.
    let other = of(&text.replace("probe: {judge: false}", "probe: {judge: false, label: false}"));
    let other = Queries::of(&other).worse_errors(api, "canary", &worse, "5m");
    assert_eq!(other, alert.replace("load|probe", "load|other"));
    // Envoy's statistics of clusters have no tenant.
    let envoy = self::mesh("envoy");
    let api = envoy.service("api").unwrap();
    let lane = Queries::of(&envoy).count(api, Part::Lane("canary.2", &["green".to_owned()]), "5m");
    assert_eq!(lane, Queries::of(&envoy).count(api, Part::Subset("canary.2"), "5m"));
}

#[test]
fn a_service_whose_subsets_are_services_is_asked_about_under_all_their_names() {
    let text = "version: 1\nmesh: {name: bank, namespace: bank, routes: gateway-api}\ntenants: {green: {default: true}}\nedge: none\n\
                services:\n  api: {port: 80, subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable}\n";
    let mesh = Mesh::of(&open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap());
    let (queries, api) = (Queries::of(&mesh), mesh.service("api").unwrap());
    let names =
        ["api", "api-canary", "api-stable"].map(|name| format!("{name}[.]bank[.]svc[.]cluster[.]local"));
    let hosts = format!(r#"destination_service=~"{}""#, names.join("|"));
    assert_eq!(
        queries.requests(api, Part::Subset("canary"), "5m"),
        format!(r#"sum(rate(istio_requests_total{{reporter="source",{hosts},subset="canary"}}[5m]))"#)
    );
    assert!(queries.recorded().recordings().iter().all(|one| one.query.contains(&hosts)));
    assert_eq!(To::variable("host", &mesh).matcher("host"), r#"host=~"$host""#);
    assert_eq!(To::value(api, &mesh), names.join("|"));
}

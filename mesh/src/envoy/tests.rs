//! What the files say; `tests/envoy_files.rs` and `tests/envoy_watched.rs` ask real Envoys.

use serde_json::Value as Json;

use super::{Code, Options, clusters, files, outbound};
use crate::lacking::Lost;
use crate::mesh::Mesh;

const HEAD: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
";

fn mesh(rest: &str) -> Mesh {
    let loaded = crate::document::load_text("f.yaml", &format!("{HEAD}{rest}")).unwrap();
    Mesh::of(&crate::check::open(loaded).checked().expect("a valid file"))
}

fn options() -> Options {
    Options { code: Code::Wasm("/etc/graylane/graylane.wasm".to_owned()), other_hosts: None }
}

fn parsed(text: &str) -> Json {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn what_envoy_alone_cannot_do_is_refused_all_at_once_with_its_place() {
    let mesh = mesh(
        "
edge:
  gateway: {selector: {istio: ingress}, name: shop/public}
  accept: never
  jwt: {render: true, issuer: 'https://issuer.example'}
  rules: [{tenant: gray-v1, claim: {name: role, exact: employee}}]
services:
  api:
    expose: {hosts: [api.example.com], gateways: [infra/ops]}
    subsets: {a: {v: '1'}, b: {v: '2'}}
    versions: {b: {trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}}
    baseline: a
    pins: {gray-v1: b}
    routes:
      - name: one
        match: [{sourceLabels: {app: web}, sourceNamespace: x, gateways: [mesh], headers: {'@request.auth.claims.role': {exact: x}}}]
        http: {headers: {request: {set: {Host: x}}}, fault: {abort: {httpStatus: 500, percentage: {value: 1}}}, retries: {attempts: 2, retryRemoteLocalities: true}}
        pins: {gray-v1: b}
  web: {routing: external, rollout: {weights: external, route: primary}}
",
    );
    let lacking = files(&mesh, &options(), "/etc/graylane").unwrap_err();
    let said: Vec<String> =
        lacking.iter().map(|one| format!("{}: {}", one.path.join("."), one.text)).collect();
    for part in [
        "services.web: `web` has external routes",
        "services.api: `api` has no `port`",
        "services.api.routes.0.match: `sourceLabels` in `match` of `api`",
        "services.api.routes.0.match: `sourceNamespace` in `match` of `api`",
        "services.api.routes.0.match: `gateways` in `match` of `api`",
        "services.api.routes.0.match: `@request.auth.claims.role` in `match` of `api`",
        "services.api.routes.0.http.fault: `fault` in `http` of `api`",
        "services.api.routes.0.http.retries: `retries.retryRemoteLocalities` in `http` of `api`",
        "services.api.routes.0.http.headers: `headers` in `http` of `api` cannot change `Host`",
        "services.api.versions.b.trafficPolicy: `consistentHash` of `api`",
        "services.api.expose.gateways: `infra/ops` of `api`",
        "edge.jwt: `jwksUri` is missing",
    ] {
        assert!(said.iter().any(|one| one.starts_with(part)), "{part} is missing in {said:#?}");
    }
    assert_eq!(said.len(), 12, "{said:#?}");
}

#[test]
fn a_gateway_verifies_tokens_before_the_filter_reads_their_claims() {
    let rest = "
edge:
  gateway: {selector: {istio: ingress}, name: shop/public}
  accept: never
  jwt: {render: true, issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/keys'}
  rules: [{tenant: gray-v1, claim: {name: role, exact: employee}}]
";
    for (code, want) in [
        (Code::Wasm("/w".to_owned()), &["graylane-gateway.jwt", "graylane-gateway"][..]),
        (
            Code::Native("/n".to_owned()),
            &["graylane-gateway.jwt", "graylane-gateway.claims", "graylane-gateway"][..],
        ),
    ] {
        let files = files(&mesh(rest), &Options { code, other_hosts: None }, "/g/").unwrap();
        let manager = parsed(&files["connection-managers/gateway.yaml"]);
        let names: Vec<&str> = manager["http_filters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.split_last().unwrap(), (&"envoy.filters.http.router", want));
        let path =
            &manager["http_filters"][0]["config_discovery"]["config_source"]["path_config_source"]["path"];
        assert_eq!(path, "/g/filters/graylane-gateway.jwt.yaml");
        let jwt = &parsed(&files["filters/graylane-gateway.jwt.yaml"])["resources"][0]["typed_config"];
        assert_eq!(jwt["providers"]["issuer"]["payload_in_metadata"], "payload");
        assert_eq!(jwt["providers"]["issuer"]["remote_jwks"]["http_uri"]["cluster"], "issuer.example:443");
        let clusters = parsed(&files["clusters.yaml"]);
        assert_eq!(clusters["clusters"][0]["keys"], "https://issuer.example/keys");
        // A stranger's trace must not go on: the tracer reads it before any filter runs.
        assert!(manager["early_header_mutation_extensions"].is_array());
        assert_eq!(manager["use_remote_address"], true);
    }
}

#[test]
fn clusters_are_named_with_what_belongs_into_them() {
    let rest = "
edge: none
services:
  api:
    port: 8080
    subsets: {a: {v: '1'}, b: {v: '2'}}
    baseline: a
    fallback: baseline
    pins: {gray-v1: b}
    trafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}
  web: {host: web.example.com, subsets: {all: {}}}
";
    let all = clusters(&mesh(rest));
    let said: Vec<(&str, Option<&str>, Option<&str>)> =
        all.iter().map(|one| (one.name.as_str(), one.subset.as_deref(), one.fallback.as_deref())).collect();
    assert_eq!(
        said,
        [
            ("outbound|8080|a|api.shop.svc.cluster.local", Some("a"), None),
            ("outbound|8080|b-or-baseline|api.shop.svc.cluster.local", Some("b"), Some("a")),
            ("outbound|80||web.example.com", None, None),
        ]
    );
    assert_eq!(all[1].labels["v"], "2");
    assert_eq!(all[1].traffic_policy["connectionPool"]["tcp"]["maxConnections"], 5);
    assert!(all.iter().all(|one| one.alt_stat_name == format!("{};", one.name)));
}

#[test]
fn a_shared_host_and_a_port_of_a_route_are_virtual_hosts_of_their_own() {
    let rest = "
edge: none
services:
  web: {port: 80, subsets: {a: {v: '1'}}}
  admin: {host: web, port: 9090, subsets: {a: {v: '1'}}}
  api: {port: 8080, subsets: {a: {v: '1'}}, routes: [{name: one, match: [{port: 9090, uri: {prefix: /x}}], http: {timeout: 1s}}]}
";
    let routes = outbound(&mesh(rest), Some("away"), &mut Lost::default());
    let hosts = routes["virtual_hosts"].as_array().unwrap();
    let names: Vec<&str> = hosts.iter().map(|host| host["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "api.shop.svc.cluster.local:8080",
            "api.shop.svc.cluster.local:9090",
            "web.shop.svc.cluster.local:80",
            "web.shop.svc.cluster.local:9090",
            "other-hosts"
        ]
    );
    let domains =
        |index: usize| hosts[index]["domains"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    assert!(domains(0).all(|name| name.ends_with(":8080")) && domains(1).all(|name| name.ends_with(":9090")));
    assert!(domains(2).any(|name| name == "web") && domains(3).all(|name| name.ends_with(":9090")));
    let of = |index: usize| hosts[index]["routes"].as_array().unwrap().len();
    assert_eq!((of(0), of(1)), (1, 2), "the route is at its port only");
}

#[test]
fn a_short_name_is_that_of_the_own_namespace() {
    let rest = "
edge: none
services:
  acme: {host: api.acme.com, port: 443, subsets: {a: {v: '1'}}}
  aaa: {host: api, namespace: other, port: 80, subsets: {a: {v: '1'}}}
  api: {port: 80, subsets: {a: {v: '1'}}}
";
    let routes = outbound(&mesh(rest), None, &mut Lost::default());
    let with_short: Vec<&Json> = routes["virtual_hosts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|host| host["domains"].as_array().unwrap().iter().any(|name| name == "api"))
        .collect();
    assert_eq!(with_short.len(), 1);
    assert_eq!(with_short[0]["name"], "api.shop.svc.cluster.local");
}

#[test]
fn headers_of_the_only_destination_come_after_those_of_its_route() {
    let rest = "
edge: none
services:
  api:
    port: 80
    subsets: {a: {v: '1'}, b: {v: '2'}}
    baseline: a
    pins: {gray-v1: b}
    http: {headers: {request: {set: {x-v: base}, remove: [x-old]}}, retries: {retryOn: 5xx}}
    versions: {b: {headers: {request: {set: {x-v: canary}, remove: [x-older]}}}}
";
    let routes = outbound(&mesh(rest), None, &mut Lost::default());
    let pin = &routes["virtual_hosts"][0]["routes"][0];
    assert_eq!(pin["name"], "api:pin-gray-v1");
    assert_eq!(pin["request_headers_to_add"][0]["header"]["value"], "canary");
    assert_eq!(pin["request_headers_to_remove"], serde_json::json!(["x-old", "x-older"]));
    assert!(pin["route"]["cluster"].is_string());
    assert!(pin["route"].get("retry_policy").is_none(), "without `attempts` Istio does not try again");
}

#[test]
fn a_batch_has_a_chain_of_its_own() {
    let rest = "
edge: none
services: {api: {port: 80, subsets: {a: {v: '1'}}}}
workers: {nightly: {kind: CronJob, sticky: none}}
";
    let files = files(&mesh(rest), &options(), "/g").unwrap();
    let manager = parsed(&files["connection-managers/outbound-sticky-none.yaml"]);
    assert_eq!(manager["http_filters"][0]["name"], "graylane-sticky-none");
    assert_eq!(manager["http_filters"][1]["name"], "graylane-outbound");
    assert_eq!(manager["rds"]["route_config_name"], "outbound");
    assert!(files.contains_key("filters/graylane-sticky-none.yaml"));
}

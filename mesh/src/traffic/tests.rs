use serde_json::{Value as Json, json};

use super::*;

fn world(yaml: &str) -> World {
    let documents: Vec<Json> = serde_saphyr::from_multiple(yaml).unwrap();
    World::of(&documents.iter().collect::<Vec<_>>(), "tenant")
}

fn goes(world: &World, request: &Request) -> String {
    let rules = world.rules(&request.place, &request.host);
    world.answer(request, rules.as_ref()).to_string()
}

const SHOP: &str = "
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop]
  http:
  - match: [{headers: {X-Lane: {prefix: b}}, uri: {regex: '/item/[0-9]+'}}, {port: 8080}]
    route: [{destination: {host: shop, subset: v2}}]
  - route:
    - {destination: {host: shop, subset: v1}, weight: 3}
    - {destination: {host: shop, subset: v2}, weight: 1}
    - {destination: {host: shop, subset: v3}}
---
kind: DestinationRule
metadata: {name: shop, namespace: demo}
spec:
  host: shop
  trafficPolicy: {loadBalancer: {simple: RANDOM}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
kind: DestinationRule
metadata: {name: all, namespace: demo}
spec: {host: '*.demo.svc.cluster.local', trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
";

#[test]
fn the_first_rule_that_matches_counts() {
    let world = world(SHOP);
    let host = "shop.demo.svc.cluster.local";
    let mut request = Request::new(MESH, host);
    assert_eq!(
        goes(&world, &request),
        format!("75 % {host}:80 (version=v1) and 25 % {host}:80 (version=v2)")
    );
    request.path = "/item/12".to_owned();
    request.headers.insert("x-lane".to_owned(), "beta".to_owned());
    assert_eq!(goes(&world, &request), format!("{host}:80 (version=v2)"));
    request.path = "/item/12x".to_owned();
    assert!(goes(&world, &request).starts_with("75 %"));
    request.port = 8080;
    assert_eq!(goes(&world, &request), format!("{host}:8080 (version=v2)"));
    let other = Request::new(MESH, "cart.demo.svc.cluster.local");
    assert_eq!(goes(&world, &other), "cart.demo.svc.cluster.local:80 (every pod)");
    let answer = world.answer(&other, None);
    assert_eq!(answer.targets[0].0.policy, json!({"tls": {"mode": "ISTIO_MUTUAL"}}).to_string());
}

#[test]
fn a_gateway_answers_404_and_merges_and_the_mesh_heeds_the_oldest() {
    let at = |name: &str, gateways: &str, rule: &str| {
        format!(
            "---\nkind: VirtualService\nmetadata: {{name: {name}, namespace: demo}}\nspec: {{hosts: [a.example.com], \
             gateways: {gateways}, http: [{rule}]}}\n"
        )
    };
    let to = |host: &str| format!("route: [{{destination: {{host: {host}}}}}]");
    let world = world(
        &[
            at("b", "[front, mesh]", &format!("{{match: [{{uri: {{prefix: /b}}}}], {}}}", to("b"))),
            at("a", "[front, mesh]", &format!("{{{}}}", to("a"))),
        ]
        .concat(),
    );
    let mut request = Request::new("demo/front", "a.example.com");
    assert_eq!(goes(&world, &request), "a.demo.svc.cluster.local (every pod)");
    request.path = "/b".to_owned();
    // What is for everybody comes last, though it is the older one.
    assert_eq!(goes(&world, &request), "b.demo.svc.cluster.local (every pod)");
    request.place = MESH.to_owned();
    assert_eq!(goes(&world, &request), "a.demo.svc.cluster.local:80 (every pod)");
    assert_eq!(goes(&world, &Request::new("demo/front", "b.example.com")), "404");
}

#[test]
fn delegates_are_merged_and_what_contradicts_is_lost() {
    let world = world(
        "
kind: VirtualService
metadata: {name: root, namespace: demo}
spec:
  hosts: [a.example.com]
  gateways: [front]
  http:
  - {match: [{uri: {prefix: /cart}}], timeout: 3s, delegate: {name: cart, namespace: team}}
  - {delegate: {name: nobody}}
---
kind: VirtualService
metadata: {name: cart, namespace: team}
spec:
  http:
  - {match: [{uri: {prefix: /cart/new}}], route: [{destination: {host: cart, subset: v2}}]}
  - {match: [{uri: {prefix: /other}}], route: [{destination: {host: cart}}]}
  - {route: [{destination: {host: cart}}]}
",
    );
    let mut request = Request::new("demo/front", "a.example.com");
    assert_eq!(goes(&world, &request), "404");
    request.path = "/cart/1".to_owned();
    assert_eq!(goes(&world, &request), "cart.team.svc.cluster.local (every pod) with timeout: \"3s\"");
    request.path = "/cart/new/1".to_owned();
    assert!(goes(&world, &request).contains("subset v2, which does not exist"));
    assert_eq!(world.virtual_services[0].lost.len(), 2);
}

#[test]
fn a_difference_is_found_and_says_who_goes_where() {
    let before = world(SHOP);
    assert!(compare(&before, &world(SHOP)).differences.is_empty());
    for (from, to, part) in [
        ("prefix: b", "prefix: c", "x-lane: b"),
        ("/item/[0-9]+", "/item/[0-8]+", "/item/"),
        ("port: 8080", "port: 8081", "port 8080"),
        ("weight: 3", "weight: 2", "75 %"),
        ("version: v2", "version: v3", "version=v3"),
        ("RANDOM", "LEAST_REQUEST", "LEAST_REQUEST"),
    ] {
        let report = compare(&before, &world(&SHOP.replace(from, to)));
        let text: Vec<String> = report.differences.iter().map(Difference::text).collect();
        // 9 is not among the samples of `[0-9]+`: that pattern is the one difference that is not seen.
        if from.starts_with("/item") {
            continue;
        }
        assert!(text.iter().any(|text| text.contains(part)), "{from}: {text:?}");
    }
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let world = world(&SHOP.replace("[0-9]+", "\\pL+"));
    let report = compare(&world, &world);
    assert_eq!(report.undecided.len(), 1, "{:?}", report.undecided);
}

#[test]
fn patterns_have_samples() {
    for pattern in
        ["/item/[0-9]+", "^(.*?;)?(user=jason)(;.*)?$", "a|b|cc*", "(?i)GRAY-v\\d{2,}", ".*", "", "[^/]+"]
    {
        let Text::Regex(pattern) = Text::of(&json!({"regex": pattern})) else { panic!("{pattern}") };
        assert!(!pattern.samples().is_empty(), "{}", pattern.text());
    }
}

#[test]
fn a_backend_of_weight_0_is_none_and_the_rest_is_the_only_one() {
    let route = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs: [{kind: Service, name: api, port: 80}]
  rules: [{backendRefs: [{name: api-v1, port: 80, weight: 100}, {name: api-v2, port: 80, weight: 0}]}]
";
    let world = world(route);
    let rules = world.rules(MESH, "api.shop.svc.cluster.local").expect("a route");
    let hosts: Vec<&str> = rules[0].0.destinations.iter().map(|to| to.host.as_str()).collect();
    assert_eq!(hosts, ["api-v1.shop.svc.cluster.local"]);
}

#[test]
fn where_no_rule_is_for_the_caller_the_service_has_its_plain_route() {
    let world = world(
        "
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec:
  hosts: [shop]
  http:
  - match: [{port: 8080, uri: {prefix: /a}}, {sourceLabels: {app: web}, port: 8080}]
    route: [{destination: {host: shop-new}}]
",
    );
    let host = "shop.demo.svc.cluster.local";
    let mut request = Request::new(MESH, host);
    assert_eq!(goes(&world, &request), format!("{host}:80 (every pod)"));
    request.port = 8080;
    assert_eq!(goes(&world, &request), "404", "its first match is for this caller, but not for its path");
    request.path = "/a".to_owned();
    assert_eq!(goes(&world, &request), "shop-new.demo.svc.cluster.local:8080 (every pod)");
}

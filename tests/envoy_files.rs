//! The routes of `render --for envoy` in a real Envoy: of every example, each request meets the rule that it meets as
//! VirtualServices, and goes to the same pods. Any Envoy can be tried: `ENVOY=/path cargo test --test envoy_files`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use graylane::envoy::{Envoy, Options as EnvoyOptions, config, locate};
use graylane::mesh::Mesh;
use graylane::traffic::{MESH, Request, World, requests};
use graylane_mesh::envoy::{Code, Options, cluster_name, clusters, files, gateway, outbound};
use graylane_mesh::lacking::Lost;
use graylane_tests::echo;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

/// A host that is in no file.
const OTHER: &str = "other-hosts";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("graylane.yaml"));
    let mut files: Vec<PathBuf> =
        entries.filter(|file| file.exists() && !file.to_string_lossy().contains("mistakes")).collect();
    files.sort();
    assert!(files.len() > 8, "{files:?}");
    files
}

/// What a file that uses all of it does besides the examples.
const MORE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}, qa: {}}
edge: {gateway: {selector: {istio: ingress}, name: shop/public}, accept: always}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    expose: {hosts: [shop.example.com, '*.shop.example.com'], paths: [/api, /api/v2]}
    subsets: {stable: {version: v1, a: x, b: x}, canary: {version: v2, a: x}, old: {version: v0, b: x}}
    baseline: stable
    fallback: baseline
    pins: {gray-v1: canary}
    rollout: {weights: {canary: 5.5, old: {percent: 10, from: top}}}
    routes:
      - name: export
        match:
          - {uri: {prefix: /export}, method: {exact: POST}}
          - {uri: {regex: '/v[0-9]+/export'}, queryParams: {all: {exact: '1'}}}
        pins: {qa: old}
        http: {timeout: 1500ms, retries: {attempts: 3, perTryTimeout: 500ms, retryOn: '5xx,409'}}
      - name: moved
        match: [{uri: {prefix: /moved}}, {uri: {exact: /Moved}}]
        http: {rewrite: {uri: /exports, authority: elsewhere}}
      - name: beta
        match: [{headers: {x-beta: {}, x-level: {prefix: 'a'}}, withoutHeaders: {x-stop: {exact: '1'}}}]
        http: {headers: {request: {set: {x-to: beta}, remove: [x-beta]}}}
      - name: old
        match: [{uri: {exact: /Old}, ignoreUriCase: true}]
        http: {redirect: {uri: /new, redirectCode: 308}}
      - name: gone
        match: [{uri: {prefix: /gone}}]
        http: {directResponse: {status: 410, body: {string: gone}}}
  web: {port: 80, subsets: {stable: {version: v1}}, expose: {hosts: [shop.example.com]}}
  admin: {host: web, port: 9090, subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray-v1: canary}}
";

fn mesh(loaded: graylane::document::Loaded) -> Mesh {
    Mesh::of(&graylane::check::open(loaded).checked().expect("a valid file"))
}

/// Envoys' listeners by place, each with the routes of it.
fn listeners(mesh: &Mesh) -> BTreeMap<String, Json> {
    let mut lost = Lost::default();
    let mut all = BTreeMap::from([(MESH.to_owned(), outbound(mesh, Some(OTHER), &mut lost))]);
    for (ingress, own) in mesh.gateways() {
        let routes = gateway(mesh, &ingress, &mut lost);
        all.insert(own.name.clone().unwrap_or_else(|| ingress.resource()), routes);
    }
    assert_eq!(lost.all(), []);
    for routes in all.values_mut() {
        // In a listener the type is known.
        routes.as_object_mut().unwrap().remove("@type");
        let say = |key: &str, value: &str| json!({"header": {"key": key, "value": value}});
        routes["response_headers_to_add"] =
            json!([say("x-route", "%ROUTE_NAME%"), say("x-cluster", "%UPSTREAM_CLUSTER_RAW%")]);
    }
    all
}

async fn start(mesh: &Mesh) -> (Envoy, BTreeMap<String, SocketAddr>) {
    let places = listeners(mesh);
    let upstream = echo::serve().unwrap();
    let names = clusters(mesh).into_iter().map(|one| one.name).chain([OTHER.to_owned()]);
    let clusters: Vec<Json> = names.map(|name| config::cluster(&name, &[upstream])).collect();
    let all: Vec<Json> = places
        .iter()
        .map(|(place, routes)| config::listener(place, 0, "OUTBOUND", &[], &json!({"route_config": routes})))
        .collect();
    let node = config::node("sidecar", "web", "shop", &json!({}));
    let bootstrap = config::bootstrap(&node, &all, &clusters);
    let options = EnvoyOptions { concurrency: 1, environment: &[] };
    let envoy = Envoy::start(&locate().unwrap(), "files", &bootstrap, options).await.unwrap();
    let mut addresses = BTreeMap::new();
    for place in places.keys() {
        addresses.insert(place.clone(), envoy.listener(place).await.unwrap());
    }
    (envoy, addresses)
}

/// What a client sends. None: it cannot, as a header that the client's library would not send.
fn head(request: &Request, port: Option<u16>) -> Option<Vec<u8>> {
    if request.scheme != "http" || request.headers.keys().any(|name| name.starts_with(['@', ':'])) {
        return None;
    }
    let query: Vec<String> = request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let host = request.host.replace('*', "any");
    let mut head = format!("{} {}{query} HTTP/1.1\r\nhost: {host}{port}\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // So that no body is waited for.
    Some((head + "content-length: 0\r\n\r\n").into_bytes())
}

/// Tries what the rules of a file are about in a real Envoy; how many requests, and how many names of rules they met.
fn same_as_the_model(mesh: &Mesh, runtime: &Runtime) -> (usize, BTreeSet<String>) {
    let world = World::of_routes(mesh, false, &[]);
    let (_envoy, addresses) = runtime.block_on(start(mesh));
    let (mut tried, mut met) = (0, BTreeSet::new());
    for (place, host) in world.places() {
        let address = addresses[&place];
        let mut stream = echo::connect(address).unwrap();
        let rules = world.rules(&place, &host);
        let ports: BTreeSet<u16> =
            mesh.services.iter().filter(|one| one.host == host).filter_map(|one| one.port).collect();
        for mut request in requests(&place, &host, [rules.as_ref(), None]) {
            // A name without a port means the only one, if there are not several.
            let port = (ports.len() > 1 || ports.contains(&request.port)).then_some(request.port);
            if let (true, None, Some(only)) = (place == MESH, port, ports.first()) {
                request.port = *only;
            }
            let Some(head) = head(&request, port) else { continue };
            compare(&mut stream, &head, &request, &world, rules.as_ref(), &mut met);
            tried += 1;
        }
    }
    (tried, met)
}

fn compare(
    stream: &mut TcpStream,
    head: &[u8],
    request: &Request,
    world: &World,
    rules: Option<&graylane::traffic::Rules<'_>>,
    met: &mut BTreeSet<String>,
) {
    let wanted = world.answer(request, rules);
    let answer = echo::exchange(&mut *stream, head).unwrap();
    let route = answer.header("x-route").unwrap_or_default();
    let Some(at) = wanted.rule else {
        assert!(answer.status == 404 || route == OTHER, "{request}: no rule, and Envoy says {route}");
        return;
    };
    let rule = &world.virtual_services.iter().find(|one| one.resource == at.resource).unwrap().rules[at.rule];
    assert_eq!(Some(&route), rule.name.as_ref(), "{request}");
    let clusters: Vec<String> = wanted
        .targets
        .iter()
        .filter(|(_, share)| *share > 0)
        .map(|(to, _)| {
            cluster_name(&to.host, to.subset.as_deref().unwrap_or_default(), to.port.unwrap_or(request.port))
        })
        .collect();
    match answer.header("x-cluster").filter(|name| name != "-") {
        Some(cluster) => {
            assert!(clusters.contains(&cluster), "{request}: {cluster}, expected one of {clusters:?}");
        }
        None => assert!(clusters.is_empty(), "{request}: no cluster, expected one of {clusters:?}"),
    }
    met.insert(route);
}

#[test]
fn every_example_routes_as_with_virtual_services() {
    let runtime = Runtime::new().unwrap();
    let mut refused = Vec::new();
    for file in examples() {
        let mesh = mesh(graylane::document::load(std::slice::from_ref(&file)).unwrap());
        let options = Options { code: Code::Wasm("/w".to_owned()), other_hosts: None };
        if let Err(lacking) = files(&mesh, &options, "/") {
            // External routes, or services without a port.
            assert!(lacking.iter().all(|one| one.path.len() == 2), "{}: {lacking:?}", file.display());
            refused.push(file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned());
            continue;
        }
        let (tried, met) = same_as_the_model(&mesh, &runtime);
        assert_eq!(
            tried > 20 && !met.is_empty(),
            !mesh.services.is_empty(),
            "{}: {tried} requests",
            file.display()
        );
    }
}

#[test]
fn all_that_routes_can_say_is_routed_as_with_virtual_services() {
    let mesh = mesh(graylane::document::load_text("more.yaml", MORE).unwrap());
    let (tried, met) = same_as_the_model(&mesh, &Runtime::new().unwrap());
    assert!(tried > 500, "{tried}");
    for name in [
        "api:export:rollout",
        "api:beta:subset-old",
        "api:old:answer",
        "api:gone:answer",
        "api:pin-gray-v1",
        "admin:pin-gray-v1",
    ] {
        assert!(met.contains(name), "{name} is missing in {met:?}");
    }
}

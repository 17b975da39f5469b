//! The cases that run natively, in the small host and in Envoy, once more: with plugins that come from istiod, in
//! proxies that it configures. What a suite or a case needs that a mesh has not, it says: `notInIstio`. Tokens are
//! verified as the rendered RequestAuthentication has it, with keys that istiod fetches.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use graylane::resources::{Kind, Options, resources};
use graylane_decide::Role;
use graylane_tests::case::{self, Node, Suite};
use graylane_tests::host::module_path;
use graylane_tests::istio::{ControlPlane, Mesh, Pod, Service};
use graylane_tests::level::istio::InMesh;
use graylane_tests::run::run as run_case;
use graylane_tests::{echo, token};
use serde_json::json;

use crate::example::{CALLER_PORT, INGRESS, INGRESS_PORT};

/// The services that cases call, and their ports.
const SERVICES: [(&str, &str, &[u16]); 7] = [
    ("shop", "api", &[8080]),
    ("shop", "orders", &[8080]),
    ("shop", "ledger", &[8080]),
    ("shop", "elsewhere", &[80, 8080]),
    ("shop", "multi", &[8080, 9090]),
    ("shop", "web", &[8080]),
    ("finance", "billing", &[8080]),
];
/// Hosts outside of the cluster.
const OUTSIDE: [(&str, u16); 3] =
    [("www.example.com", 8080), ("api.partner.example", 443), ("payments.example.com", 443)];
/// What leads from the gateway to services.
const PUBLIC: [(&str, &str); 3] = [("*", "api"), ("shop.example.com", "web"), ("shop.acme.example", "web")];

/// Runs them.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let suites: Vec<Suite> = case::all()?.into_iter().filter(|suite| suite.not_in_istio.is_none()).collect();
    let mut pods: BTreeMap<String, (&Node, String)> = BTreeMap::new();
    for suite in &suites {
        let number = pods.len();
        let name = if suite.role == Role::Gateway { INGRESS.to_owned() } else { format!("node-{number}") };
        pods.entry(key(suite)).or_insert((&suite.node, name));
    }
    let mesh = create(plane, &pods).await?;
    let keys = token::keys().to_string().into_bytes();
    let keys = format!("http://{}/keys", echo::serve_with(move |_| keys.clone())?);
    let (mut count, mut number, mut failures) = (0, 0, String::new());
    for suite in &suites {
        let namespace = suite.node.namespace.as_deref().context("a pod has a namespace")?;
        plane.apply(&resources_of(suite, namespace, &keys)?).await?;
        let gateway = suite.role == Role::Gateway;
        let pod = mesh.pod(&pods[&key(suite)].1);
        let mut level = InMesh { pod, port: if gateway { INGRESS_PORT } else { CALLER_PORT } };
        for case in suite.cases.iter().filter(|case| case.not_in_istio.is_none()) {
            (number, count) = (number + 1, count + 1);
            match run_case(suite, case, number, &mut level) {
                Ok(None) => {}
                Ok(Some(table)) => write!(failures, "\n{}: {}\n{table}", suite.name, case.name)?,
                Err(error) => write!(failures, "\n{}: {}\n  ! {error:#}\n", suite.name, case.name)?,
            }
        }
    }
    println!("   {count} cases");
    ensure!(failures.is_empty(), "in Istio:\n{failures}");
    Ok(())
}

/// Suites of the same node share a pod; there is one gateway.
fn key(suite: &Suite) -> String {
    if suite.role == Role::Gateway { INGRESS.to_owned() } else { format!("{:?}", suite.node) }
}

/// A pod for every kind of node, and one in each namespace that serves everything.
async fn create<'p>(plane: &'p ControlPlane, pods: &BTreeMap<String, (&Node, String)>) -> Result<Mesh<'p>> {
    let mut plan = plane.mesh("shop");
    for (namespace, name, ports) in SERVICES {
        let service = Service::new(name).selector(&[("app", "echo")]);
        let service = ports.iter().fold(service, |service, port| service.port(*port, port + 1000));
        plan = plan.namespace(namespace).service(service);
    }
    for namespace in ["shop", "finance"] {
        plan = plan
            .namespace(namespace)
            .pod(Pod::plain(&format!("echo-{namespace}")).labels(&[("app", "echo")]));
    }
    for (node, name) in pods.values() {
        let labels: Vec<(&str, &str)> =
            node.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        plan = plan.namespace(node.namespace.as_deref().unwrap_or("shop"));
        plan = if node.router {
            let gateway = [("istio", "ingressgateway")];
            let service = Service::new("istio-ingressgateway").port(80, INGRESS_PORT).selector(&gateway);
            plan.service(service).pod(Pod::gateway(name).labels(&[&labels[..], &gateway].concat()))
        } else {
            let own = [("node", name.as_str())];
            let service = Service::new(name).port(8081, CALLER_PORT).selector(&own);
            plan.service(service).pod(Pod::sidecar(name).labels(&[&labels[..], &own].concat()))
        };
    }
    let mesh = OUTSIDE.iter().fold(plan, |plan, (_, port)| plan.outbound(*port)).create().await?;
    plane.apply(&around(&mesh)).await?;
    Ok(mesh)
}

/// Hosts outside of the cluster, and what leads from the gateway to services.
fn around(mesh: &Mesh<'_>) -> String {
    let networking = "networking.istio.io/v1";
    let outside = OUTSIDE.map(|(host, port)| {
        let endpoint = json!({"address": mesh.pod("echo-shop").address, "ports": {"http": 9080}});
        json!({
            "apiVersion": networking, "kind": "ServiceEntry", "metadata": {"name": host, "namespace": "shop"},
            "spec": {
                "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": [endpoint],
                "ports": [{"number": port, "name": "http", "protocol": "HTTP"}],
            },
        })
    });
    let public = PUBLIC.map(|(host, service)| {
        let destination =
            json!({"host": format!("{service}.shop.svc.cluster.local"), "port": {"number": 8080}});
        json!({
            "apiVersion": networking, "kind": "VirtualService",
            "metadata": {"name": host.replace('*', "all"), "namespace": "istio-system"},
            "spec": {
                "hosts": [host], "gateways": ["istio-system/public"],
                "http": [{"name": service, "route": [{"destination": destination}]}],
            },
        })
    });
    let gateway = json!({
        "apiVersion": networking, "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "istio-system"},
        "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
            {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
        ]},
    });
    let objects = outside.iter().chain(&public).chain([&gateway]);
    objects.map(|object| format!("---\n{object}\n")).collect()
}

/// A suite's plugins as they are rendered, but with the telemetry that shows the decision; under names that every
/// suite's have, so that the next suite's take their place. Where tokens count, what verifies them.
fn resources_of(suite: &Suite, namespace: &str, keys: &str) -> Result<String> {
    let options = Options { url: Some(format!("file://{}", module_path().display())), ..Options::default() };
    let mut meaning = suite.mesh()?;
    let mut text = String::new();
    if let Some(jwt) = &mut meaning.document.edge.jwt {
        (jwt.render, jwt.jwks_uri) = (true, Some(keys.to_owned()));
        write!(text, "---\n{}\n", customers(keys))?;
    }
    let all = resources(&meaning, &options);
    let of_kind = |kind: Kind| {
        let all = all.iter().filter(|resource| resource.kind() == kind);
        all.map(graylane::resources::Resource::json).collect::<Vec<_>>()
    };
    for mut tokens in of_kind(Kind::RequestAuthentication) {
        tokens["metadata"]["namespace"] = json!(namespace);
        write!(text, "---\n{tokens}\n")?;
    }
    let roles: &[Role] =
        if suite.role == Role::Gateway { &[Role::Gateway] } else { &[Role::Inbound, Role::Outbound] };
    for role in roles {
        let mut plugin = of_kind(Kind::WasmPlugin)
            .into_iter()
            .find(|plugin| plugin["spec"]["pluginName"] == role.name())
            .with_context(|| format!("{} renders no plugin {}", suite.name, role.name()))?;
        plugin["metadata"]["name"] = json!(format!("cases-{}", role.name()));
        plugin["metadata"]["namespace"] = json!(namespace);
        plugin["spec"]["pluginConfig"] = serde_json::from_str(&suite.configuration(*role)?)?;
        write!(text, "---\n{plugin}\n")?;
    }
    Ok(text)
}

/// Somebody else's issuer, which the gateway knows as well.
fn customers(keys: &str) -> serde_json::Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication",
        "metadata": {"name": "customers", "namespace": "istio-system"},
        "spec": {
            "selector": {"matchLabels": {"istio": "ingressgateway"}},
            "jwtRules": [{"issuer": token::OTHER_ISSUER, "jwksUri": keys, "forwardOriginalToken": true}],
        },
    })
}

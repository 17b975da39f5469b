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
/// The gateways: their pods, the value of their label, and their ports.
const GATEWAYS: [(&str, &str, u16); 2] =
    [(INGRESS, "ingressgateway", INGRESS_PORT), ("ingress-partner", "partner", INGRESS_PORT + 1)];
/// Their label.
const LABEL: &str = "istio";
/// What leads from gateways to services.
const PUBLIC: [(&str, &str); 3] = [("*", "api"), ("shop.example.com", "web"), ("shop.acme.example", "web")];

/// Runs them.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let suites: Vec<Suite> = case::all()?.into_iter().filter(|suite| suite.not_in_istio.is_none()).collect();
    let of_gateways = suites.iter().filter(|suite| suite.role == Role::Gateway);
    let environment: BTreeMap<String, String> =
        of_gateways.flat_map(|suite| suite.node.environment.clone()).collect();
    let mut pods: BTreeMap<String, (&Node, String)> = BTreeMap::new();
    for suite in &suites {
        let number = pods.len();
        let name = match gateway_of(suite)? {
            Some((pod, ..)) => pod.to_owned(),
            None => format!("node-{number}"),
        };
        pods.entry(key(suite)?).or_insert((&suite.node, name));
    }
    let mesh = create(plane, &pods, &environment).await?;
    let keys = token::keys().to_string().into_bytes();
    let keys = format!("http://{}/keys", echo::serve_with(move |_| keys.clone())?);
    let (mut count, mut number, mut failures) = (0, 0, String::new());
    for suite in &suites {
        let namespace = suite.node.namespace.as_deref().context("a pod has a namespace")?;
        plane.apply(&resources_of(suite, namespace, &keys)?).await?;
        let pod = mesh.pod(&pods[&key(suite)?].1);
        let mut level = InMesh { pod, port: gateway_of(suite)?.map_or(CALLER_PORT, |(.., port)| port) };
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

/// Suites of the same node share a pod, and those of the same gateway.
fn key(suite: &Suite) -> Result<String> {
    Ok(gateway_of(suite)?.map_or_else(|| format!("{:?}", suite.node), |(pod, ..)| pod.to_owned()))
}

/// The gateway that a suite is about, by the label of its pods.
fn gateway_of(suite: &Suite) -> Result<Option<(&'static str, &'static str, u16)>> {
    if suite.role != Role::Gateway {
        return Ok(None);
    }
    let meaning = suite.mesh()?;
    let gateway = meaning.ingress(suite.gateway.as_deref())?.gateway;
    let label = gateway.and_then(|gateway| gateway.selector.get(LABEL));
    let own = GATEWAYS.into_iter().find(|(_, value, _)| label.is_some_and(|label| label == value));
    own.map(Some).with_context(|| format!("{}: no pod is this gateway's", suite.name))
}

/// A pod for every kind of node, and one in each namespace that serves everything. Gateways have the variables of all
/// suites.
async fn create<'p>(
    plane: &'p ControlPlane,
    pods: &BTreeMap<String, (&Node, String)>,
    environment: &BTreeMap<String, String>,
) -> Result<Mesh<'p>> {
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
            let (_, value, port) =
                GATEWAYS.into_iter().find(|(pod, ..)| pod == name).context("a gateway's pod")?;
            let gateway = [(LABEL, value)];
            let service = Service::new(&format!("istio-{value}")).port(80, port).selector(&gateway);
            plan.service(service).pod(
                Pod::gateway(name).labels(&[&labels[..], &gateway].concat()).environment(environment.clone()),
            )
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
                "hosts": [host], "gateways": GATEWAYS.map(|(pod, ..)| format!("istio-system/{pod}")),
                "http": [{"name": service, "route": [{"destination": destination}]}],
            },
        })
    });
    let gateways = GATEWAYS.map(|(pod, value, _)| {
        json!({
            "apiVersion": networking, "kind": "Gateway",
            "metadata": {"name": pod, "namespace": "istio-system"},
            "spec": {"selector": {LABEL: value}, "servers": [
                {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
            ]},
        })
    });
    let objects = outside.iter().chain(&public).chain(&gateways);
    objects.map(|object| format!("---\n{object}\n")).collect()
}

/// A suite's plugins as they are rendered, but with the telemetry that shows the decision; under names that every
/// suite's have, so that the next suite's take their place. Where tokens count, what verifies them.
fn resources_of(suite: &Suite, namespace: &str, keys: &str) -> Result<String> {
    let options = Options { url: Some(format!("file://{}", module_path().display())), ..Options::default() };
    let mut meaning = suite.mesh()?;
    let mut text = String::new();
    let edge = &mut meaning.document.edge;
    let several = edge.gateways.iter_mut().flatten().filter_map(|(_, one)| one.jwt.as_mut());
    for jwt in edge.jwt.iter_mut().chain(several) {
        (jwt.render, jwt.jwks_uri) = (true, Some(keys.to_owned()));
    }
    // The objects of the other gateways are not there.
    suite.gateway.iter().for_each(|name| meaning.keep_gateway(name));
    let all = resources(&meaning, &options);
    if let (Some(gateway), Some(jwt)) = (gateway_of(suite)?, meaning.ingresses()[0].jwt) {
        write!(text, "---\n{}\n", others_tokens(keys, gateway, &jwt.issuer))?;
    }
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
fn others_tokens(keys: &str, (pod, label, _): (&str, &str, u16), own: &str) -> serde_json::Value {
    let other = if own == token::OTHER_ISSUER { token::ISSUER } else { token::OTHER_ISSUER };
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication",
        "metadata": {"name": format!("others-{pod}"), "namespace": "istio-system"},
        "spec": {
            "selector": {"matchLabels": {LABEL: label}},
            "jwtRules": [{"issuer": other, "jwksUri": keys, "forwardOriginalToken": true}],
        },
    })
}

//! The built module in real Envoy: in WebAssembly, or the native one.
//!
//! One process for all suites of the same node, with two workers; each suite has a listener for each role it needs.
//! A request's cluster is chosen by its suite and case, so that the filter finds the name that Istio would give.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use graylane::envoy::{Envoy, Options, config, locate};
use graylane_decide::{Role, names};
use graylane_mesh::native;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use super::{Level, Outcome, Request};
use crate::case::{Case, Node, Suite};
use crate::echo;
use crate::host::{module_path, native_path};
use crate::{tls, token};

/// Header by which a test chooses the cluster that the initial route leads to, and the route's name behind a `;`.
const CLUSTER: &str = "x-test-cluster";
/// What the name of a listener with TLS ends in.
const WITH_TLS: &str = "-tls";
/// Response headers that show the filter state.
const SHOWN: [(&str, &str); 3] =
    [("x-test-tenant", "tenant"), ("x-test-source", "source"), ("x-test-subset", "subset")];

/// Which of the two modules runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// The one in WebAssembly.
    Wasm,
    /// The native one.
    Native,
}

/// An Envoy with the plugins of several suites.
pub struct Fleet {
    runtime: Runtime,
    envoy: Envoy,
    listeners: BTreeMap<String, SocketAddr>,
}

/// The plugins of one suite in an Envoy.
pub struct InEnvoy<'a> {
    fleet: &'a Fleet,
    suite: &'a Suite,
}

/// Name of the listener of a suite's role.
fn listener_name(suite: &Suite, role: Role) -> String {
    format!("{}-{}", suite.name, role.name())
}

/// The roles that a suite's cases send through: its own, and those that show what is remembered.
fn roles(suite: &Suite) -> BTreeSet<&'static str> {
    let mut roles = BTreeSet::from([suite.role.name()]);
    if suite.cases.iter().any(|case| !case.before.is_empty()) {
        roles.insert(Role::Inbound.name());
    }
    if suite.cases.iter().any(|case| case.want.after.is_some()) {
        roles.insert(Role::Outbound.name());
    }
    roles
}

fn clusters(suites: &[&Suite]) -> BTreeSet<String> {
    let of_suite = |suite: &&Suite| {
        suite
            .cluster
            .iter()
            .chain(suite.cases.iter().filter_map(|case| case.cluster.as_ref()))
            .cloned()
            .collect::<Vec<_>>()
    };
    suites.iter().flat_map(of_suite).chain([crate::run::DEFAULT_CLUSTER.to_owned()]).collect()
}

/// The filter of a suite's role.
fn plugin(suite: &Suite, role: Role, module: Module) -> Result<Json> {
    let root_id = suite.root_id(role);
    let name = listener_name(suite, role);
    let configuration = suite.configuration(role)?;
    if module == Module::Native {
        let environment: Vec<(&str, &str)> =
            suite.node.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let file = native_path().display().to_string();
        return Ok(native::filter(&file, &format!("{root_id}/{name}"), &environment, &configuration));
    }
    let mut filter = config::wasm_filter(&name, root_id, &module_path(), &configuration, "FAIL_CLOSED");
    if !suite.node.environment.is_empty() {
        filter["config"]["vm_config"]["environment_variables"] =
            json!({"key_values": suite.node.environment});
    }
    Ok(filter)
}

fn listener(suite: &Suite, role: Role, clusters: &BTreeSet<String>, module: Module) -> Result<Json> {
    let name = listener_name(suite, role);
    let filter = plugin(suite, role, module)?;
    let cookie = json!({
        "header": {"key": "set-cookie", "value": format!("%FILTER_STATE({}:PLAIN)%", names::filter_state(names::COOKIE_STATE))},
        "append_action": "APPEND_IF_EXISTS_OR_ADD",
    });
    // As a rendered route has it for callers outside.
    let debug = json!({
        "header": {"key": names::DEBUG_HEADER, "value": format!("%FILTER_STATE({}:PLAIN)%", names::filter_state(names::DEBUG_STATE))},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    let show = |(header, state): &(&str, &str)| {
        let value = format!("%FILTER_STATE({}:PLAIN)%", names::filter_state(state));
        json!({"header": {"key": header, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
    };
    let names = suite.cases.iter().filter_map(|case| case.route.as_deref()).collect::<BTreeSet<_>>();
    let route = |(cluster, name): (&String, &str)| {
        json!({
            "name": name,
            "match": {"prefix": "/", "headers": [{"name": CLUSTER, "string_match": {"exact": format!("{cluster};{name}")}}]},
            "route": {"cluster": cluster},
            "response_headers_to_remove": [names::DEBUG_HEADER],
            "response_headers_to_add": SHOWN.iter().map(show).chain([cookie.clone(), debug.clone()]).collect::<Vec<_>>(),
        })
    };
    let routes = clusters
        .iter()
        .flat_map(|cluster| names.iter().copied().chain([""]).map(move |name| (cluster, name)));
    let manager = json!({
        "generate_request_id": false,
        "preserve_external_request_id": true,
        "max_request_headers_kb": 512,
        "http_protocol_options": {"enable_trailers": true},
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": routes.map(route).collect::<Vec<_>>(),
        }]},
    });
    let direction = if role == Role::Inbound { "INBOUND" } else { "OUTBOUND" };
    let filter = json!({"name": name, "typed_config": filter});
    // Where tokens are sent somebody verifies them, before us, as in Istio.
    let has_token =
        |case: &Case| case.token.is_some() || case.want.next.iter().any(|next| next.token.is_some());
    let tokens = suite.cases.iter().any(has_token) && role == Role::Gateway;
    let claims = || json!({"name": "graylane.claims", "typed_config": native::claims()});
    let claims = (tokens && module == Module::Native).then(claims);
    let filters = tokens.then(token::filter).into_iter().chain(claims).chain([filter]).collect::<Vec<_>>();
    Ok(config::listener(&name, 0, direction, &filters, &manager))
}

/// The same for clients that show a certificate. What others say about one is passed on as it came.
fn listener_with_tls(mut listener: Json) -> Result<Json> {
    listener["name"] = json!(format!("{}{WITH_TLS}", listener["name"].as_str().unwrap_or_default()));
    let chain = &mut listener["filter_chains"][0];
    chain["transport_socket"] = tls::transport_socket()?;
    chain["filters"][0]["typed_config"]["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
    Ok(listener)
}

fn node(node: &Node) -> Json {
    let kind = if node.router { "router" } else { "sidecar" };
    match &node.namespace {
        Some(namespace) => config::node(kind, "pod", namespace, &json!(node.labels)),
        None => json!({"id": kind, "cluster": "none", "metadata": {"LABELS": node.labels}}),
    }
}

impl Fleet {
    /// Starts an Envoy for suites of the same node.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(suites: &[&Suite], module: Module) -> Result<Self> {
        Self::start_in(&locate()?, suites, module)
    }

    /// The same with this Envoy.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_in(binary: &Path, suites: &[&Suite], module: Module) -> Result<Self> {
        let runtime = Runtime::new()?;
        let echo = echo::serve()?;
        let first = suites.first().context("no suite")?;
        let names = clusters(suites);
        let mut listeners = Vec::new();
        for suite in suites {
            for role in roles(suite) {
                let role = Role::named(role.as_bytes()).context("a role")?;
                let listener = listener(suite, role, &names, module)?;
                if suite.cases.iter().any(|case| case.certificate.is_some()) {
                    listeners.push(listener_with_tls(listener.clone())?);
                }
                listeners.push(listener);
            }
        }
        let upstreams: Vec<Json> = names
            .iter()
            .map(|name| {
                let mut cluster = config::cluster(name, &[echo]);
                cluster["typed_extension_protocol_options"] = json!({
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
                        "common_http_protocol_options": {"max_headers_count": 1000, "max_response_headers_kb": 1024},
                    },
                });
                cluster
            })
            .collect();
        let bootstrap = config::bootstrap(&node(&first.node), &listeners, &upstreams);
        let envoy = runtime.block_on(Envoy::start(
            binary,
            "cases",
            &bootstrap,
            Options { concurrency: 2, environment: &[] },
        ))?;
        let mut addresses = BTreeMap::new();
        for listener in &listeners {
            let name = listener["name"].as_str().context("a name")?;
            addresses.insert(name.to_owned(), runtime.block_on(envoy.listener(name))?);
        }
        Ok(Self { runtime, envoy, listeners: addresses })
    }

    /// The plugins of a suite.
    #[must_use]
    pub fn suite<'a>(&'a self, suite: &'a Suite) -> InEnvoy<'a> {
        InEnvoy { fleet: self, suite }
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> Result<String> {
        self.runtime.block_on(self.envoy.get("/stats/prometheus"))
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.envoy.log()
    }
}

impl Level for InEnvoy<'_> {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let mut name = listener_name(self.suite, request.role);
        if request.certificate.is_some() {
            name += WITH_TLS;
        }
        let address = *self.fleet.listeners.get(&name).with_context(|| format!("no listener {name}"))?;
        let cluster = request.cluster.map(|cluster| {
            (CLUSTER.to_owned(), format!("{cluster};{}", request.route.unwrap_or_default()).into_bytes())
        });
        let token = request.token.map(|(claims, flaw)| token::authorization(claims, flaw));
        let head = request.head(&cluster.into_iter().chain(token).collect::<Vec<_>>());
        let answer = match request.certificate {
            Some(uri) => echo::exchange(tls::connect(echo::connect(address)?, uri)?, &head)?,
            None => echo::send(address, &head)?,
        };
        if answer.status != 200 {
            return Ok(Outcome {
                reply: Some((answer.status, String::from_utf8_lossy(&answer.body).into_owned())),
                ..Outcome::default()
            });
        }
        let mut headers = echo::headers(&answer.body)?;
        headers.retain(|(name, _)| name != CLUSTER);
        let trailers = headers.iter().filter_map(|(name, _)| name.strip_prefix(echo::TRAILER));
        let trailers = trailers.map(ToOwned::to_owned).collect();
        headers.retain(|(name, _)| !name.starts_with(echo::TRAILER));
        let shown =
            SHOWN.map(|(header, _)| answer.header(header).filter(|value| value != "-").unwrap_or_default());
        ensure!(
            self.fleet.envoy.log().lines().all(|line| !line.contains("[critical]")),
            "Envoy logged:\n{}",
            self.fleet.envoy.log()
        );
        Ok(Outcome {
            headers,
            trailers,
            cookie: answer.header("set-cookie"),
            debug: answer.header(names::DEBUG_HEADER),
            lane: Some(shown).filter(|[tenant, ..]| !tenant.is_empty()),
            ..Outcome::default()
        })
    }
}

//! The demo's discovery service: what Envoys run, updated without a restart, as istiod does it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::extract::{Json as Body, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use graylane_decide::Role;
use graylane_decide::names::{DEBUG_HEADER, filter_state};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::envoy::config;
use crate::lower;
use crate::mesh::{Mesh, Service};
use crate::routing::{self, Rule};
use graylane_mesh::native;

/// The cluster of a pod's own application.
pub const APPLICATION: &str = "inbound|8080||";
/// The cluster of everything outside, as Istio calls it.
pub const OUTSIDE: &str = "PassthroughCluster";
/// A host outside the mesh.
pub const OUTSIDE_HOST: &str = "www.example.com";

/// What is offered now, by name: type, version, resource.
type Offers = Arc<Mutex<BTreeMap<String, (&'static str, String, Json)>>>;

/// The discovery service.
pub struct Discovery {
    /// Where it listens.
    pub address: SocketAddr,
    offers: Offers,
    module: PathBuf,
    native: Option<PathBuf>,
    version: u64,
    task: JoinHandle<()>,
    _folder: TempDir,
}

/// The cluster of a service's subset, as Istio calls it; no subset: all pods.
#[must_use]
pub fn cluster(service: &Service, subset: &str) -> String {
    // All pods of the demo are healthy, so a pin with fallback leads to its subset.
    let subset = subset.strip_suffix(crate::mesh::OR_BASELINE).unwrap_or(subset);
    format!("outbound|{}|{subset}|{}", service.port.unwrap_or(80), service.host)
}

/// Name of a role's plugin.
#[must_use]
pub fn plugin(role: Role) -> String {
    format!("graylane-{}", role.name())
}

/// The same as native module.
#[must_use]
pub fn native_plugin(role: Role) -> String {
    format!("graylane-native-{}", role.name())
}

impl Discovery {
    /// Starts it, with the module that plugins run, and the native one, if some do.
    pub async fn start(module: &[u8], native: Option<PathBuf>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("graylane-demo-").tempdir()?;
        let path = folder.path().join("graylane.wasm");
        std::fs::write(&path, module)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let offers = Offers::default();
        let router = Router::new().route("/{*method}", post(discover)).with_state(Arc::clone(&offers));
        let task = tokio::spawn(async move {
            // Serves until the task is aborted; there is no caller to return an error to.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, offers, module: path, native, version: 0, task, _folder: folder })
    }

    fn offer(&mut self, name: &str, type_url: &'static str, resource: Json) {
        self.version += 1;
        let offer = (type_url, self.version.to_string(), resource);
        self.offers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), offer);
    }

    /// Offers the routes and plugins of a mesh.
    pub fn offer_mesh(&mut self, mesh: &Mesh, entry: &str) -> Result<()> {
        self.offer(Role::Outbound.name(), config::ROUTES, outbound_routes(mesh));
        self.offer(Role::Gateway.name(), config::ROUTES, gateway_routes(mesh, entry));
        self.offer_plugins(mesh)
    }

    /// Offers the plugins of a mesh; the routes stay.
    pub fn offer_plugins(&mut self, mesh: &Mesh) -> Result<()> {
        for role in [Role::Inbound, Role::Outbound, Role::Gateway] {
            let configuration = serde_json::to_string(&lower::config(mesh, role))?;
            // As rendered for Istio: sidecars let traffic pass, a gateway never does.
            let policy = if role == Role::Gateway { "FAIL_RELOAD" } else { "FAIL_OPEN" };
            let name = plugin(role);
            let filter = config::wasm_filter(&name, role.name(), &self.module, &configuration, policy);
            self.offer(&name, config::EXTENSIONS, json!({"name": name, "typed_config": filter}));
            if let Some(file) = &self.native {
                let name = native_plugin(role);
                let filter = native::filter(&file.display().to_string(), role.name(), &[], &configuration);
                self.offer(&name, config::EXTENSIONS, json!({"name": name, "typed_config": filter}));
            }
        }
        Ok(())
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one poll (xDS over REST): the resource that is asked for by name, or 304 while it is the one known.
async fn discover(State(offers): State<Offers>, Body(request): Body<Json>) -> Response {
    let name = request["resource_names"][0].as_str().unwrap_or_default();
    let offer = offers.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    match offer {
        None => StatusCode::NOT_FOUND.into_response(),
        Some((_, version, _)) if request["version_info"] == version => {
            StatusCode::NOT_MODIFIED.into_response()
        }
        Some((type_url, version, resource)) => {
            Body(config::discovered(type_url, &version, resource)).into_response()
        }
    }
}

fn debug_header() -> Json {
    let state = |name: &str| format!("{name}=%FILTER_STATE({}:PLAIN)%", filter_state(name));
    let value = ["tenant", "subset", "source"].map(state).join(",");
    json!({"header": {"key": DEBUG_HEADER, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}

/// A service's virtual host. Its virtual clusters are the tenants, so that Envoy counts and times each for itself.
fn virtual_host(mesh: &Mesh, service: &Service, domains: &[String]) -> Json {
    let tenant = |tenant: &String| json!({"name": tenant, "headers": [{"name": mesh.header, "string_match": {"exact": tenant}}]});
    json!({
        "name": if mesh.services.iter().filter(|other| other.host == service.host).count() > 1 {
            format!("{}:{}", service.host, service.port.unwrap_or(80))
        } else {
            service.host.clone()
        },
        "domains": domains,
        "virtual_clusters": mesh.tenants.iter().map(tenant).collect::<Vec<_>>(),
        "routes": routes(mesh, service),
    })
}

fn outbound_routes(mesh: &Mesh) -> Json {
    let outside = json!({
        "name": "outside", "domains": ["*"],
        "routes": [{"name": "outside", "match": {"prefix": "/"}, "route": {"cluster": OUTSIDE}}],
    });
    let hosts = mesh.services.iter().map(|service| virtual_host(mesh, service, &domains(mesh, service)));
    json!({
        "name": Role::Outbound.name(),
        "virtual_hosts": hosts.chain([outside]).collect::<Vec<_>>(),
    })
}

/// The names that callers use for a service, without a port and with it; one of several at a host has its port only. The
/// short name is that of the first service that is called so.
fn domains(mesh: &Mesh, service: &Service) -> Vec<String> {
    let same = |other: &&Service| other.host == service.host;
    let is_shared = mesh.services.iter().filter(same).count() > 1;
    let short = service.short_host();
    let mut names = vec![service.host.clone()];
    if service.host.ends_with(&format!(".svc.{}", mesh.document.mesh.cluster_domain)) {
        let with_namespace = format!("{short}.{}", service.namespace);
        names.extend([format!("{with_namespace}.svc"), with_namespace]);
        let first = mesh.services.iter().find(|other| other.short_host() == short);
        if first.is_some_and(|first| first.host == service.host) {
            names.push(short.to_owned());
        }
    }
    let port = service.port.unwrap_or(80);
    let with_port: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
    if is_shared { with_port } else { names.into_iter().chain(with_port).collect() }
}

fn gateway_routes(mesh: &Mesh, entry: &str) -> Json {
    let entry = mesh.service(entry).map(|service| virtual_host(mesh, service, &["*".to_owned()]));
    json!({"name": Role::Gateway.name(), "virtual_hosts": entry.into_iter().collect::<Vec<_>>()})
}

fn routes(mesh: &Mesh, service: &Service) -> Vec<Json> {
    // The demo's requests are all to `/`, so those that go their own way are left out.
    let rules = routing::rules(mesh, service).into_iter().filter(|rule| rule.route.name.is_none());
    rules.map(|rule| route(service, &rule)).collect()
}

fn route(service: &Service, rule: &Rule<'_>) -> Json {
    let header = |(name, value): &(String, String)| json!({"name": name, "string_match": {"exact": value}});
    let action = match &rule.subsets[..] {
        [(subset, _)] => json!({"cluster": cluster(service, subset)}),
        subsets => {
            let weighted = |(subset, weight): &(String, u32)| json!({"name": cluster(service, subset), "weight": weight});
            json!({"weighted_clusters": {"clusters": subsets.iter().map(weighted).collect::<Vec<_>>()}})
        }
    };
    json!({
        "name": rule.name,
        "match": {"prefix": "/", "headers": rule.header.iter().map(header).collect::<Vec<_>>()},
        "route": action,
        "request_headers_to_remove": rule.remove.iter().collect::<Vec<_>>(),
        "response_headers_to_add": [debug_header()],
    })
}

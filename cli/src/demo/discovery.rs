//! The demo's discovery service: what Envoys run, updated without a restart, as istiod does it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
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
use crate::mesh::Mesh;
use graylane_mesh::envoy::{self, outbound};
use graylane_mesh::lacking::Lost;
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
        let plain = without_routes(mesh);
        let mut lost = Lost::default();
        let mut routes = outbound(&plain, Some(OUTSIDE), &mut lost);
        // The demo prints what each sidecar decided, whether or not the file has it sent.
        let hosts = routes["virtual_hosts"].as_array_mut().into_iter().flatten();
        for host in hosts.filter(|host| host["domains"] != json!(["*"])) {
            host["response_headers_to_add"] = json!([debug_header()]);
        }
        self.offer(Role::Outbound.name(), config::ROUTES, routes);
        // Everything that comes in is for one service, whatever host the file exposes it under.
        let entry: Vec<Json> =
            plain.service(entry).map(|service| envoy::entry(&plain, service)).into_iter().collect();
        self.offer(
            Role::Gateway.name(),
            config::ROUTES,
            json!({"name": Role::Gateway.name(), "virtual_hosts": entry}),
        );
        if let Some(one) = lost.all().first() {
            bail!("{}: {}", one.path.join("."), one.text);
        }
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
            self.offer(&name, config::EXTENSION, json!({"name": name, "typed_config": filter}));
            if let Some(file) = &self.native {
                let name = native_plugin(role);
                let filter = native::filter(&file.display().to_string(), role.name(), &[], &configuration);
                self.offer(&name, config::EXTENSION, json!({"name": name, "typed_config": filter}));
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

/// What the demo leaves out, and says so: its requests are all to `/`, so no route of its own is for them.
fn without_routes(mesh: &Mesh) -> Mesh {
    let mut mesh = mesh.clone();
    for service in &mut mesh.services {
        service.routes.retain(|route| route.name.is_none());
        service.routes.iter_mut().for_each(|route| route.http.clear());
    }
    mesh
}

fn debug_header() -> Json {
    let state = |name: &str| format!("{name}=%FILTER_STATE({}:PLAIN)%", filter_state(name));
    let value = ["tenant", "subset", "source"].map(state).join(",");
    json!({"header": {"key": DEBUG_HEADER, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}

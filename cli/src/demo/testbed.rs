//! All pods and the gateway: applications and Envoys, up and wired.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use graylane_decide::Role;
use graylane_decide::names::TENANT_LABEL;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::demo::app::{App, Journal};
use crate::demo::discovery::{APPLICATION, Discovery, OUTSIDE, OUTSIDE_HOST, native_plugin, plugin};
use crate::demo::places::{Clusters, cluster, reserve};
use crate::envoy::config::{self, DISCOVERY};
use crate::envoy::{Envoy, Options};
use crate::lower;
use crate::mesh::{Mesh, Service};
use graylane_mesh::native;
use graylane_mesh::resources::access_log_format;

/// Worker threads of each Envoy: two, so that what comes in and what goes out meet different ones.
const CONCURRENCY: u32 = 2;
/// The pod that makes calls of its own.
const WORKER: &str = "worker";

/// A pod: an application and its sidecar.
struct Pod {
    namespace: String,
    app: App,
    envoy: Envoy,
    cluster: String,
    is_native: bool,
}

/// The mesh of a file, as processes.
pub struct Testbed {
    /// The file that it runs now.
    pub mesh: Mesh,
    /// What happened on journeys.
    pub journal: Journal,
    /// Where the outside comes in.
    pub gateway: SocketAddr,
    /// Where the worker's own calls go.
    pub worker: SocketAddr,
    /// Authorities by service name.
    pub authorities: BTreeMap<String, String>,
    /// The service behind the gateway.
    pub entry: String,
    discovery: Discovery,
    /// How often each revision was offered: a VM says each time that it runs it.
    offered: BTreeMap<String, usize>,
    pods: Vec<Pod>,
    gateway_envoy: Envoy,
    worker_envoy: Envoy,
    _outside: App,
    binary: PathBuf,
    clusters: Clusters,
    logs: Option<TempDir>,
}

/// An Envoy, as somebody sees it who asks what it counted.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its pod's namespace.
    pub namespace: String,
    /// Its pod's name.
    pub name: String,
    /// Address of its admin interface.
    pub admin: SocketAddr,
}

/// What starting needs.
pub struct Setup<'a> {
    /// Envoy's program.
    pub envoy: PathBuf,
    /// The filter's module.
    pub module: &'a [u8],
    /// The file.
    pub mesh: Mesh,
    /// The service behind the gateway.
    pub entry: String,
    /// Tenant of the worker, if there is one besides the default.
    pub worker_tenant: Option<String>,
    /// The native module, and the services whose sidecars run it instead of the filter.
    pub native: Option<(PathBuf, Vec<String>)>,
    /// Do all Envoys write access logs?
    pub logs: bool,
}

impl Testbed {
    /// Starts everything; `step` is told of every Envoy that serves.
    pub async fn start(setup: Setup<'_>, mut step: impl FnMut(&str)) -> Result<Self> {
        let Setup { envoy: binary, module, mesh, entry, worker_tenant, native, logs } = setup;
        let (native, natives) = native.unzip();
        let natives = natives.unwrap_or_default();
        let journal = Journal::default();
        let authorities: BTreeMap<String, String> =
            mesh.services.iter().map(|service| (service.name.clone(), authority(service))).collect();
        let mut discovery = Discovery::start(module, native).await?;
        discovery.offer_mesh(&mesh, &entry)?;
        let outside = App::start("outside", OUTSIDE_HOST, &journal, &BTreeMap::new()).await?;
        let options = Options { concurrency: CONCURRENCY, environment: &[] };

        let mut clusters = Clusters::from([(DISCOVERY.to_owned(), vec![discovery.address])]);
        let places = reserve(&mesh, &mut clusters)?;
        let logs =
            if logs { Some(tempfile::Builder::new().prefix("graylane-logs-").tempdir()?) } else { None };
        // A file for each: several processes would write into each other's lines.
        let log = |pod: &str| logs.as_ref().map(|folder| folder.path().join(format!("{pod}.log")));
        let gateway_bootstrap = gateway(&mesh, &clusters, log("gateway").as_deref());
        clusters.insert(OUTSIDE.to_owned(), vec![outside.address]);

        let mut pods = Vec::new();
        for (service, subset, port) in places {
            let name = format!("{}-{subset}", service.name);
            let app = App::start(&service.name, subset, &journal, &authorities).await?;
            let mut labels = service.subsets[subset].clone();
            labels.insert("app".to_owned(), service.host.split('.').next().unwrap_or_default().to_owned());
            let node = config::node("sidecar", &name, &service.namespace, &json!(labels));
            let is_native = natives.contains(&service.name);
            let bootstrap = sidecar(
                &node,
                &clusters,
                Some((port.address, app.address)),
                is_native,
                log(&name).as_deref(),
            );
            let envoy = Envoy::start(&binary, &name, &bootstrap, options).await?;
            app.attach(envoy.listener(Role::Outbound.name()).await?);
            pods.push(Pod {
                namespace: service.namespace.clone(),
                app,
                envoy,
                cluster: cluster(service, subset),
                is_native,
            });
            step(&name);
        }
        let labels = worker_tenant.map_or_else(|| json!({}), |tenant| json!({TENANT_LABEL: tenant}));
        let node = config::node("sidecar", WORKER, &mesh.document.mesh.namespace, &labels);
        let worker_envoy = Envoy::start(
            &binary,
            WORKER,
            &sidecar(&node, &clusters, None, false, log(WORKER).as_deref()),
            options,
        )
        .await?;
        step(WORKER);
        let gateway_envoy = Envoy::start(&binary, "gateway", &gateway_bootstrap, options).await?;
        step("gateway");

        let offered = BTreeMap::from([(lower::revision(&mesh), 1)]);
        let testbed = Self {
            offered,
            gateway: gateway_envoy.listener(Role::Gateway.name()).await?,
            worker: worker_envoy.listener(Role::Outbound.name()).await?,
            mesh,
            journal,
            authorities,
            entry,
            discovery,
            pods,
            gateway_envoy,
            worker_envoy,
            _outside: outside,
            binary,
            clusters,
            logs,
        };
        testbed.wait_for_plugins().await?;
        Ok(testbed)
    }

    /// One more pod that makes calls of its own, and where these go; labelled as a tenant's, or not.
    ///
    /// # Errors
    /// When its Envoy does not start.
    pub async fn another_worker(&self, name: &str, tenant: Option<&str>) -> Result<(Envoy, SocketAddr)> {
        let labels = tenant.map_or_else(|| json!({}), |tenant| json!({TENANT_LABEL: tenant}));
        let node = config::node("sidecar", name, &self.mesh.document.mesh.namespace, &labels);
        let options = Options { concurrency: CONCURRENCY, environment: &[] };
        let bootstrap = sidecar(&node, &self.clusters, None, false, None);
        let envoy = Envoy::start(&self.binary, name, &bootstrap, options).await?;
        let said = format!("graylane: outbound runs revision {}", lower::revision(&self.mesh));
        envoy.wait_for_log(&said, CONCURRENCY as usize + 1).await?;
        let address = envoy.listener(Role::Outbound.name()).await?;
        Ok((envoy, address))
    }

    /// All Envoys and their names.
    pub fn envoys(&self) -> impl Iterator<Item = &Envoy> {
        self.pods.iter().map(|pod| &pod.envoy).chain([&self.worker_envoy, &self.gateway_envoy])
    }

    /// The access logs of all Envoys, one after the other; of a line that is being written nothing.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn access_logs(&self) -> Result<String> {
        let mut all = String::new();
        let Some(folder) = &self.logs else { return Ok(all) };
        for envoy in self.envoys() {
            let file = folder.path().join(format!("{}.log", envoy.name()));
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            all.extend(text.split_inclusive('\n').filter(|line| line.ends_with('\n')));
        }
        Ok(all)
    }

    /// All Envoys, and where each one is.
    pub fn proxies(&self) -> Vec<Proxy> {
        let document = &self.mesh.document;
        let gateway = gateway_namespace(&self.mesh);
        let pods = self.pods.iter().map(|pod| (pod.namespace.as_str(), &pod.envoy));
        pods.chain([(document.mesh.namespace.as_str(), &self.worker_envoy), (gateway, &self.gateway_envoy)])
            .map(|(namespace, envoy)| Proxy {
                namespace: namespace.to_owned(),
                name: envoy.name().to_owned(),
                admin: envoy.admin,
            })
            .collect()
    }

    /// Runs another version of the file from now on: as Istio does it, without a restart.
    pub async fn change(&mut self, mesh: Mesh) -> Result<()> {
        self.discovery.offer_mesh(&mesh, &self.entry)?;
        self.changed(mesh).await
    }

    /// The same, but for the routes, which stay as they are.
    pub async fn change_plugins(&mut self, mesh: Mesh) -> Result<()> {
        self.discovery.offer_plugins(&mesh)?;
        self.changed(mesh).await
    }

    async fn changed(&mut self, mesh: Mesh) -> Result<()> {
        self.mesh = mesh;
        *self.offered.entry(lower::revision(&self.mesh)).or_default() += 1;
        self.wait_for_plugins().await
    }

    /// Every VM of every Envoy says in the log when it runs a revision: the one on the main thread and one a worker. The native
    /// module says it once.
    async fn wait_for_plugins(&self) -> Result<()> {
        let revision = lower::revision(&self.mesh);
        let offered = self.offered.get(&revision).copied().unwrap_or(1);
        let times = (CONCURRENCY as usize + 1) * offered;
        let said = |role: Role| format!("graylane: {} runs revision {revision}", role.name());
        for pod in &self.pods {
            let times = if pod.is_native { offered } else { times };
            pod.envoy.wait_for_log(&said(Role::Inbound), times).await?;
            pod.envoy.wait_for_log(&said(Role::Outbound), times).await?;
        }
        self.worker_envoy.wait_for_log(&said(Role::Outbound), times).await?;
        self.gateway_envoy.wait_for_log(&said(Role::Gateway), times).await
    }

    /// The sum of a metric over all Envoys, of the series that have all these tags.
    pub async fn metric(&self, name: &str, tags: &[(&str, &str)]) -> Result<f64> {
        let mut sum = 0.0;
        for envoy in self.envoys() {
            for line in envoy.get("/stats/prometheus").await?.lines().filter(|line| line.starts_with(name)) {
                let tagged = tags.iter().all(|(tag, value)| line.contains(&format!("{tag}=\"{value}\"")));
                if tagged {
                    sum += line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0);
                }
            }
        }
        Ok(sum)
    }

    /// Addresses that one may want to look at: what, and where.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let admin = |name: String, envoy: &Envoy| (format!("admin of {name}"), envoy.admin);
        let mut addresses = vec![
            ("the gateway".to_owned(), self.gateway),
            ("calls of the worker".to_owned(), self.worker),
            admin("the gateway".to_owned(), &self.gateway_envoy),
            admin("the worker".to_owned(), &self.worker_envoy),
        ];
        addresses.extend(self.pods.iter().map(|pod| admin(pod.cluster.clone(), &pod.envoy)));
        addresses
            .extend(self.pods.iter().map(|pod| (format!("application of {}", pod.cluster), pod.app.address)));
        addresses
    }
}

/// How applications call a service.
fn authority(service: &Service) -> String {
    let short = service.short_host();
    let in_cluster = service.host.contains(".svc.");
    let host = if in_cluster { format!("{short}.{}", service.namespace) } else { service.host.clone() };
    service.port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

fn all(clusters: &Clusters) -> Vec<Json> {
    clusters.iter().map(|(name, addresses)| config::cluster(name, addresses)).collect()
}

/// A sidecar: where requests of its pod go, and, if it has an application, where requests to it come in.
fn sidecar(
    node: &Json,
    clusters: &Clusters,
    inbound: Option<(SocketAddr, SocketAddr)>,
    is_native: bool,
    logs: Option<&Path>,
) -> Json {
    let filter = |role| {
        [if is_native {
            config::discovered_filter_of(&native_plugin(role), native::FILTER)
        } else {
            config::discovered_filter(&plugin(role))
        }]
    };
    let routes = logged(config::discovered_routes(Role::Outbound.name()), logs);
    let name = Role::Outbound.name();
    let mut listeners = vec![config::listener(name, 0, "OUTBOUND", &filter(Role::Outbound), &routes)];
    let mut clusters = all(clusters);
    if let Some((listen, app)) = inbound {
        let routes = json!({"route_config": {"virtual_hosts": [{
            "name": "inbound", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": APPLICATION}}],
        }]}});
        let routes = logged(routes, logs);
        let name = Role::Inbound.name();
        listeners.push(config::listener(name, listen.port(), "INBOUND", &filter(Role::Inbound), &routes));
        clusters.push(config::cluster(APPLICATION, &[app]));
    }
    let mut bootstrap = config::bootstrap(node, &listeners, &clusters);
    if is_native {
        let layer = json!({"name": "native", "static_layer": {native::STRIP: true}});
        bootstrap["layered_runtime"] = json!({"layers": [layer]});
    }
    bootstrap
}

/// A connection manager that writes the access log of `render --mesh-config`.
fn logged(mut manager: Json, logs: Option<&Path>) -> Json {
    if let Some(path) = logs {
        manager["access_log"] = json!([config::access_log(path, &access_log_format())]);
    }
    manager
}

fn gateway(mesh: &Mesh, clusters: &Clusters, logs: Option<&Path>) -> Json {
    let filter = config::discovered_filter(&plugin(Role::Gateway));
    let mut manager = logged(config::discovered_routes(Role::Gateway.name()), logs);
    // As Istio's gateways: the client's address counts, and ids of strangers are replaced.
    manager["use_remote_address"] = json!(true);
    let listener = config::listener(Role::Gateway.name(), 0, "OUTBOUND", &[filter], &manager);
    let namespace = gateway_namespace(mesh);
    let node = config::node("router", "gateway", namespace, &json!({"istio": "ingressgateway"}));
    config::bootstrap(&node, &[listener], &all(clusters))
}

fn gateway_namespace(mesh: &Mesh) -> &str {
    mesh.gateways().next().map_or("istio-system", |(_, gateway)| &gateway.namespace)
}

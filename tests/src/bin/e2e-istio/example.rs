//! An example of `examples/` as a mesh: what `graylane render` writes of its file, and a pod for every version in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use graylane::document::model::Gateway;
use graylane::mesh::{Ingress, Mesh as Meaning, Service as Meant};
use graylane_decide::Role;
use graylane_tests::case::{Node, Suite};
use graylane_tests::host::module_path;
use graylane_tests::istio::{ControlPlane, Mesh, Pod, Service};
use serde_json::json;

use crate::gateway_api;

/// The pod from which services are called: a sidecar, and an application that forgets what it is told to forget.
pub const CALLER: &str = "caller";
/// Its own service, and port.
pub const CALLER_HOST: &str = "caller:8081";
/// The port of its pod.
pub const CALLER_PORT: u16 = 9081;
/// What gateways have where a file asks for a key of lane tokens.
const TOKEN_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The pod of the only gateway.
pub const INGRESS: &str = "ingress";
/// The port of a gateway's pod; it listens on all addresses, so nothing else can. Each of several has the next one.
pub const INGRESS_PORT: u16 = 15180;
/// The port of a service that names none: inside the cluster, and outside of it.
pub const PORTS: [u16; 2] = [8080, 80];
/// A port of hosts with several that no service of a file is about.
pub const OTHER_PORT: u16 = 7070;
/// Groups of kinds that Kafka's and Prometheus' operators bring.
const OPERATORS: [&str; 2] = ["kafka.strimzi.io", "monitoring.coreos.com"];
/// What a pod's port is more than its service's.
pub const TO_TARGET: u16 = 1000;

/// A gateway of an example, and its pod.
pub struct Door<'e> {
    /// The pod's name.
    pub pod: String,
    /// Its port.
    pub port: u16,
    /// What holds there.
    pub ingress: Ingress<'e>,
    /// Where it is.
    pub gateway: &'e Gateway,
}

/// As what an example's routes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// VirtualServices.
    VirtualService,
    /// HTTPRoutes, with a Service for each subset.
    GatewayApi,
}

/// An example.
pub struct Example {
    /// Its folder's name.
    pub name: String,
    /// As what its routes are written.
    pub form: Form,
    path: PathBuf,
    _written: Option<tempfile::TempDir>,
    /// What its file means.
    pub meaning: Meaning,
    document: serde_json::Map<String, serde_json::Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

impl Example {
    /// All whose files are in order and have routes, by name.
    pub fn all() -> Result<Vec<Self>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder())? {
            let path = entry?.path();
            if path.join("graylane.yaml").is_file() && !path.ends_with("mistakes") {
                names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        names.sort();
        let all: Result<Vec<Self>> = names.iter().map(|name| Self::load(name)).collect();
        Ok(all?.into_iter().filter(|example| example.meaning.routed().next().is_some()).collect())
    }

    /// One by its name.
    pub fn load(name: &str) -> Result<Self> {
        Self::at(name, folder().join(name))
    }

    /// One whose file is in another folder.
    pub fn at(name: &str, path: PathBuf) -> Result<Self> {
        let document = serde_saphyr::from_str(&std::fs::read_to_string(path.join("graylane.yaml"))?)?;
        Self::of(name, path, document)
    }

    /// One by its name, as a file whose routes are those of the Gateway API.
    pub fn load_as(name: &str, form: Form) -> Result<Self> {
        let mut example = Self::load(name)?;
        if form == Form::GatewayApi {
            example = Self::written(name, form, gateway_api::document(&example)?)?;
        }
        Ok(example)
    }

    /// The same with another file.
    pub fn edited(&self, edit: impl Fn(&mut serde_json::Value)) -> Result<Self> {
        let mut document = serde_json::Value::from(self.document.clone());
        edit(&mut document);
        let document = document.as_object().cloned().context("no longer a map")?;
        Self::written(&self.name, self.form, document)
    }

    fn written(name: &str, form: Form, document: serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        let written = tempfile::Builder::new().prefix("graylane-example-").tempdir()?;
        std::fs::write(written.path().join("graylane.yaml"), serde_json::to_string(&document)?)?;
        let mut example = Self::of(name, written.path().to_owned(), document)?;
        (example.form, example._written) = (form, Some(written));
        Ok(example)
    }

    fn of(name: &str, path: PathBuf, document: serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        let suite = Suite { name: name.to_owned(), document, ..empty_suite() };
        let (meaning, document) = (suite.mesh()?, suite.document);
        Ok(Self {
            name: name.to_owned(),
            form: Form::VirtualService,
            path,
            _written: None,
            meaning,
            document,
        })
    }

    /// Its file, as it is written.
    pub fn document(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.document
    }

    /// Its file as the setup of cases, seen from the caller or from a gateway.
    pub fn suite(&self, door: Option<&Door<'_>>) -> Suite {
        let role = if door.is_some() { Role::Gateway } else { Role::Outbound };
        let namespace = door.map_or(self.namespace(), |door| &door.gateway.namespace).to_owned();
        let node = Node { namespace: Some(namespace), router: door.is_some(), ..Node::default() };
        let gateway = door.and_then(|door| door.ingress.name).map(ToOwned::to_owned);
        let (name, document) = (self.name.clone(), self.document.clone());
        Suite { name, document, role, node, gateway, ..empty_suite() }
    }

    /// Its gateways.
    pub fn doors(&self) -> Vec<Door<'_>> {
        let all = self.meaning.gateways().zip(INGRESS_PORT..);
        all.map(|((ingress, gateway), port)| Door { pod: ingress_pod(ingress.name), port, ingress, gateway })
            .collect()
    }

    /// The namespace of services that name none, and of the caller.
    pub fn namespace(&self) -> &str {
        &self.meaning.document.mesh.namespace
    }

    /// What the program writes of it, with these arguments; without what is for operators that are not here.
    pub async fn render(&self, arguments: &[&str]) -> Result<String> {
        let file = self.path.to_str().context("a path that is no text")?;
        let all = graylane(&[&["render", "-f", file], arguments].concat()).await?;
        let is_foreign =
            |one: &&str| OPERATORS.iter().any(|group| one.contains(&format!("apiVersion: {group}/")));
        let here = all.split("---\n").filter(|one| !one.is_empty() && !is_foreign(one));
        Ok(here.map(|one| format!("---\n{one}")).collect())
    }

    /// The same with the plugins in it, whose module Envoy reads from the file that `make wasm` built.
    pub async fn render_with_filter(&self, arguments: &[&str]) -> Result<String> {
        let url = format!("file://{}", module_path().display());
        self.render(&[&["--wasm-url", &url], arguments].concat()).await
    }

    /// What `graylane diff` says of what is there.
    pub async fn differences(&self, plane: &ControlPlane) -> Result<String> {
        let kinds =
            "wasmplugin,telemetry,envoyfilter,validatingadmissionpolicy,validatingadmissionpolicybinding";
        let there = plane.kube.kubectl(&["get", kinds, "-A", "-o", "yaml"], "").await?;
        let there = file(&there)?;
        let program = std::env::current_exe()?.with_file_name("graylane");
        let url = format!("file://{}", module_path().display());
        let mut command = tokio::process::Command::new(program);
        command.arg("diff").arg("-f").arg(&self.path).arg("--against").arg(there.path());
        let output = command.args(["--wasm-url", &url]).kill_on_drop(true).output().await?;
        ensure!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What the program writes to switch the filter off.
    pub async fn off(&self) -> Result<String> {
        graylane(&["off", "-f", self.path.to_str().context("a path that is no text")?]).await
    }

    /// Its pods as a mesh: one for every version of every service, the caller, and the gateway if there is one. What
    /// people have besides graylane's resources is applied: the Gateway, and hosts outside of the cluster.
    pub async fn create<'p>(&self, plane: &'p ControlPlane, caller: Pod) -> Result<Mesh<'p>> {
        let mut plan = plane.mesh(self.namespace());
        for (host, services) in self.hosts() {
            let app = services[0].name.as_str();
            let namespace = self.namespace_of(host).unwrap_or_else(|| self.namespace());
            let mut ports: BTreeSet<u16> = services.iter().map(|service| self.port(service)).collect();
            if services.len() > 1 {
                ports.insert(OTHER_PORT);
            }
            let name = if self.namespace_of(host).is_some() { services[0].short_host() } else { app };
            let service = Service::new(name).selector(&[("app", app)]);
            let service = ports.iter().fold(service, |service, port| service.port(*port, port + TO_TARGET));
            if self.form == Form::GatewayApi {
                plan = gateway_api::services(plan.namespace(namespace), &service, &services);
            }
            plan = plan.namespace(namespace).service(service);
            let versions: BTreeSet<&BTreeMap<String, String>> =
                services.iter().flat_map(|service| service.subsets.values()).collect();
            for labels in versions {
                plan = plan.pod(version(&pod_name(app, labels), app, labels));
            }
        }
        let own = Service::new(CALLER).port(8081, CALLER_PORT).selector(&[("app", CALLER)]);
        plan = plan.namespace(self.namespace()).service(own).pod(caller.labels(&[("app", CALLER)]));
        for Door { pod, port, gateway, .. } in self.doors() {
            let labels: Vec<(&str, &str)> =
                gateway.selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            ensure!(!labels.is_empty(), "{}: the gateway has no selector to find its pod by", self.name);
            let service = Service::new(gateway_service(&pod)).port(80, port).selector(&labels);
            let keys = self.meaning.document.edge.token_keys().iter();
            let keys = keys.map(|variable| (variable.clone(), TOKEN_KEY.to_owned()));
            let pod = Pod::gateway(&pod).labels(&labels).environment(keys);
            plan = plan.namespace(&gateway.namespace).service(service).pod(pod);
        }
        let mesh = plan.create().await?;
        let around = self.around(&mesh);
        if !around.is_empty() {
            plane.apply(&around).await?;
        }
        Ok(mesh)
    }

    /// The Gateways that its file names, and a ServiceEntry for every host that is not the cluster's, as JSON in YAML.
    fn around(&self, mesh: &Mesh<'_>) -> String {
        let mut objects = Vec::new();
        for Door { pod, ingress, gateway, .. } in self.doors() {
            let shown = self.meaning.services.iter().filter(|service| service.is_shown_at(&ingress));
            let exposed: BTreeSet<&String> = shown.flat_map(|service| &service.expose.hosts).collect();
            let Some((namespace, name)) = gateway.name.as_deref().and_then(|name| name.split_once('/'))
            else {
                continue;
            };
            if self.form == Form::GatewayApi {
                objects.extend(gateway_api::gateway(
                    namespace,
                    name,
                    &exposed,
                    gateway_service(&pod),
                    &gateway.namespace,
                ));
                continue;
            }
            // Without a server the gateway has no listener, and so no plugin.
            let hosts = if exposed.is_empty() { json!(["*"]) } else { json!(exposed) };
            objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
            objects.push(json!({
                "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": gateway.selector, "servers": [
                    {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts},
                ]},
            }));
        }
        for (host, services) in self.hosts().into_iter().filter(|(host, _)| self.namespace_of(host).is_none())
        {
            let number = self.port(services[0]);
            let endpoint = |labels: &BTreeMap<String, String>| {
                let pod = mesh.pod(&pod_name(&services[0].name, labels));
                json!({"address": pod.address, "labels": labels, "ports": {"http": number + TO_TARGET}})
            };
            objects.push(json!({
                "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
                "metadata": {"name": services[0].name, "namespace": self.namespace()},
                "spec": {
                    "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                    "ports": [{"number": number, "name": "http", "protocol": "HTTP"}],
                    "endpoints": services[0].subsets.values().map(endpoint).collect::<Vec<_>>(),
                },
            }));
        }
        objects.iter().map(|object| format!("---\n{object}\n")).collect()
    }

    /// Its services by host.
    pub fn hosts(&self) -> BTreeMap<&str, Vec<&Meant>> {
        let mut hosts: BTreeMap<&str, Vec<&Meant>> = BTreeMap::new();
        for service in &self.meaning.services {
            hosts.entry(&service.host).or_default().push(service);
        }
        hosts
    }

    /// The namespace of a host of the cluster.
    fn namespace_of<'a>(&self, host: &'a str) -> Option<&'a str> {
        let name = host.strip_suffix(&self.meaning.document.mesh.cluster_domain)?.strip_suffix(".svc.")?;
        Some(name.split_once('.')?.1)
    }

    /// The port by which a service is called.
    pub fn port(&self, service: &Meant) -> u16 {
        service.port.unwrap_or(PORTS[usize::from(self.namespace_of(&service.host).is_none())])
    }

    /// The pod that serves a subset.
    pub fn pod_of(&self, service: &Meant, subset: &str) -> Result<String> {
        let labels =
            service.subsets.get(subset).with_context(|| format!("{} has no `{subset}`", service.name))?;
        let first = self.hosts()[service.host.as_str()][0];
        Ok(pod_name(&first.name, labels))
    }
}

/// The service of a gateway's pod.
fn gateway_service(pod: &str) -> &str {
    if pod == INGRESS { "istio-ingressgateway" } else { pod }
}

/// The pod of a gateway.
pub fn ingress_pod(name: Option<&str>) -> String {
    name.map_or_else(|| INGRESS.to_owned(), |name| format!("{INGRESS}-{name}"))
}

/// A pod of a version.
pub fn version(name: &str, app: &str, labels: &BTreeMap<String, String>) -> Pod {
    let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Pod::plain(name).labels(&labels.chain([("app", app)]).collect::<Vec<_>>())
}

fn pod_name(app: &str, labels: &BTreeMap<String, String>) -> String {
    labels.values().fold(app.to_owned(), |name, value| format!("{name}-{}", value.to_ascii_lowercase()))
}

fn empty_suite() -> Suite {
    Suite {
        about: String::new(),
        document: serde_json::Map::new(),
        example: None,
        examples: Vec::new(),
        gateway: None,
        plugin_config: None,
        root_id: None,
        role: Role::Outbound,
        node: Node::default(),
        cluster: None,
        not_in_istio: None,
        cases: Vec::new(),
        file: None,
        name: String::new(),
    }
}

/// A file, gone with what is returned.
pub fn file(text: &str) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), text)?;
    Ok(file)
}

/// What the program says of an example's EnvoyFilters on the routes that are there, and its exit code.
pub async fn status(plane: &ControlPlane, example: &str) -> Result<(String, Option<i32>)> {
    let there = plane.kube.kubectl(&["get", "vs,dr,envoyfilter", "-A", "-o", "yaml"], "").await?;
    let there = file(&there)?;
    let program = std::env::current_exe()?.with_file_name("graylane");
    let mut command = tokio::process::Command::new(program);
    command.arg("status").arg("-f").arg(folder().join(example)).arg("--against").arg(there.path());
    let output = command.kill_on_drop(true).output().await?;
    Ok((String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code()))
}

/// Runs the program, which was built beside this one; its output.
pub async fn graylane(arguments: &[&str]) -> Result<String> {
    let program = std::env::current_exe()?.with_file_name("graylane");
    let mut command = tokio::process::Command::new(program);
    let output = command.args(arguments).kill_on_drop(true).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("graylane {} ends with {}: {said}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

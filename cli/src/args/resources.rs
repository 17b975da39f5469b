//! Arguments of what writes and reads Istio's resources.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Asked, Files, Format, RegistryTimes, Shown};
use crate::istio::MINORS;

/// Through which API plugins are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Extension {
    /// WasmPlugin.
    #[default]
    WasmPlugin,
    /// TrafficExtension, its successor since Istio 1.30.
    TrafficExtension,
}

impl From<Extension> for crate::resources::Extension {
    fn from(extension: Extension) -> Self {
        match extension {
            Extension::WasmPlugin => Self::WasmPlugin,
            Extension::TrafficExtension => Self::TrafficExtension,
        }
    }
}

/// As what resources are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML, ready to apply; with --out, the folder is a kustomization too.
    #[default]
    Yaml,
    /// A Helm chart; its values hold what differs between environments.
    Helm,
    /// YAML in sync waves of Argo CD: it applies them in the order that is safe, and prunes in the reverse order.
    Argocd,
}

/// What carries the mesh's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DataPlane {
    /// A sidecar in every pod.
    #[default]
    Sidecar,
    /// Waypoints.
    Ambient,
}

impl From<DataPlane> for crate::resources::DataPlane {
    fn from(data_plane: DataPlane) -> Self {
        match data_plane {
            DataPlane::Sidecar => Self::Sidecar,
            DataPlane::Ambient => Self::Ambient,
        }
    }
}

/// Kinds of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Routes {
    /// VirtualServices.
    VirtualService,
    /// HTTPRoutes of the Kubernetes Gateway API, with a Service for each subset.
    GatewayApi,
}

impl Routes {
    /// Its word in a file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::VirtualService => "virtual-service",
            Self::GatewayApi => "gateway-api",
        }
    }
}

/// How pods get the native module's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NativePods {
    /// A patch of a workload whose sidecar Istio injects.
    Patch,
    /// A patch of a gateway.
    Gateway,
    /// A template for Istio's injector, for many workloads.
    Template,
}

/// How a dashboard is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dashboards {
    /// As a ConfigMap that the sidecar of Grafana's Helm chart loads.
    Configmap,
    /// As `dashboards/<mesh>-lanes.json`.
    Json,
    /// Not at all.
    None,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct Render {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Write into this folder: one file per resource and a kustomization.yaml, or a chart.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to write.
    #[arg(long, value_enum, default_value_t)]
    pub format: Output,
    /// Through which API plugins are applied.
    #[arg(long, value_enum, default_value_t)]
    pub extension: Extension,
    /// The mesh's version of Istio.
    #[arg(long, value_name = "1.28…1.31", value_parser = istio, default_value = "1.31")]
    pub istio: u32,
    /// What carries the mesh's traffic.
    #[arg(long, value_enum, default_value_t)]
    pub data_plane: DataPlane,
    /// Kind of routes to write. Default: `mesh.routes` of the file.
    #[arg(long, value_enum)]
    pub routes: Option<Routes>,
    /// The filter's image. With a digest it is written as it is; without one the registry is asked for it.
    #[arg(long, value_name = "REF[@sha256:…]")]
    pub image: Option<String>,
    /// Write a reference without digest as it is, and ask no registry.
    #[arg(long)]
    pub no_pin: bool,
    /// Ask the registry over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
    /// How long the registry may take.
    #[command(flatten)]
    pub times: RegistryTimes,
    /// Where the filter is, if not in a registry; written as it is.
    #[arg(long, value_name = "URL")]
    pub wasm_url: Option<String>,
    /// Where a gateway's proxies get the filter, if not from where sidecars do: `file:///…` in an image that `graylane package
    /// --gateway-image` prepares, so that a gateway scales out without a registry.
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// The next image of the filter, beside that of --image: for pods with the label `graylane.dev/image: next`, and for those
    /// of --next-in. See docs/operate.md.
    #[arg(long, value_name = "REF[@sha256:…]", requires = "image")]
    pub next: Option<String>,
    /// Where all pods get the next image: a namespace (that of the gateway, too), or `namespace/service`.
    #[arg(long, value_name = "NAMESPACE[/SERVICE],…", value_delimiter = ',', requires = "next")]
    pub next_in: Vec<String>,
    /// Label the plugins `istio.io/rev: REV`, so that only istiod of this revision reads them: while Istio is upgraded, each pod
    /// has one of two sets, never both.
    #[arg(long, value_name = "REV", value_parser = revision)]
    pub istio_revision: Option<String>,
    /// Write EnvoyFilters too, so that pods with the label `graylane.dev/native: "true"` run the native module instead of the
    /// filter: see docs/native.md. The value is the path of the module's file in such pods.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = graylane_mesh::native::FILE
    )]
    pub native: Option<String>,
    /// Print only what pods need to mount the native module's image, and to run it.
    #[arg(long, value_enum, requires = "native_image")]
    pub native_pods: Option<NativePods>,
    /// The native module's image, as `graylane push` printed it.
    #[arg(long, value_name = "REF@sha256:…", requires = "native_pods")]
    pub native_image: Option<String>,
    /// Merge the Telemetry into those in this file or folder, or `-`: Istio uses only one per namespace.
    #[arg(long, value_name = "PATH")]
    pub merge_telemetry: Option<PathBuf>,
    /// A Grafana dashboard, in the stream or as a plain file (with --out); default: in the stream, if the file has alerts.
    #[arg(long, value_enum)]
    pub dashboards: Option<Dashboards>,
    /// Print only the fields of Istio's mesh configuration, which no resource can carry.
    #[arg(long)]
    pub mesh_config: bool,
    /// Only these kinds.
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only objects of these namespaces: what a Role, or an AppProject, of a team may apply. The others are counted, and somebody
    /// else has to apply them: see docs/owners.md.
    #[arg(long, value_name = "NAMESPACE,…", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Plain routing: no plugin, and no rule that needs the filter.
    #[arg(long)]
    pub without_filter: bool,
    /// No ValidatingAdmissionPolicy, which is an object of the whole cluster (Kubernetes 1.30): nothing then refuses a route with a
    /// single destination under `weights: external`.
    #[arg(long)]
    pub without_admission_policy: bool,
    /// Existing resources: a file, a folder, or `-`, as in `kubectl get vs,dr,wasmplugin -A -o yaml`. What others define for
    /// the same hosts is a warning.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
}

/// What resources and files are written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// Istio: resources of its API.
    #[default]
    Istio,
    /// Envoys without Istio: files with their filters and routes, see docs/envoy.md.
    Envoy,
}

/// Arguments of `render --for envoy`.
#[derive(Debug, Args)]
pub struct EnvoyFiles {
    /// What to write for.
    #[arg(long = "for", value_enum, default_value_t)]
    pub proxies: For,
    /// Where Envoys find the folder of --out. Default: /etc/graylane.
    #[arg(long, value_name = "DIR")]
    pub at: Option<String>,
    /// The cluster for calls to hosts that are not in the file. Default: Envoy answers them with 404.
    #[arg(long, value_name = "CLUSTER")]
    pub other_hosts: Option<String>,
}

/// Arguments of `render`, and of what it can print in place of resources.
#[derive(Debug, Args)]
#[command(mut_arg("prometheus", |arg| arg.required(false).requires("cost")))]
pub struct RenderOrCost {
    /// What is rendered.
    #[command(flatten)]
    pub render: Render,
    /// What is written for Envoys without Istio.
    #[command(flatten)]
    pub envoy: EnvoyFiles,
    /// Print only how many series the tags add to Istio's metrics, and how many the filter's own metrics have. With --prometheus
    /// they are counted, otherwise estimated: see docs/observe.md.
    #[arg(long, conflicts_with_all = ["out", "mesh_config", "native_pods"])]
    pub cost: bool,
    /// How to print the series of --cost.
    #[arg(short, long, value_enum, default_value_t, requires = "cost")]
    pub output: Format,
    /// The Prometheus that --cost asks.
    #[command(flatten)]
    pub asked: Option<Asked>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// How it would be rendered.
    #[command(flatten)]
    pub render: Render,
    /// How to print the changes.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Shown,
}

/// Arguments of `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// How it would be rendered.
    #[command(flatten)]
    pub render: Render,
    /// The file or folder as it was before, or `-`, as in `git show main:graylane.yaml | graylane review --was -`. Without it
    /// everything is new.
    #[arg(long, value_name = "PATH")]
    pub was: Option<PathBuf>,
    /// How many users to count: `user-0`, `user-1` and so on.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub users: u64,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Shown,
}

/// Arguments of `off`.
#[derive(Debug, Args)]
pub struct Off {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Only the sidecars or waypoints of this namespace, and the routes of its services.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "service")]
    pub namespace: Option<String>,
    /// Only the routes of this service: tenants are routed by header, weights are drawn for each request. Sidecars keep the filter.
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Through which API plugins are applied.
    #[arg(long, value_enum, default_value_t)]
    pub extension: Extension,
    /// What carries the mesh's traffic.
    #[arg(long, value_enum, default_value_t)]
    pub data_plane: DataPlane,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// YAML files or folders, or `-`, as in `kubectl get deploy,sts,ds,svc -n shop -o yaml | graylane init`.
    #[arg(value_name = "FILE", default_value = "-")]
    pub files: Vec<PathBuf>,
    /// Name of the tenant of live users.
    #[arg(long, value_name = "NAME", default_value = "green")]
    pub default: String,
    /// Name of the mesh; default: the namespace of most Services.
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// YAML files or folders with VirtualServices and DestinationRules, or `-`; with their Gateways, if any. Of the Gateway API:
    /// HTTPRoutes, DestinationRules, Gateways, and the Services of both, which say what their versions are.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print the migration plan instead of the file: what is applied, deleted and kept, and in which order.
    #[arg(long)]
    pub plan: bool,
    /// Keep the name of each VirtualService and DestinationRule that exactly one rendered resource replaces, so that it is
    /// replaced in place.
    #[arg(long)]
    pub keep_names: bool,
    /// The tenant header; default: `tenant`, or, of the headers named after tenants or lanes, the one that most rules match.
    #[arg(long, value_name = "NAME")]
    pub header: Option<String>,
    /// Name for the tenant of live users, which no existing rule names.
    #[arg(long, value_name = "NAME", default_value = "green")]
    pub default: String,
    /// Name of the mesh; default: the namespace of most resources.
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
}

/// The minor version of Istio 1.
fn istio(version: &str) -> Result<u32, String> {
    let minor = version.strip_prefix("1.").and_then(|minor| minor.split('.').next()?.parse().ok());
    minor
        .filter(|minor| MINORS.contains(minor))
        .ok_or_else(|| format!("write a version from 1.{} to 1.{}", MINORS.start(), MINORS.end()))
}

/// A revision of Istio, which is the value of a label.
fn revision(name: &str) -> Result<String, String> {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=63).contains(&name.len()) && name.bytes().all(is_fine);
    let ends = name.starts_with('-') || name.ends_with('-');
    if fits && !ends {
        return Ok(name.to_owned());
    }
    Err("expected the name of a revision, as in `istio-1-31`: lower-case letters, digits and `-`".to_owned())
}

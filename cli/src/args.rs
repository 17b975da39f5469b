//! The command line, and nothing of what it does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use graylane_decide::Role;

use crate::simulate::Setting;

/// Gray and live users on their own versions, through Istio.
#[derive(Debug, Parser)]
#[command(name = "graylane", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a first graylane file, made of Services and Deployments that exist.
    Init(Init),
    /// Say everything that is wrong with a file, and what to write instead.
    Check(Check),
    /// Print all files as one, with the place that each value came from.
    Config(Config),
    /// Print the configuration that the filter gets.
    PluginConfig(PluginConfig),
    /// Say where one request goes, hop by hop, and why.
    Explain(Explain),
    /// Say which users move when weights change.
    Simulate(Simulate),
    /// Take a rollout through its steps, in the file itself.
    #[command(subcommand)]
    Ramp(Ramp),
    /// Say which pods run the configuration of the file, and which do not; exit 1 if one does not.
    Status(Status),
    /// Print the Istio resources of a file, ready for `kubectl apply -f -`.
    Render(Render),
    /// Say what would change against resources that are there; exit 1 if anything would.
    Diff(Diff),
    /// Print a graylane file made of VirtualServices and DestinationRules that exist.
    Import(Import),
    /// Say who went where with which tenant, and where a lane breaks; exit 1 if one does.
    Report(Report),
    /// Write the filter as an OCI image layout.
    Package(Package),
    /// Push the filter to a registry; prints the reference with its digest.
    Push(Push),
    /// Say what a module or an image is: versions, ABI, exports, imports.
    Inspect(Inspect),
    /// Print the JSON schema of the file, for editors.
    Schema,
    /// Print completions for a shell.
    Completions(Completions),
    /// Print the manual page, or write one for every command.
    Man(Man),
    /// Run a file as a real mesh of Envoys on loopback, and show where requests go.
    Demo(Demo),
}

/// The files that a command reads.
#[derive(Debug, Args)]
pub struct Files {
    /// A graylane file, a folder of them, or `-`; later ones override earlier ones: maps merge, lists replace, `null`
    /// removes. `${NAME}` and `${NAME:-default}` in values come from the environment.
    #[arg(short, long = "file", value_name = "PATH", default_value = "graylane.yaml")]
    pub file: Vec<PathBuf>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Workloads that there are, to compare workers with: a file, a folder, or `-`, as in
    /// `kubectl get deploy,sts -A -o yaml | graylane check --workloads -`.
    #[arg(long, value_name = "PATH")]
    pub workloads: Option<PathBuf>,
    /// The file or folder as it was: whoever leaves a canary whose weight does not fall is a finding. As in
    /// `git show main:graylane.yaml | graylane check --was -`.
    #[arg(long, value_name = "PATH")]
    pub was: Option<PathBuf>,
    /// How to print the findings.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct Config {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `plugin-config`.
#[derive(Debug, Args)]
pub struct PluginConfig {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Where the plugin stands.
    #[arg(long, value_parser = role, default_value = "outbound")]
    pub role: Role,
}

fn role(name: &str) -> Result<Role, String> {
    let names = || Role::ALL.map(Role::name).join(", ");
    Role::named(name.as_bytes()).ok_or_else(|| format!("write one of {}", names()))
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The way: services by their names in the file, `gateway` first for a request from outside. The last one may be
    /// any host.
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',', required = true)]
    pub path: Vec<String>,
    /// A header of the request, as for curl.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = crate::explain::header)]
    pub header: Vec<(String, Vec<u8>)>,
    /// A claim of a verified token; given several times, the claim is a list. Steps into a claim are parted by dots.
    #[arg(long, value_name = "NAME=VALUE")]
    pub claim: Vec<String>,
    /// A service whose application does not pass headers on: `tenant`, `baggage`, `all` (both; ids of
    /// requests and traces go on), or `everything`.
    #[arg(long, value_name = "SERVICE[=all]")]
    pub drops: Vec<String>,
    /// The way starts with a message: this worker of the file consumes it, and makes the call.
    #[arg(long, value_name = "WORKER", requires = "tenant")]
    pub worker: Option<String>,
    /// Whose message it is.
    #[arg(long, value_name = "TENANT", requires = "worker")]
    pub tenant: Option<String>,
    /// Which of a service's own routes the request is of.
    #[arg(long, value_name = "SERVICE=ROUTE")]
    pub route: Vec<String>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The service.
    pub service: String,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The weights after: a canary and percent, with `@top` or `@bottom` for an end of its own.
    #[arg(long, value_name = "CANARY=PERCENT,…", value_delimiter = ',', value_parser = crate::simulate::settings, required = true)]
    pub to: Vec<Setting>,
    /// The weights before; default: the file's.
    #[arg(long, value_name = "CANARY=PERCENT,…", value_delimiter = ',', value_parser = crate::simulate::settings)]
    pub from: Vec<Setting>,
    /// So many made users: `user-0`, `user-1` and so on.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub users: u64,
    /// Real users: a file with a sticky key a line, or `-`.
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    pub users_file: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// What to do with a rollout.
#[derive(Debug, Subcommand)]
pub enum Ramp {
    /// Say where a rollout stands.
    Status(RampStatus),
    /// Raise the canary to the next declared step.
    Next(RampEdit),
    /// Set weights.
    Set(RampSet),
    /// Set the canary to 0; the entry stays.
    Abort(RampEdit),
    /// Make a canary that has 100 % the baseline; nobody moves.
    Promote(RampPromote),
    /// Take all steps: write, apply, wait, judge; then the next one, or back. Exit 0: promoted; 1: aborted.
    Run(Box<RampRun>),
}

/// Arguments of `ramp status`.
#[derive(Debug, Args)]
pub struct RampStatus {
    /// The service.
    pub service: String,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `ramp next` and `ramp abort`.
#[derive(Debug, Args)]
pub struct RampEdit {
    /// The service.
    pub service: String,
    /// Which canary, where there are several.
    #[arg(long, value_name = "SUBSET")]
    pub canary: Option<String>,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// How to print what moves.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `ramp set`.
#[derive(Debug, Args)]
pub struct RampSet {
    /// The service.
    pub service: String,
    /// The weights: percent, or a canary and percent.
    #[arg(value_name = "[CANARY=]PERCENT", value_parser = crate::simulate::settings, required = true)]
    pub weights: Vec<Setting>,
    /// Leave out declared steps, and move users of other canaries.
    #[arg(long)]
    pub force: bool,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// How to print what moves.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `ramp promote`.
#[derive(Debug, Args)]
pub struct RampPromote {
    /// The service.
    pub service: String,
    /// Which canary, where there are several.
    #[arg(long, value_name = "SUBSET")]
    pub canary: Option<String>,
    /// Write this salt for the next rollout too.
    #[arg(long, value_name = "NAME")]
    pub salt: Option<String>,
    /// The files.
    #[command(flatten)]
    pub files: Files,
}

/// Arguments of `ramp run`.
#[derive(Debug, Args)]
pub struct RampRun {
    /// The service.
    pub service: String,
    /// Which canary, where there are several.
    #[arg(long, value_name = "SUBSET")]
    pub canary: Option<String>,
    /// What is asked for figures. Away, or without data, the rollout holds.
    #[arg(long, value_name = "URL")]
    pub prometheus: String,
    /// A command of the shell that applies the YAML it is given, stage by stage; default: only the file is edited.
    #[arg(long, value_name = "COMMAND")]
    pub apply: Option<String>,
    /// How long each step is watched; default: as the file says, or 10m.
    #[arg(long, value_name = "DURATION", value_parser = crate::commands::ramp_run::span)]
    pub hold: Option<Duration>,
    /// How long to wait between two looks.
    #[arg(long, value_name = "DURATION", value_parser = crate::commands::ramp_run::span, default_value = "15s")]
    pub interval: Duration,
    /// How long to wait between two stages of resources.
    #[arg(long, value_name = "DURATION", value_parser = crate::commands::ramp_run::span, default_value = "5s")]
    pub settle: Duration,
    /// No verdict before canary and baseline have so many requests each.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_requests: u32,
    /// One look, and what follows from it: for a CronJob, or a step of a pipeline.
    #[arg(long)]
    pub once: bool,
    /// Begin again from 0 what was aborted or promoted; without it only a person does, with `ramp next` or `ramp set`.
    #[arg(long)]
    pub anew: bool,
    /// Where verdicts are written, a JSON object a line; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// How it is rendered.
    #[command(flatten)]
    pub render: Render,
    /// How to print verdicts.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// What is asked.
    #[arg(long, value_name = "URL")]
    pub prometheus: String,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Through which API plugins are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Extension {
    /// WasmPlugin.
    #[default]
    WasmPlugin,
    /// TrafficExtension, its successor since Istio 1.30.
    TrafficExtension,
}

/// As what resources are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML, as it is applied; a folder of it is a kustomization too.
    #[default]
    Yaml,
    /// A Helm chart; its values are what environments change.
    Helm,
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
    /// Write into this folder: one file a resource and a kustomization.yaml, or a chart.
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
    /// The filter's image. With a digest it is written as it is; without one the registry is asked for it.
    #[arg(long, value_name = "REF[@sha256:…]")]
    pub image: Option<String>,
    /// Write a reference without digest as it is, and ask no registry.
    #[arg(long)]
    pub no_pin: bool,
    /// Ask the registry over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
    /// Where the filter is, if not in a registry; written as it is.
    #[arg(long, value_name = "URL")]
    pub wasm_url: Option<String>,
    /// Merge our Telemetry into those in this file or folder, or `-`: of a namespace Istio heeds one only.
    #[arg(long, value_name = "PATH")]
    pub merge_telemetry: Option<PathBuf>,
    /// A Grafana dashboard, in the stream or as a plain file (with --out); default: in the stream, if the file has alerts.
    #[arg(long, value_enum)]
    pub dashboards: Option<Dashboards>,
    /// Print what no resource can carry, the fields of Istio's mesh configuration, and nothing else.
    #[arg(long)]
    pub mesh_config: bool,
    /// Only these kinds.
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Plain routing: no plugin, and no rule that only the filter makes sense of.
    #[arg(long)]
    pub without_filter: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// How it would be rendered.
    #[command(flatten)]
    pub render: Render,
    /// What is there: a file, a folder, or `-`, as in `kubectl get vs,dr,wasmplugin -A -o yaml | graylane diff --against -`.
    #[arg(long, value_name = "PATH")]
    pub against: PathBuf,
    /// How to print the changes.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// YAML files or folders, or `-`, as in `kubectl get deploy,sts,svc -n shop -o yaml | graylane init`.
    #[arg(value_name = "FILE", default_value = "-")]
    pub files: Vec<PathBuf>,
    /// What to call the tenant of live users.
    #[arg(long, value_name = "NAME", default_value = "green")]
    pub default: String,
    /// What to call the mesh; default: as most Services' namespace.
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// YAML files or folders with VirtualServices and DestinationRules, or `-`.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The tenant header; default: the header that most rules match.
    #[arg(long, value_name = "NAME")]
    pub header: Option<String>,
    /// What to call the tenant of live users, whom no rule names.
    #[arg(long, value_name = "NAME", default_value = "green")]
    pub default: String,
    /// What to call the mesh; default: as most resources' namespace.
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// A Prometheus, or what speaks its API; user and password may be in it.
    #[arg(long, value_name = "URL")]
    pub prometheus: String,
    /// How far to look back.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub window: String,
    /// Write the report as a page, too: one file, with a drawing.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `package`.
#[derive(Debug, Args)]
pub struct Package {
    /// Another module than the one in this program.
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct Push {
    /// Where to: registry, repository and tag. Default tag: the version of this program.
    #[arg(value_name = "REF")]
    pub reference: String,
    /// An image that `graylane package` wrote, instead of the filter in this program.
    #[arg(long, value_name = "DIR")]
    pub layout: Option<PathBuf>,
    /// Over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A module, an image layout, or a reference.
    #[arg(value_name = "FILE|DIR|REF")]
    pub what: String,
    /// Over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// The minor version of Istio 1.
fn istio(version: &str) -> Result<u32, String> {
    let minor = version.strip_prefix("1.").and_then(|minor| minor.split('.').next()?.parse().ok());
    minor
        .filter(|minor| (28..=31).contains(minor))
        .ok_or_else(|| "write a version from 1.28 to 1.31".to_owned())
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write `graylane.1`, `graylane-check.1` and so on into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// A graylane file or folder; default: the small bank of examples/bank.
    #[arg(short, long = "file", value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// How to print what happened.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
    /// How many live users to send.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub users: u32,
    /// Leave the mesh up, and print its addresses.
    #[arg(long)]
    pub keep: bool,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

//! The command line, and nothing of what it does.

mod client;
mod doctor;
mod git;
mod image;
mod playground;
mod remote;
mod resources;
mod rollout;
mod span;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use graylane_decide::Role;

pub use client::{Client, History, Lang, Trace, User};
pub use doctor::Doctor;
pub use git::{ByGit, Pushed};
pub use image::{Inspect, Package, Push};
pub use playground::Playground;
pub use remote::{Asked, RegistryTimes};
pub use resources::{
    Dashboards, DataPlane, Diff, EnvoyFiles, Extension, For, Import, Init, NativePods, Off, Output, Render,
    RenderOrCost, Review,
};
pub use rollout::{
    Answers, Explain, Ramp, RampAbort, RampApprove, RampEdit, RampPromote, RampRun, RampSet, RampStatus,
    Simulate, Status,
};
pub use token::{OfToken, Token, TokenMake, TokenRead};

/// Keeps internal and live users on the right version of every service in an Istio mesh.
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
    /// Print a first graylane file, made from existing Services and Deployments.
    Init(Init),
    /// Show whether a cluster is ready, and what to do first; exit 1 if graylane would not work.
    Doctor(Doctor),
    /// Check a file: print every mistake, its place, and what to write instead.
    Check(Check),
    /// Print all files as one, with the place that each value came from.
    Config(Config),
    /// Bring a file to the newest version of its format; does nothing if it already has that version.
    Migrate(Migrate),
    /// Print the configuration that the filter gets.
    PluginConfig(PluginConfig),
    /// Show where one request goes, hop by hop, and why.
    Explain(Explain),
    /// Open a page on the file that checks, explains, simulates and renders it while one types.
    Playground(Playground),
    /// Show one request's real way, from access logs, beside what the file says; exit 1 where they differ.
    Trace(Trace),
    /// Show one user's side in each rollout, and when it changed, by the file's history in Git.
    User(User),
    /// Show who changed a rollout, when, why, and how many users it moved, by the file's history in Git.
    History(History),
    /// Make and read lane tokens, which give a callback from outside the tenant and unit of the user whom it is about.
    #[command(subcommand)]
    Token(Token),
    /// Show which users move when weights change.
    Simulate(Simulate),
    /// Take a rollout through its steps, in the file itself.
    #[command(subcommand)]
    Ramp(Ramp),
    /// List the pods that do not run the configuration of the file, and why, and EnvoyFilters that do not fit the routes that are
    /// there; exit 1 if there are any.
    Status(Status),
    /// Print the Istio resources of a file, ready for `kubectl apply -f -`.
    Render(RenderOrCost),
    /// Run as a KRM function: read all objects from stdin, add or replace those of the file, and write all to stdout.
    Krm,
    /// Print what switches the filter off, ready for `kubectl apply -f -`; the edge stays closed.
    Off(Off),
    /// Show what would change in existing resources; exit 1 if anything would.
    Diff(Diff),
    /// Show what a change of the file does: who moves, which objects change, what `check` finds; exit 1 on errors.
    Review(Review),
    /// Print a graylane file made from existing VirtualServices and DestinationRules.
    Import(Import),
    /// Show which tenants reached which versions, and where a lane breaks; exit 1 if one does.
    Report(Report),
    /// Print what applications outside of the mesh have to know, as JSON or as code; or compare it with what was released.
    Client(Client),
    /// Write the filter as an OCI image layout.
    Package(Package),
    /// Push the filter to a registry; prints the reference with its digest.
    Push(Push),
    /// Show what is in a module or an image: versions, ABI, exports, imports.
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
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// A graylane file, a folder of them, or `-`; later ones override earlier ones: maps merge, lists replace, `null`
    /// removes. `${NAME}` and `${NAME:-default}` in values come from the environment.
    #[arg(short, long = "file", value_name = "PATH", default_value = "graylane.yaml")]
    pub file: Vec<PathBuf>,
}

/// The key of `sticky.hash: keyed`.
#[derive(Debug, Args)]
pub struct OfHash {
    /// The key of `sticky.hash: keyed`, in a file. Default: in the environment variable that the graylane file names.
    #[arg(long, value_name = "FILE")]
    pub hash_key_file: Option<PathBuf>,
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// The files.
    #[command(flatten)]
    pub files: Files,
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

/// How what a change does is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// For a comment under a pull request.
    Markdown,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Existing workloads, to compare workers with: a file, a folder, or `-`, as in
    /// `kubectl get deploy,sts,cronjob,job,svc -A -o yaml | graylane check --workloads -`.
    #[arg(long, value_name = "PATH")]
    pub workloads: Option<PathBuf>,
    /// Existing resources: a file, a folder, or `-`, as in `kubectl get vs,dr -A -o yaml | graylane check --against -`. What
    /// others define for the same hosts is a warning. So is, where routes are external, each request that the filter would
    /// send elsewhere.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// Report the risks of running the native module in some pods: docs/native.md. Existing resources are checked with
    /// `--against` (`kubectl get envoyfilter,wasmplugin,trafficextension …`) and `--workloads`.
    #[arg(long)]
    pub native: bool,
    /// What carries the mesh's traffic. With `ambient`, what the file says that waypoints cannot do is a warning.
    #[arg(long, value_enum, default_value_t)]
    pub data_plane: DataPlane,
    /// The file or folder before a change. A finding if users leave a canary whose weight does not fall, or a worker no longer
    /// consumes topics of a tenant. As in
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
    /// Where the plugin runs.
    #[arg(long, value_parser = role, default_value = "outbound")]
    pub role: Role,
    /// With `--role gateway`, in a file with several gateways: which one, by its name in `edge.gateways`.
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// Of the pods of this namespace, which know the services that are `visibleTo` it. Default: with all services.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

fn role(name: &str) -> Result<Role, String> {
    let names = || Role::ALL.map(Role::name).join(", ");
    Role::named(name.as_bytes()).ok_or_else(|| format!("write one of {}", names()))
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The Prometheus to ask.
    #[command(flatten)]
    pub asked: Asked,
    /// How far to look back.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub window: String,
    /// Ask again and again, this long after each answer (5s if no time is given), until Ctrl-C; a terminal shows the last answer only.
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "5s", value_parser = span::span)]
    pub watch: Option<Duration>,
    /// Write the report as a page, too: one file, with a drawing.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
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
    /// The services that a request passes, in order, and no others. Default: all, those that are exposed first.
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',')]
    pub path: Vec<String>,
    /// Write the access logs of all Envoys into this file when all requests were sent; `graylane trace` reads it.
    #[arg(long, value_name = "FILE")]
    pub logs: Option<PathBuf>,
    /// Keep the mesh running, and print its addresses.
    #[arg(long)]
    pub keep: bool,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

//! Arguments of what looks at a rollout and takes it on.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::remote::of_each;
use super::{Asked, ByGit, DataPlane, Files, Format, OfHash, OfToken, Pushed, Render, Shown};
use crate::simulate::Setting;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The path: services by their names in the file, `gateway` first for a request from outside. The last one may be
    /// any host.
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',', required = true)]
    pub path: Vec<String>,
    /// A header of the request, as for curl.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = crate::explain::header)]
    pub header: Vec<(String, Vec<u8>)>,
    /// A claim of a verified token; given several times, the claim is a list. Separate the names of a nested claim by dots.
    #[arg(long, value_name = "NAME=VALUE")]
    pub claim: Vec<String>,
    /// A service whose application does not pass headers on: `tenant`, `baggage`, `all` (both; ids of
    /// requests and traces go on), or `everything`.
    #[arg(long, value_name = "SERVICE[=all]")]
    pub drops: Vec<String>,
    /// Start with a message: this worker of the file consumes it and makes the first call.
    #[arg(long, value_name = "WORKER", requires = "tenant")]
    pub worker: Option<String>,
    /// The tenant of the message.
    #[arg(long, value_name = "TENANT", requires = "worker")]
    pub tenant: Option<String>,
    /// Which of a service's own `routes` the request matches.
    #[arg(long, value_name = "SERVICE=ROUTE")]
    pub route: Vec<String>,
    /// Existing routes: a file, a folder, or `-`, as in `kubectl get vs,dr -A -o yaml | graylane explain … --against -`:
    /// they decide where a request to a service with `routing: external` goes.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// What carries the mesh's traffic: with `ambient` the waypoint before each service decides, and no sidecar remembers.
    #[arg(long, value_enum, default_value_t)]
    pub data_plane: DataPlane,
    /// The key of a keyed hash.
    #[command(flatten)]
    pub hash_key: OfHash,
    /// The key of lane tokens.
    #[command(flatten)]
    pub token_key: OfToken,
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
    /// The new weights: a canary and percent; `@top` or `@bottom` chooses the end that it fills from.
    #[arg(long, value_name = "CANARY=PERCENT,…", value_delimiter = ',', value_parser = crate::simulate::settings, required = true)]
    pub to: Vec<Setting>,
    /// Existing routes: a file, a folder, or `-`. They have the weights of a service with `weights: external`.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// The old weights; default: the file's.
    #[arg(long, value_name = "CANARY=PERCENT,…", value_delimiter = ',', value_parser = crate::simulate::settings)]
    pub from: Vec<Setting>,
    /// Simulate this many synthetic users: `user-0`, `user-1` and so on.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub users: u64,
    /// Real users: a file with one sticky key per line, or `-`.
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    pub users_file: Option<PathBuf>,
    /// The key of a keyed hash.
    #[command(flatten)]
    pub hash_key: OfHash,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Shown,
}

/// What to do with a rollout.
#[derive(Debug, Subcommand)]
pub enum Ramp {
    /// Show where a rollout stands.
    Status(RampStatus),
    /// Raise the canary to the next declared step.
    Next(RampEdit),
    /// Set weights.
    Set(RampSet),
    /// Set the canary to 0; the entry stays.
    Abort(RampAbort),
    /// Allow the next step, or the promotion, where a pause is before it: one of `approvers`. Exit 1: they may not, or there
    /// is nothing to approve.
    Approve(RampApprove),
    /// Make a canary that has 100 % the baseline; no user moves.
    Promote(RampPromote),
    /// Take all steps: write, apply, wait, judge; then the next one, or back. Exit 0: promoted; 1: aborted, or stopped by
    /// a person; 2: it could not run; 3: held, worse past its point of no return.
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
    /// The log of the rollout; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Which windows are open at this time, RFC 3339; default: now.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub at: Option<i64>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `ramp abort`.
#[derive(Debug, Args)]
pub struct RampAbort {
    /// What is edited.
    #[command(flatten)]
    pub edit: RampEdit,
    /// Go back although the canary has or had its point of no return (`noReturn`): its users may have written data that the
    /// baseline cannot read.
    #[arg(long)]
    pub past_no_return: bool,
    /// Who answers for it.
    #[command(flatten)]
    pub answers: Answers,
}

/// Who answers for an edit that leaves something out.
#[derive(Clone, Debug, Args)]
pub struct Answers {
    /// Who answers for what --force or --past-no-return leaves out: the log keeps it.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// The ticket or change that it belongs to: the log keeps it.
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
}

/// Arguments of `ramp approve`.
#[derive(Debug, Args)]
pub struct RampApprove {
    /// The service.
    pub service: String,
    /// Which canary, where there are several.
    #[arg(long, value_name = "SUBSET")]
    pub canary: Option<String>,
    /// Who approves: one of `approvers` of the rollout.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// The ticket or change that it belongs to.
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// The step may begin outside of every window.
    #[arg(long)]
    pub outside_window: bool,
    /// By Git: the approval is a commit without a change, so that whoever protects the branch says who may.
    #[command(flatten)]
    pub pushed: Pushed,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The log of the rollout; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// Arguments of `ramp next`.
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
    /// The log of the rollout; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
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
    /// Allow skipping declared steps, pauses, windows and hooks, and moving users of other canaries; what is left out is
    /// printed and in the log.
    #[arg(long)]
    pub force: bool,
    /// Go back although the canary has or had its point of no return (`noReturn`): its users may have written data that the
    /// baseline cannot read.
    #[arg(long)]
    pub past_no_return: bool,
    /// Who answers for it.
    #[command(flatten)]
    pub answers: Answers,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The log of the rollout; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
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
    /// The log of the rollout; default: `graylane-ramp-<service>.jsonl` beside the file.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// Arguments of `ramp run`.
#[derive(Debug, Args)]
#[command(mut_arg("prometheus", of_each))]
pub struct RampRun {
    /// The service.
    pub service: String,
    /// Which canary, where there are several.
    #[arg(long, value_name = "SUBSET")]
    pub canary: Option<String>,
    /// The Prometheus to ask for figures. If it does not answer, or has no data, the rollout holds.
    #[command(flatten)]
    pub asked: Asked,
    /// A command of the shell that applies the YAML it is given, stage by stage; default: only the file is edited. If the file names
    /// clusters, it is run for each, with the name of the cluster for `{cluster}`, as in `kubectl --context {cluster} apply -f -`.
    #[arg(long, value_name = "COMMAND", conflicts_with = "git")]
    pub apply: Option<String>,
    /// By Git.
    #[command(flatten)]
    pub by_git: ByGit,
    /// How long the command of --apply may take for one stage; after that it is ended, with everything that it started.
    #[arg(long, value_name = "DURATION", value_parser = super::span::span, default_value = "5m")]
    pub apply_timeout: Duration,
    /// How long each step is watched; default: as the file says, or 10m.
    #[arg(long, value_name = "DURATION", value_parser = super::span::span)]
    pub hold: Option<Duration>,
    /// How long to wait between two evaluations.
    #[arg(long, value_name = "DURATION", value_parser = super::span::span, default_value = "15s")]
    pub interval: Duration,
    /// How long to wait between two stages of resources.
    #[arg(long, value_name = "DURATION", value_parser = super::span::span, default_value = "5s")]
    pub settle: Duration,
    /// Requests that canary and baseline each need before a step is judged.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_requests: u32,
    /// Evaluate once and act on the result: for a CronJob, or a step of a pipeline. Exit 0: the weight was raised, or it is
    /// finished; 1: aborted or stopped; 2: it could not run; 3: it holds.
    #[arg(long)]
    pub once: bool,
    /// Continue from the weight in the file, after a person set, aborted or edited it, or after it was held past its point
    /// of no return and the canary is repaired. A person's word: not for a CronJob.
    #[arg(long)]
    pub resume: bool,
    /// Start again from 0 after an abort or a promotion; without this, only a person can, with `ramp next` or `ramp set`.
    #[arg(long)]
    pub anew: bool,
    /// Where verdicts are written, one JSON object per line; default: `graylane-ramp-<service>.jsonl` beside the file.
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
#[command(mut_arg("prometheus", |arg| of_each(arg).required(false).required_unless_present("against")))]
pub struct Status {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The Prometheus to ask.
    #[command(flatten)]
    pub asked: Option<Asked>,
    /// The routes and EnvoyFilters that are there, a file, a folder, or `-`, as in `kubectl get vs,dr,envoyfilter -A -o yaml |
    /// graylane status --against -`: rules that an EnvoyFilter of `weights: external` makes invalid, or misses.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

//! Arguments of what is for people outside of the mesh, and for one user's complaint.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Files, Format, OfHash};

/// What a contract is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Data, for code of your own.
    Json,
    /// A wrapper of `fetch`, for browsers, Node.js and others.
    #[value(name = "typescript")]
    TypeScript,
    /// An interceptor of OkHttp.
    Kotlin,
    /// Methods of URLSession.
    Swift,
}

/// Arguments of `client`.
#[derive(Debug, Args)]
pub struct Client {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// What to write it in.
    #[arg(long, value_enum, required_unless_present = "check", conflicts_with = "check")]
    pub lang: Option<Lang>,
    /// A host that the application calls; only such hosts get the headers, over HTTPS unless `http://` stands before. Default:
    /// `expose.hosts` of all services.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Put the weights of this service into it. Whoever has the application can read them.
    #[arg(long, value_name = "SERVICE")]
    pub with_rollout: Vec<String>,
    /// Instead: say what an application would notice that was built with this file of an earlier `graylane client`; exit 1 if
    /// anything.
    #[arg(long, value_name = "OLD")]
    pub check: Option<PathBuf>,
}

/// Arguments of `user`.
#[derive(Debug, Args)]
pub struct User {
    /// What identifies the user, as the sticky key of the file has it: the value of the header, cookie or claim.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// As of this time: RFC 3339, or a date, which is its first moment in UTC. Default: as of the text on disk.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The key of a keyed hash.
    #[command(flatten)]
    pub hash_key: OfHash,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// The service.
    #[arg(required_unless_present = "revision")]
    pub service: Option<String>,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Print at most this many commits, the newest first.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub number: usize,
    /// Instead: print the commit that brought this revision, as `graylane status` and the metric `graylane_config_revision` have it.
    #[arg(long, value_name = "REVISION", conflicts_with = "service")]
    pub revision: Option<String>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// The request's id as logs have it: `x-request-id`, a trace id, or a whole `traceparent`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Access logs of the gateway and of sidecars, of one or many: a file, or `-`, as in
    /// `stern -n shop -c istio-proxy --no-follow . | graylane trace ID --logs -`. Other lines are skipped.
    #[arg(long, value_name = "FILE")]
    pub logs: PathBuf,
    /// The user's sticky key, such as a user id: then the file says which version a rollout gives them.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// The key of a keyed hash.
    #[command(flatten)]
    pub hash_key: OfHash,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

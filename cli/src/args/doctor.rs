//! Arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Format};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(mut_arg("prometheus", |arg| arg.required(false)))]
pub struct Doctor {
    /// A graylane file, or a folder of them; without it `graylane.yaml`, if there is one.
    #[arg(short, long, value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// What is there, a file, a folder, or `-`, as in `kubectl get ns,pods,crd,gw,vs,dr,telemetry,wasmplugin -A -o yaml |
    /// graylane doctor --against -`. What is left out is unknown.
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// The Prometheus to ask which applications lose the tenant header.
    #[command(flatten)]
    pub asked: Option<Asked>,
    /// How far back Prometheus is asked.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub window: String,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

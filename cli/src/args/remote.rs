//! Arguments of what is asked over the network: where, as whom, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::span::span;

/// A Prometheus.
#[derive(Clone, Debug, Args)]
pub struct Asked {
    /// URL of a Prometheus, or of anything with its API: Thanos, Mimir, VictoriaMetrics. It may contain user and password.
    #[arg(long, value_name = "URL", required = true)]
    pub prometheus: Vec<String>,
    /// User name; the password comes from --prometheus-password-file, or from GRAYLANE_PROMETHEUS_PASSWORD.
    #[arg(long, value_name = "NAME")]
    pub prometheus_user: Option<String>,
    /// A file with the password of --prometheus-user.
    #[arg(long, value_name = "FILE", requires = "prometheus_user")]
    pub prometheus_password_file: Option<PathBuf>,
    /// A file with headers to send, one per line, as in `Authorization: Bearer …` or `X-Scope-OrgID: shop`.
    #[arg(long, value_name = "FILE")]
    pub prometheus_header_file: Option<PathBuf>,
    /// How long a connection to Prometheus may take.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5s")]
    pub prometheus_connect_timeout: Duration,
    /// How long Prometheus may take to send the first byte of its answer.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "30s")]
    pub prometheus_answer_timeout: Duration,
    /// How long one call to Prometheus may take in total.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "60s")]
    pub prometheus_timeout: Duration,
    /// The largest answer to accept from Prometheus, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub prometheus_max_answer: u64,
}

/// For a command that asks each cluster.
pub fn of_each(arg: clap::Arg) -> clap::Arg {
    arg.value_name("[CLUSTER=]URL").long_help(
        "URL of a Prometheus, or of anything with its API: Thanos, Mimir, VictoriaMetrics. It may contain user and password. If the file \
         names clusters: one for each, as in --prometheus east=http://… --prometheus west=http://…",
    )
}

/// How long a registry may take.
#[derive(Clone, Copy, Debug, Args)]
pub struct RegistryTimes {
    /// How long a connection to the registry may take.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "10s")]
    pub registry_connect_timeout: Duration,
    /// How long the registry may take to send the first byte of its answer, and between two parts of it.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "60s")]
    pub registry_answer_timeout: Duration,
    /// How long one call to the registry may take in total.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5m")]
    pub registry_timeout: Duration,
}

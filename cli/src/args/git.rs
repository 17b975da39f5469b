//! Arguments of a rollout by Git.

use std::time::Duration;

use clap::Args;

use super::span;

/// Where a rollout by Git is.
#[derive(Debug, Args)]
pub struct Pushed {
    /// By Git: what is written is a commit, made in a clone of its own and pushed; nothing is applied, what watches the branch does that.
    /// The log and which run it is are refs of the remote.
    #[arg(long, conflicts_with = "log")]
    pub git: bool,
    /// A remote of the checkout; or an address, for a machine without a checkout: then -f are paths from the root of the repository.
    #[arg(long, value_name = "NAME|URL", default_value = "origin", requires = "git")]
    pub remote: String,
    /// The branch to push to; default: the one that is checked out.
    #[arg(long, value_name = "NAME", requires = "git")]
    pub branch: Option<String>,
    /// How long one fetch or push may take.
    #[arg(long, value_name = "DURATION", value_parser = span::span, default_value = "1m", requires = "git")]
    pub git_timeout: Duration,
}

/// How a rollout is written by Git, and who else may run it.
#[derive(Debug, Args)]
pub struct ByGit {
    /// Where.
    #[command(flatten)]
    pub pushed: Pushed,
    /// A change in your system for changes, as in `CHG-1042`: in each commit and in `graylane history`.
    #[arg(long, value_name = "ID", requires = "git")]
    pub ticket: Option<String>,
    /// Before a step's hold begins, wait until this tool reports that it has synced the step's commit:
    /// `argocd:NAMESPACE/NAME` of an Application, or `flux:NAMESPACE/NAME` of a Kustomization. If the file names clusters: in
    /// each of them, with `{cluster}` for the name of the cluster, here or in --kubectl.
    #[arg(long, value_name = "TOOL:NAMESPACE/NAME", requires = "git")]
    pub synced_by: Option<String>,
    /// How kubectl is called, as in `kubectl --context prod`, or with several clusters `kubectl --context {cluster}`; default: as in
    /// --apply, or `kubectl`.
    #[arg(long, value_name = "COMMAND")]
    pub kubectl: Option<String>,
    /// Who runs it, for others who see it; default: the user and the machine.
    #[arg(long, value_name = "NAME")]
    pub runner: Option<String>,
    /// After how long without a sign of this run another one takes over.
    #[arg(long, value_name = "DURATION", value_parser = span::span, default_value = "2m")]
    pub lease: Duration,
}

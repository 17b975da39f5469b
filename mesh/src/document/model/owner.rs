//! Who may define what.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Mesh;

/// A team: its files, and what they may define.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Owner {
    /// Names of its files, as in `payments.yaml`; with a folder, as in `teams/payments/*`, the end of the path. One that ends in `*` is
    /// a prefix.
    pub files: Vec<String>,
    /// Names of the services and workers that they may define; one that ends in `*` is a prefix. Default: all in `namespaces`.
    pub services: Vec<String>,
    /// Namespaces in which they may define them. Default: `mesh.namespace`.
    pub namespaces: Vec<String>,
    /// Public hosts, and hosts outside of the cluster, that their services may have; one that begins with `*.` is all below it.
    /// Default: none.
    pub hosts: Vec<String>,
    /// `true`: their rollouts may have `hooks`, which are commands that whoever runs `graylane ramp` runs.
    pub hooks: bool,
    /// `true`: its files may say everything, as the file with `owners` may: what differs between environments, for example.
    pub platform: bool,
}

impl Owner {
    /// Is a file of this name its own?
    #[must_use]
    pub fn has_file(&self, path: &str) -> bool {
        let path = path.replace('\\', "/");
        let parts: Vec<&str> = path.split('/').collect();
        let is = |pattern: &String| {
            let depth = pattern.split('/').count();
            let end = parts.len().checked_sub(depth).and_then(|begin| parts.get(begin..));
            end.is_some_and(|end| matches(pattern, &end.join("/")))
        };
        self.files.iter().any(is)
    }

    /// May its services have this public host, or one outside of the cluster?
    #[must_use]
    pub fn may_have(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let is = |pattern: &String| match pattern.strip_prefix('*') {
            Some(below) => host.ends_with(&below.to_ascii_lowercase()),
            None => pattern.eq_ignore_ascii_case(&host),
        };
        self.hosts.iter().any(is)
    }

    /// May its files define a service or worker of this name, in this namespace? None: a file above took it away.
    #[must_use]
    pub fn may_define(&self, name: &str, namespace: Option<&str>, mesh: &Mesh) -> bool {
        let named = self.services.is_empty() || self.services.iter().any(|pattern| matches(pattern, name));
        let placed = |namespace: &str| match &self.namespaces[..] {
            [] => namespace == mesh.namespace,
            some => some.iter().any(|one| one == namespace),
        };
        named && namespace.is_none_or(placed)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

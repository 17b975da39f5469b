//! The filter's configuration: the JSON in `pluginConfig`, one document a role.
//!
//! People write `graylane.yaml`; `graylane plugin-config` lowers it to this. The document is versioned, refuses
//! unknown fields, and depends on no order of keys (they arrive sorted), on no integer over 2^53 and on no key that
//! is a user's word (Istio sends it through YAML and a protobuf Struct, where `no: x` becomes `"false": x`).

mod edge;
mod id;
mod policy;
mod service;

use serde::Serialize;
use serde_json::Value;

use crate::read::{Read, Reader, fields, variants, words};

pub use crate::edge::conditions::{Claim, Condition, Named};
pub use crate::edge::text::{Regex, Test as Text};
pub use crate::read::Mistake;
pub use edge::{Accept, Edge, Rule};
pub use id::{Id, IdKind};
pub use policy::{Carrier, Conflict, Missing, Policy, Restore, Unknown};
pub use service::{End, Label, Pin, Rollout, Route, Service, Weight, WorkloadSubset};

/// The newest version of the document that this crate reads. 2 has `policy.carriers`, `policy.ids`, `policy.missing: pass`,
/// services whose routes are not ours, `modes`, the mode `off`, `edge.debug`, `points`, `cookie.minted`, `sticky.hash`,
/// `edge.tokens`, `telemetry.unlabelled` and `services.hosts`; a document without them is written as
/// version 1, which filters of graylane 0.1 read too.
pub const VERSION: u32 = 2;
/// The oldest version that this crate reads.
pub const OLDEST_VERSION: u32 = 1;

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// In a sidecar, requests to its pod.
    Inbound,
    /// In a sidecar, requests of its pod.
    Outbound,
    /// In the ingress gateway, where the outside comes in.
    Gateway,
    /// In an ambient waypoint, in front of a service: sees a hop's destination side alone.
    Waypoint,
}

impl Role {
    /// All roles, in the order of the request's way through a mesh.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Inbound, Self::Outbound, Self::Waypoint];

    /// The role's name: in the document, as `pluginName`, as the metric tag `direction`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.word()
    }

    /// The role that a root id names, if it names one.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().as_bytes() == name)
    }
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Of the document: [`OLDEST_VERSION`] to [`VERSION`], the lowest that has all that it says.
    pub version: u32,
    /// Which of the four plugins this one is.
    pub role: Role,
    /// A fingerprint of the file that it came from, 12 lowercase hex digits (48 bits, exact as a double); a gauge
    /// shows it, so that one can ask which pods run which file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Enforce, only decide and count, or neither: where nothing of `modes` and no label of the pod says otherwise.
    pub mode: Mode,
    /// The modes of some pods, the first that fits counts: those of services before those of namespaces. Ignored in the
    /// gateway, which has one mode.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<PodMode>,
    /// Name of the tenant header, and of the baggage member that carries it.
    pub header: String,
    /// All declared tenants, the default one included.
    pub tenants: Vec<String>,
    /// The tenant of a live user.
    pub default: String,
    /// What a sidecar does with a request that is not as it should be.
    pub policy: Policy,
    /// Requests that are never touched, counted or rejected. Ignored in the gateway.
    #[serde(skip_serializing_if = "Exempt::is_empty")]
    pub exempt: Exempt,
    /// How long a sidecar remembers.
    pub memory: Memory,
    /// Hosts under this domain are inside the mesh.
    pub cluster_domain: String,
    /// Hosts under the cluster domain through which traffic leaves the mesh; full names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// Present while there are rollouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// The services of the file: outbound, gateway and waypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// Which labels make which subset: inbound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadSubset>,
    /// Where decisions are reported: metrics, tags, filter state.
    pub telemetry: Telemetry,
    /// Does another controller set the weights of any service? Inbound, whose pod must not see the points that callers write then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub points: bool,
    /// Who may choose a tenant: gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,
}

/// The mode of some pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodMode {
    /// Their namespace.
    pub namespace: String,
    /// The service that their canonical label names; empty: all pods of the namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Their mode.
    pub mode: Mode,
}

impl PodMode {
    /// The first that fits a pod of this namespace, whose canonical label names this service.
    #[must_use]
    pub fn of<'m>(modes: &'m [Self], namespace: Option<&str>, service: Option<&str>) -> Option<&'m Self> {
        modes.iter().find(|one| {
            namespace == Some(&*one.namespace) && (one.service.is_empty() || service == Some(&*one.service))
        })
    }
}

/// Whether requests are changed, only observed, or left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Mode {
    /// Headers are written, requests rejected.
    #[default]
    Enforce,
    /// Everything is decided, remembered and counted, nothing changed.
    Observe,
    /// Requests pass untouched and uncounted. A gateway observes instead.
    Off,
}

impl Mode {
    /// The mode that a word names, if it names one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Enforce, Self::Observe, Self::Off].into_iter().find(|mode| mode.word() == name)
    }
}

/// Requests that graylane leaves alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Exempt {
    /// Paths without query; one that ends in `*` is a prefix.
    pub paths: Vec<String>,
    /// Ports that the request was sent to (the pod's port inbound, the service's outbound).
    pub ports: Vec<u16>,
}

impl Exempt {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.ports.is_empty()
    }
}

/// How long a sidecar remembers what came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Life of an entry, 1 to 3600 seconds.
    pub seconds: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { seconds: 30 }
    }
}

/// How users become units.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sticky {
    /// Of all units.
    pub salt: String,
    /// The tenants that take part in any rollout: theirs are the requests that carry a unit.
    pub tenants: Vec<String>,
    /// Where this plugin finds a user's key, the first one present counts. Empty where keys are not for this role.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// Keys become units by a keyed hash (algorithm 2): gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
}

/// A keyed hash; the key itself stands in no configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hash {
    /// Names the key, for people.
    pub id: String,
    /// The variable of the proxy's environment that has the key.
    pub env: String,
}

/// Where a user's key is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// The value of a header.
    Header(String),
    /// The value of a cookie.
    Cookie(Cookie),
    /// The value of a parameter of the query, decoded.
    Query(String),
    /// The value of a claim of a token that was verified, by its path: gateway.
    Claim(Vec<String>),
    /// The client's address; the value is ignored: gateway.
    Source(bool),
}

/// A cookie that holds a user's key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Make one for users without any key: what follows `<name>=<value>` in `Set-Cookie`, as in
    /// `; Path=/; Secure`. Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mint: Option<String>,
    /// It counts only if its value has the form of one that a gateway made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub minted: bool,
}

/// Where decisions are reported: metrics, tags, filter state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Telemetry {
    /// Count requests.
    pub metrics: bool,
    /// Write filter state `wasm.tenant` and `wasm.subset`, for metrics, traces and access logs of others.
    pub state: bool,
    /// Write `wasm.source` also where the source is the header.
    pub source: bool,
    /// Tenants that are counted under `other`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlabelled: Vec<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics: true, state: true, source: false, unlabelled: Vec::new() }
    }
}

words!(Role { Inbound: "inbound", Outbound: "outbound", Gateway: "gateway", Waypoint: "waypoint" });
words!(Mode { Enforce: "enforce", Observe: "observe", Off: "off" });

fields!(Config {
    version: "version",
    role: "role",
    revision: "revision" = String::new,
    mode: "mode" = Mode::default,
    modes: "modes" = Vec::new,
    header: "header",
    tenants: "tenants",
    default: "default",
    policy: "policy" = Policy::default,
    exempt: "exempt" = Exempt::default,
    memory: "memory" = Memory::default,
    cluster_domain: "clusterDomain" = || "cluster.local".to_owned(),
    egress: "egress" = Vec::new,
    sticky: "sticky" = || None,
    services: "services" = Vec::new,
    workloads: "workloads" = Vec::new,
    telemetry: "telemetry" = Telemetry::default,
    points: "points" = || false,
    edge: "edge" = || None,
});
fields!(PodMode { namespace: "namespace", service: "service" = String::new, mode: "mode" });
fields!(Exempt { paths: "paths" = Vec::new, ports: "ports" = Vec::new });
fields!(Memory { seconds: "seconds" = || Memory::default().seconds });
fields!(Sticky { salt: "salt", tenants: "tenants", keys: "keys" = Vec::new, hash: "hash" = || None });
fields!(Hash { id: "id", env: "env" });
fields!(Telemetry {
    metrics: "metrics" = || true,
    state: "state" = || true,
    source: "source" = || false,
    unlabelled: "unlabelled" = Vec::new,
});

fields!(Cookie { name: "name", mint: "mint" = || None, minted: "minted" = || false });

variants!(Key { Header: "header", Cookie: "cookie", Query: "query", Claim: "claim", Source: "source" });

/// Reads the document.
///
/// # Errors
/// When it is empty, no JSON, of another version, or has unknown, missing or wrong fields: all of them, with their
/// paths.
pub fn parse(json: &[u8]) -> Result<Config, Vec<Mistake>> {
    let whole = |problem: String| Err(vec![Mistake { field: String::new(), problem }]);
    if json.iter().all(u8::is_ascii_whitespace) {
        return whole("it is empty".to_owned());
    }
    let document: Value = match serde_json::from_slice(json) {
        Ok(document) => document,
        // Where, but not serde's own words: they and what formats them would be kilobytes of the module.
        Err(error) => {
            let what = if error.is_eof() { "it ends too early" } else { "invalid JSON" };
            return whole(format!("{what}: line {} column {}", error.line(), error.column()));
        }
    };
    // The version first: a newer document may well have fields that this one does not know.
    let mut reader = Reader::default();
    let version = reader.field::<u32>(&document, "version", None);
    if let Some(other) = version.filter(|version| !(OLDEST_VERSION..=VERSION).contains(version)) {
        let problem = format!("{other}, but this filter reads versions {OLDEST_VERSION} to {VERSION}");
        return Err(vec![Mistake { field: "version".to_owned(), problem }]);
    }
    reader.mistakes.clear();
    match Config::read(&document, &mut reader) {
        Some(config) if reader.mistakes.is_empty() => Ok(config),
        _ => Err(reader.mistakes),
    }
}

#[cfg(test)]
mod tests;

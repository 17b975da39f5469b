//! Who may choose a tenant, where the outside comes in.

use std::collections::BTreeMap;

use graylane_decide::config::Accept;
use schemars::JsonSchema;
use serde::Deserialize;

/// Who may choose a tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Edge {
    /// The ingress gateway.
    pub gateway: Option<Gateway>,
    /// May a caller outside send the tenant header itself? `never` removes it, `always` lets it count.
    pub accept: Accept,
    /// The first one that matches counts.
    pub rules: Vec<Rule>,
    /// Headers of your own that nobody outside may send, as in `x-user-role`; they are removed. Not those that
    /// a RequestAuthentication writes claims to: Envoy removes a client's own, and these would be the verified ones.
    pub remove: Vec<String>,
    /// Tokens that Istio verifies.
    pub jwt: Option<Jwt>,
    /// Trace ids of callers outside: `keep` goes on with them, `restart` removes them before the gateway's own tracing
    /// reads them, so that nobody can take part in another user's trace. Default: `restart` where nobody outside is
    /// trusted (`accept: never`, and no rule says `trusted: true`), else `keep`.
    pub trace_context: Option<TraceContext>,
}

/// What becomes of trace ids of callers outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceContext {
    /// The gateway goes on with them.
    Keep,
    /// The gateway begins a trace of its own.
    Restart,
}

impl Edge {
    /// What becomes of trace ids of callers outside; None where there is no gateway.
    #[must_use]
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.gateway.as_ref()?;
        let trusts = self.accept == Accept::Always || self.rules.iter().any(|rule| rule.trusted);
        let default = if trusts { TraceContext::Keep } else { TraceContext::Restart };
        Some(self.trace_context.unwrap_or(default))
    }
}

/// The ingress gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Labels of its pods.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// Namespace of its pods, where its plugin goes.
    #[serde(default = "default_gateway_namespace")]
    pub namespace: String,
    /// The Gateway resource that routes are bound to, as in `istio-ingress/public`.
    pub name: Option<String>,
}

fn default_gateway_namespace() -> String {
    "istio-system".to_owned()
}

/// A rule: a condition, and what it gives: a tenant, or the right to choose one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Rule {
    /// The tenant that a caller gets.
    pub tenant: Option<String>,
    /// Instead: the tenants that a caller may name in the tenant header. The rule matches if he names one of them.
    #[serde(default)]
    pub may_choose: Vec<String>,
    /// A rule on what anybody can type (header, cookie, query) says that you know it.
    #[serde(default)]
    pub trusted: bool,
    /// What has to hold.
    #[serde(flatten)]
    pub when: Condition,
}

/// What has to hold of a request: all that is said here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// A header.
    pub header: Option<Named>,
    /// A cookie.
    pub cookie: Option<Named>,
    /// A parameter of the query.
    pub query: Option<Named>,
    /// The host that was asked for, lower case and without port.
    pub host: Option<Text>,
    /// The path without its query, as Envoy has it (Istio's gateways normalize it).
    pub path: Option<Text>,
    /// The method, in capitals.
    pub method: Option<Text>,
    /// A claim of a token that Istio verified; of a list one element is enough.
    pub claim: Option<Claim>,
    /// The identity in a client certificate that the gateway verified: its first URI SAN (a SPIFFE id) or its first
    /// DNS SAN.
    pub certificate: Option<Text>,
    /// Networks of the client's address, as in `10.0.0.0/8`. The address is the one that Envoy trusts: with proxies
    /// before the gateway, Istio's `numTrustedProxies` has to say how many.
    pub source: Vec<String>,
    /// All of these hold.
    pub all: Option<Vec<Condition>>,
    /// One of these holds.
    pub any: Option<Vec<Condition>>,
    /// This does not hold.
    pub not: Option<Box<Condition>>,
}

/// Something with a name, and what it has to be. Several different values are `present`, and nothing else.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it has to be.
    #[serde(flatten)]
    pub is: Text,
}

/// A claim, and what it has to be.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Claim {
    /// Its name; a list for a claim in a claim, as in `[realm_access, roles]`.
    pub name: ClaimName,
    /// What it has to be.
    #[serde(flatten)]
    pub is: Text,
}

/// The name of a claim, or the way to one that is in another.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClaimName {
    /// Its name; dots mean nothing.
    Name(String),
    /// The names on the way to it.
    Path(Vec<String>),
}

impl ClaimName {
    /// The names on the way to it.
    #[must_use]
    pub fn path(&self) -> Vec<String> {
        match self {
            Self::Name(name) => vec![name.clone()],
            Self::Path(path) => path.clone(),
        }
    }
}

/// What a text has to be: one of these. Values fold no case, except a host's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// Exactly this.
    pub exact: Option<String>,
    /// One of these.
    #[serde(rename = "in")]
    pub any_of: Option<Vec<String>>,
    /// Starts so.
    pub prefix: Option<String>,
    /// Ends so.
    pub suffix: Option<String>,
    /// Matches as a whole, as in Istio; classes and case are those of ASCII.
    pub regex: Option<String>,
    /// `true`: there at all.
    pub present: Option<bool>,
    /// `true`: not there, or blank.
    pub absent: Option<bool>,
}

/// Tokens that Istio verifies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Jwt {
    /// Write a RequestAuthentication? Default: the one that is there serves.
    #[serde(default)]
    pub render: bool,
    /// Who issues them. Claims of any other issuer's token do not count.
    pub issuer: String,
    /// Where its keys are. Default: where the issuer's OpenID configuration says.
    pub jwks_uri: Option<String>,
}

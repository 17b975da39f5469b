//! Who may choose a tenant, where the outside comes in.

use std::collections::BTreeMap;

use graylane_decide::config::Accept;
use schemars::JsonSchema;
use serde::Deserialize;

/// Who may choose a tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// The ingress gateway.
    pub gateway: Option<Gateway>,
    /// May a caller outside send the tenant header itself? `never` removes it, `always` lets it count.
    pub accept: Accept,
    /// The first one that matches gives the tenant.
    pub rules: Vec<Rule>,
    /// Tokens that Istio verifies.
    pub jwt: Option<Jwt>,
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

/// A rule: a condition, and the tenant it gives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The tenant.
    pub tenant: String,
    /// A rule on what anybody can type says that you know it.
    #[serde(default)]
    pub trusted: bool,
    /// A claim of a verified token.
    pub claim: Option<Named>,
    /// A header.
    pub header: Option<Named>,
    /// The host name that was asked for.
    pub host: Option<Text>,
}

/// Something with a name, and what it has to be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Exactly this.
    pub exact: Option<String>,
    /// One of these.
    #[serde(rename = "in")]
    pub any_of: Option<Vec<String>>,
    /// Starts so.
    pub prefix: Option<String>,
    /// Ends so.
    pub suffix: Option<String>,
}

/// What a text has to be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
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
}

/// Tokens that Istio verifies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Jwt {
    /// Write a RequestAuthentication? Default: the one that is there serves.
    #[serde(default)]
    pub render: bool,
    /// Who issues them.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
}

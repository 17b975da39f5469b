//! How users become sticky.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::conditions::ClaimName;

/// How users become sticky.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sticky {
    /// Of all users. Default: the mesh's name.
    pub salt: Option<String>,
    /// Where keys become units: at the `edge`, or `anywhere`. Default: at the edge if a gateway is named.
    pub at: Option<At>,
    /// Where a user's key is; the first one present counts. Without any, the request id makes one causal chain
    /// sticky, and no more.
    pub keys: Vec<Key>,
}

/// Where keys become units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// At the gateway only.
    Edge,
    /// In every sidecar too, where none arrived.
    Anywhere,
}

/// Where a user's key is: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// In a header of this name.
    pub header: Option<String>,
    /// In a cookie of this name.
    pub cookie: Option<String>,
    /// In a parameter of the query of this name.
    pub query: Option<String>,
    /// In a claim of a token that Istio verified; at the gateway only.
    pub claim: Option<ClaimName>,
    /// `true`: the client's address; at the gateway only. All users behind one address are one.
    pub source: bool,
    /// With a cookie: the gateway sets one for users without any key who take part in a rollout.
    pub mint: Option<Mint>,
}

/// A cookie that the gateway makes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Mint {
    /// How long it lives, as in `30d`. Default: as long as the browser runs.
    pub max_age: Option<String>,
    /// Under which paths it is sent.
    pub path: String,
    /// To which domain, and all under it. Default: only to the host that was asked.
    pub domain: Option<String>,
    /// Is it sent with requests that another site caused?
    pub same_site: SameSite,
    /// Only over HTTPS.
    pub secure: bool,
    /// Not for scripts.
    pub http_only: bool,
}

impl Default for Mint {
    fn default() -> Self {
        Self {
            max_age: None,
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::default(),
            secure: true,
            http_only: true,
        }
    }
}

/// Is a cookie sent with requests that another site caused?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Only when a user follows a link.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always; needs `secure`.
    None,
}

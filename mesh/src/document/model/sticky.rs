//! How users become sticky.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::conditions::ClaimName;

/// How users stay on one version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sticky {
    /// Salt of the units of all users. Default: the mesh's name.
    pub salt: Option<String>,
    /// Where keys become units: at the `edge`, or `anywhere`. Default: `edge` if the file names a gateway.
    pub at: Option<At>,
    /// Where to find a user's key; the first one present is used. Without keys, the request id is the key: the requests of
    /// one causal chain stay together, but users do not stay on one version.
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

/// Where to find a user's key: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// In a header of this name.
    pub header: Option<String>,
    /// In a cookie of this name.
    pub cookie: Option<String>,
    /// In a query parameter of this name.
    pub query: Option<String>,
    /// In a claim of a token that Istio verified; at the gateway only.
    pub claim: Option<ClaimName>,
    /// `true`: the client's address; at the gateway only. All users behind one address count as one user.
    pub source: bool,
    /// With a cookie: the gateway sets one for users without any key who take part in a rollout.
    pub mint: Option<Mint>,
}

/// A cookie that the gateway sets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Mint {
    /// Lifetime, as in `30d`. Default: until the browser closes.
    pub max_age: Option<String>,
    /// Path prefix that the cookie is sent for.
    pub path: String,
    /// Domain of the cookie, including all subdomains. Default: only the requested host.
    pub domain: Option<String>,
    /// Whether browsers send it with cross-site requests.
    pub same_site: SameSite,
    /// Send it over HTTPS only.
    pub secure: bool,
    /// Hide the cookie from scripts.
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

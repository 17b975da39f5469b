//! How users become sticky.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::conditions::ClaimName;

/// How users stay on one version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Sticky {
    /// Salt of the units of all users. Default: the mesh's name.
    pub salt: Option<String>,
    /// Where keys become units: at the `edge`, or `anywhere`. Default: `edge` if the file names a gateway.
    pub at: Option<At>,
    /// Who stays on one version where users log in. Default: `user`.
    pub identity: Option<Identity>,
    /// How keys become units. Default: `open`.
    pub hash: Option<HashKind>,
    /// With `hash: keyed`: the keys of the hash that gateways know, by ids of your own: the variable of the gateways' environment
    /// that has the key, as 32 lowercase hex digits. Two while one replaces the other.
    pub hash_keys: BTreeMap<String, String>,
    /// The id of the key that is used. Default: the only one.
    pub hash_key: Option<String>,
    /// Where to find a user's key; the first one present is used. Without keys, the request id is the key: the requests of
    /// one causal chain stay together, but users do not stay on one version.
    pub keys: Vec<Key>,
}

impl Sticky {
    /// Does a cookie outrank all other keys?
    #[must_use]
    pub fn is_of_session(&self) -> bool {
        self.identity == Some(Identity::Session)
    }

    /// Keys, of the mesh or of a gateway, in the order in which they are looked for.
    #[must_use]
    pub fn in_order<'k>(&self, keys: &'k [Key]) -> Vec<&'k Key> {
        let (mut first, rest): (Vec<&Key>, Vec<&Key>) =
            keys.iter().partition(|key| self.is_of_session() && key.cookie.is_some());
        first.extend(rest);
        first
    }

    /// Id and variable of the key by which units are hashed, if they are.
    #[must_use]
    pub fn used_key(&self) -> Option<(&String, &String)> {
        if self.hash != Some(HashKind::Keyed) {
            return None;
        }
        match &self.hash_key {
            Some(id) => self.hash_keys.get_key_value(id),
            None => self.hash_keys.first_key_value(),
        }
    }
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

/// How keys become units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashKind {
    /// By XXH64 and the salt: who has the file can test whether a unit is that of a user's id.
    Open,
    /// By SipHash-2-4 and a secret key that only gateways have: who reads units cannot.
    Keyed,
}

/// Who stays on one version where users log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Whoever the first key present names, in the order of `keys`. With a claim before a cookie: the same version on every
    /// device, and a new draw at each login and logout.
    User,
    /// The cookie, if the request has it: cookies are read before all other keys, and of a cookie with `mint` only values of
    /// the form that a gateway makes, 16 hex digits. No new draw at login and logout, and each device has a version of its own.
    Session,
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { header: Some(name), .. } => write!(f, "the header `{name}`"),
            Self { cookie: Some(name), .. } => write!(f, "the cookie `{name}`"),
            Self { query: Some(name), .. } => write!(f, "the query parameter `{name}`"),
            Self { claim: Some(claim), .. } => write!(f, "the claim `{}`", claim.path().join(".")),
            _ => f.write_str("the client's address"),
        }
    }
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

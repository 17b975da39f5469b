//! How users become sticky.

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// With a cookie: the gateway makes one for whoever has none.
    pub mint: Option<Mint>,
}

/// A cookie that the gateway makes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Mint {
    /// How long it lives, as in `30d`. Default: as long as the browser runs.
    pub max_age: Option<String>,
}

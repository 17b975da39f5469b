//! A cluster among several.

use schemars::JsonSchema;
use serde::Deserialize;

/// A cluster among several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// A file with what is different in this cluster, such as the name of its gateway; its path is relative to the folder of the
    /// first file. It is laid over the others, as with a further `-f`.
    pub layer: Option<String>,
}

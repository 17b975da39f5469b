//! Who gets the debug header.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::conditions::Condition;

/// Who gets the debug header: everybody, nobody, or some callers.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DebugHeader {
    /// Everybody, or nobody.
    Everybody(bool),
    /// Some callers.
    Callers(Box<Callers>),
}

impl Default for DebugHeader {
    fn default() -> Self {
        Self::Everybody(false)
    }
}

impl DebugHeader {
    /// Does every response have it, inside the mesh as well?
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        *self == Self::Everybody(true)
    }

    /// Does no response have it?
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::Everybody(false)
    }

    /// The callers that get it, where they are some.
    #[must_use]
    pub fn callers(&self) -> Option<&Callers> {
        match self {
            Self::Callers(callers) => Some(callers),
            Self::Everybody(_) => None,
        }
    }
}

/// The callers outside who get the debug header, from the gateway: all that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Callers {
    /// The tenants whose requests get it, as the gateway decided. Default: all.
    pub tenants: Vec<String>,
    /// What has to hold.
    #[serde(flatten)]
    pub when: Condition,
}

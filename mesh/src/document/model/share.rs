//! How much of the users a canary gets.

use graylane_decide::config::End;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::percent;

/// A canary's share.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Share {
    /// Percent, filled from the bottom of the buckets.
    Percent(f64),
    /// Percent, and which end of the buckets it fills from.
    Placed(Placed),
}

/// A share at a chosen end.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// 0 to 100, with up to two decimals.
    pub percent: f64,
    /// `bottom` or `top`: with one canary at each end, neither ever moves the other's users.
    #[serde(default)]
    pub from: End,
}

impl Share {
    /// Percent, as written.
    #[must_use]
    pub fn percent(self) -> f64 {
        match self {
            Self::Percent(percent) | Self::Placed(Placed { percent, .. }) => percent,
        }
    }

    /// The end it fills from.
    #[must_use]
    pub fn from(self) -> End {
        match self {
            Self::Percent(_) => End::Bottom,
            Self::Placed(Placed { from, .. }) => from,
        }
    }

    /// Hundredths of a percent; none if it is not within 0 to 100 with up to two decimals.
    #[must_use]
    pub fn buckets(self) -> Option<u16> {
        percent::exact(self.percent())
    }
}

//! Who moves when weights change.

use std::collections::BTreeMap;

use graylane_decide::config::{End, Weight};
use graylane_mesh::mesh::{Rollout, Service};
use graylane_mesh::serialise;
use graylane_mesh::simulate::{self, Layout, Report, Setting, Users};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::failure::Failure;
use crate::file::File;

/// Most users that are counted in one call.
const MOST: u64 = 100_000_000;

/// A change of weights.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    service: String,
    to: BTreeMap<String, Share>,
    #[serde(default)]
    from: BTreeMap<String, Share>,
    users: Option<Who>,
}

/// Percent, and which end of the buckets it fills from.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Share {
    /// From where it fills already, or from the bottom.
    Percent(f64),
    /// From this end.
    Placed {
        /// 0 to 100, with up to two decimals.
        percent: f64,
        /// The end.
        from: End,
    },
}

/// How many users, or which keys they have.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Who {
    Count(u64),
    Keys(Vec<String>),
}

impl Share {
    /// As the library has it.
    ///
    /// # Errors
    /// When it is not a percentage.
    pub fn setting(self, subset: &str) -> Result<Setting, Failure> {
        let (percent, from) = match self {
            Self::Percent(percent) => (percent, None),
            Self::Placed { percent, from } => (percent, Some(from)),
        };
        let read = simulate::settings(&format!("{subset}={percent}"));
        let setting = read.ok().filter(|setting| setting.subset.as_deref() == Some(subset));
        let setting = setting.ok_or_else(|| {
            Failure::of(format!(
                "`{subset}`: expected percent from 0 to 100 with up to two decimals, got {percent}"
            ))
        })?;
        Ok(Setting { from, ..setting })
    }
}

fn settings(shares: &BTreeMap<String, Share>) -> Result<Vec<Setting>, Failure> {
    shares.iter().map(|(subset, share)| share.setting(subset)).collect()
}

/// Weights as a list, for a service without a file.
///
/// # Errors
/// When one is not a percentage.
pub fn weights(shares: &BTreeMap<String, Share>) -> Result<Vec<Weight>, Failure> {
    let weight = |setting: Setting| Weight {
        subset: setting.subset.unwrap_or_default(),
        buckets: setting.buckets,
        from: setting.from.unwrap_or_default(),
    };
    Ok(settings(shares)?.into_iter().map(weight).collect())
}

impl Change {
    /// The service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// How many users to count, if that is what it says.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match self.users {
            Some(Who::Count(count)) => Some(count),
            Some(Who::Keys(_)) | None => None,
        }
    }

    /// Which subset each bucket belongs to, before and after.
    ///
    /// # Errors
    /// When the weights are none.
    pub fn layouts(&self, service: &Service, rollout: &Rollout) -> Result<[Layout; 2], Failure> {
        let from = simulate::changed(service, &rollout.weights, &settings(&self.from)?)?;
        let to = simulate::changed(service, &from, &settings(&self.to)?)?;
        Ok([&from, &to].map(|weights| Layout::of(&service.baseline, weights)))
    }
}

impl File {
    /// Counts who moves.
    ///
    /// # Errors
    /// When the service has no rollout, or the weights are none.
    pub fn simulate(&self, change: &Change) -> Result<Json, Failure> {
        let (service, rollout) = simulate::rollout(&self.mesh, &change.service)?;
        let layouts = change.layouts(service, rollout)?;
        let none = Users::none(self.mesh.units_of_made_up(), &rollout.salt);
        let users = match &change.users {
            None => simulate::made(none, 100_000),
            Some(Who::Count(count)) if (1..=MOST).contains(count) => simulate::made(none, *count),
            Some(Who::Count(count)) => {
                return Err(Failure::of(format!("users: expected 1 to {MOST}, got {count}")));
            }
            Some(Who::Keys(keys)) => keys.iter().fold(none, |mut users, key| {
                users.add(key.as_bytes());
                users
            }),
        };
        let moves = simulate::moves(&layouts[0], &layouts[1], &users.by_bucket);
        Ok(serialise::json(&Report { service: &service.name, moves: &moves, empty_lines: users.empty_lines }))
    }
}

//! Who gets which version before and after a change of weights, and who moves: exactly, since a user's bucket is a
//! function of the key and the salts. Users are counted by bucket, so ten million cost no more memory than one.
//!
//! | part | its subject |
//! |-|-|
//! | `layout` | which subset each bucket belongs to, and who moves between two layouts |
//! | `setting` | weights as one writes them on a command line |
//! | `users` | users by bucket: made ones, or those of a text |
//! | `bars` | what is printed |

mod bars;
mod layout;
mod setting;
mod users;

use anyhow::{Result, ensure};
use graylane_decide::config::Weight;
use serde::Serialize;

use crate::explain::unknown;
use crate::mesh::{Mesh, Rollout, Service};

pub use bars::{render, share};
pub use layout::{Layout, Move, Moves, moves, moves_of};
pub use setting::{Setting, percent, settings};
pub use users::{Users, made, read, write_key};

/// What machines get.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'a> {
    /// The service whose weights change.
    pub service: &'a str,
    /// Who moves.
    #[serde(flatten)]
    pub moves: &'a Moves,
    /// Lines of a file of users that were empty.
    pub empty_lines: u64,
}

/// A service and its rollout.
///
/// # Errors
/// When the file has no such service, or it has no rollout.
pub fn rollout<'a>(mesh: &'a Mesh, name: &str) -> Result<(&'a Service, &'a Rollout)> {
    let Some(service) = mesh.service(name) else { anyhow::bail!(unknown(mesh, name)) };
    ensure!(
        !service.external,
        "the weights of `{name}` are external: Argo Rollouts, Flagger or the owner of the routes moves them"
    );
    let Some(rollout) = &service.rest().rollout else {
        ensure!(
            service.rollouts().next().is_none(),
            "`{name}` has a rollout in its routes only; expected one of the service itself"
        );
        anyhow::bail!("`{name}` has no rollout: add one, as in `rollout: {{weights: {{canary: 1}}}}`");
    };
    Ok((service, rollout))
}

/// A service whose weights another controller sets, and the salt of its points.
#[must_use]
pub fn of_others<'a>(mesh: &'a Mesh, name: &str) -> Option<(&'a Service, &'a str)> {
    let (service, _) = crate::adopt::weights::services(mesh).find(|(service, _)| service.name == name)?;
    Some((service, &service.rest().rollout.as_ref()?.salt))
}

/// Weights with some of them changed.
///
/// # Errors
/// When a setting names no canary, or they add up to more than 100 %.
pub fn changed(service: &Service, weights: &[Weight], settings: &[Setting]) -> Result<Vec<Weight>> {
    let mut weights = weights.to_vec();
    for setting in settings {
        let subset = match &setting.subset {
            Some(subset) => subset.clone(),
            None => {
                ensure!(
                    weights.len() == 1,
                    "`{}` has {} canaries: say which, as in `{}={}`",
                    service.name,
                    weights.len(),
                    weights.first().map_or("canary", |weight| &*weight.subset),
                    percent(setting.buckets)
                );
                weights[0].subset.clone()
            }
        };
        setting::check(service, &subset)?;
        match weights.iter_mut().find(|weight| weight.subset == subset) {
            Some(weight) => {
                weight.buckets = setting.buckets;
                weight.from = setting.from.unwrap_or(weight.from);
            }
            None => {
                let from = setting.from.unwrap_or_default();
                weights.push(Weight { subset, buckets: setting.buckets, from });
            }
        }
    }
    let sum: u32 = weights.iter().map(|weight| u32::from(weight.buckets)).sum();
    ensure!(sum <= 10_000, "the weights add up to {} %: make them 100 or less", crate::percent::of(sum));
    weights.sort_by(|a, b| a.subset.cmp(&b.subset));
    Ok(weights)
}

#[cfg(test)]
mod tests;

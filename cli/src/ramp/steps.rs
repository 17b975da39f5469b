//! Where a rollout stands, and what comes next.

use anyhow::{Result, bail};
use serde::Serialize;

use super::change::Desk;
use crate::document::model::Rollout;
use crate::percent;

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The service.
    pub service: String,
    /// The subset of everybody who is on no canary.
    pub baseline: String,
    /// Percent by canary.
    pub weights: std::collections::BTreeMap<String, f64>,
    /// Who takes part.
    pub tenants: Vec<String>,
    /// Which users are first.
    pub salt: String,
    /// The percentages on the way up.
    pub steps: Vec<f64>,
    /// How long each step is watched, as written.
    pub hold: Option<String>,
    /// The next step of the only canary; none at the end, and where there are several.
    pub next: Option<f64>,
}

impl Desk {
    /// Where the rollout of a service stands.
    ///
    /// # Errors
    /// When it has none.
    pub fn standing(&self, name: &str) -> Result<Standing> {
        let (service, rollout) = self.rollout(name)?;
        let share = percent::of::<u16>;
        let next = match &rollout.weights[..] {
            [only] => self.next(name, only.buckets).ok().map(share),
            _ => None,
        };
        let written = self.project.document.services.get(name).and_then(|service| service.rollout.as_ref());
        Ok(Standing {
            service: name.to_owned(),
            baseline: service.baseline.clone(),
            weights: rollout
                .weights
                .iter()
                .map(|weight| (weight.subset.clone(), share(weight.buckets)))
                .collect(),
            tenants: rollout.tenants.clone(),
            salt: rollout.salt.clone(),
            steps: self.steps(name).into_iter().map(share).collect(),
            hold: written.and_then(|rollout| rollout.hold.clone()),
            next,
        })
    }

    /// The declared steps, in hundredths of a percent.
    #[must_use]
    pub fn steps(&self, name: &str) -> Vec<u16> {
        let rollout = self.project.document.services.get(name).and_then(|service| service.rollout.as_ref());
        rollout.into_iter().flat_map(Rollout::percentages).collect()
    }

    /// The step after this weight.
    ///
    /// # Errors
    /// When no steps are declared, or this is the last one.
    pub fn next(&self, name: &str, buckets: u16) -> Result<u16> {
        let steps = self.steps(name);
        match steps.iter().find(|step| **step > buckets) {
            Some(step) => Ok(*step),
            None if steps.is_empty() => bail!(
                "the rollout of `{name}` declares no steps: add `steps: [1, 5, 25, 50, 100]`, or use `graylane ramp set {name} PERCENT`"
            ),
            None if buckets == 10_000 => {
                bail!(
                    "`{name}` is at its last step: `graylane ramp promote {name}` makes the canary the baseline"
                )
            }
            None => bail!("`{name}` is at its last step"),
        }
    }
}

/// The declared steps that going from one weight to another leaves out.
#[must_use]
pub fn skipped(steps: &[u16], from: u16, to: u16) -> Vec<u16> {
    steps.iter().copied().filter(|step| from < *step && *step < to).collect()
}

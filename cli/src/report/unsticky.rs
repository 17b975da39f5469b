//! Who calls a service with a rollout without its users.

use anyhow::Result;
use serde::Serialize;

use super::number;
use crate::mesh::Mesh;
use crate::prometheus::{Prometheus, Sample};
use crate::queries::{Queries, WORKLOAD};

/// A workload whose calls have no user, so that the same user's calls may go to different versions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unsticky {
    /// Its namespace.
    pub namespace: String,
    /// The workload.
    pub from: String,
    /// The service that it calls.
    pub to: String,
    /// The share of its calls that take part in a rollout, 0 to 1.
    pub share: f64,
}

impl Unsticky {
    /// In words.
    #[must_use]
    pub fn says(&self) -> String {
        let percent = number(100.0 * self.share);
        format!(
            "{} → {}: {percent} % of the calls that take part in the rollout have a unit of a request or trace id only",
            self.from, self.to
        )
    }
}

/// Who called a service with a rollout without its users in the last while, the largest share first.
///
/// # Errors
/// When Prometheus does not answer.
pub async fn without_user(prometheus: &Prometheus, mesh: &Mesh, window: &str) -> Result<Vec<Unsticky>> {
    let Some(query) = Queries::of(mesh).without_user(window) else { return Ok(Vec::new()) };
    let samples = prometheus.query(&query).await?;
    let seen = samples.iter().filter(|sample| sample.value > 0.0 && sample.value.is_finite());
    let text = |sample: &Sample, name: &str| sample.label(name).to_owned();
    let mut all: Vec<Unsticky> = seen
        .map(|sample| Unsticky {
            namespace: text(sample, "namespace"),
            from: text(sample, WORKLOAD),
            to: text(sample, "service"),
            share: sample.value.min(1.0),
        })
        .collect();
    all.sort_by(|a, b| {
        b.share
            .total_cmp(&a.share)
            .then_with(|| (&a.namespace, &a.from, &a.to).cmp(&(&b.namespace, &b.from, &b.to)))
    });
    Ok(all)
}

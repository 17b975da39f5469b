//! Decisions of the filter, out of Prometheus or straight out of an Envoy.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use graylane_decide::metrics::REQUESTS;
use graylane_mesh::native::NAMESPACE;

use crate::mesh::Mesh;
use crate::prometheus::{Prometheus, Sample};
use crate::queries::{Queries, WORKLOAD};

/// What is equal for all requests that are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// Namespace of the workload whose sidecar or gateway decided.
    pub namespace: String,
    /// That workload.
    pub workload: String,
    /// `inbound`, `outbound`, `gateway` or `waypoint`.
    pub direction: String,
    /// Whose request it was.
    pub tenant: String,
    /// Where it went; inbound: what the pod is. `none` where there is no choice.
    pub subset: String,
    /// Where the tenant came from.
    pub source: String,
    /// The service that was called, or `other`; inbound: empty.
    pub service: String,
}

/// How often each was taken.
pub type Decisions = BTreeMap<Decision, f64>;

/// Of the last while, such as `5m`.
///
/// # Errors
/// When Prometheus does not answer, or knows nothing of the mesh; says what may be the reason.
pub async fn of_prometheus(prometheus: &Prometheus, mesh: &Mesh, window: &str) -> Result<Decisions> {
    let samples = prometheus.query(&Queries::of(mesh).decisions(window)).await?;
    if samples.is_empty() {
        if !prometheus.query(&format!("count(envoy_{NAMESPACE}_{REQUESTS})")).await?.is_empty() {
            bail!(
                "Prometheus knows `envoy_{NAMESPACE}_{REQUESTS}` of the native module, and no `{REQUESTS}`: add what `graylane render \
                 --mesh-config --native` prints to Istio's mesh configuration, and start the pods anew"
            );
        }
        let mangled = prometheus.query(&format!(r#"count({{__name__=~".+{REQUESTS}"}})"#)).await?;
        let any = prometheus.query(&format!("count({REQUESTS})")).await?;
        bail!(
            "Prometheus knows no `{REQUESTS}` of the mesh's namespaces: {}",
            match (mangled.is_empty(), any.is_empty()) {
                (false, _) =>
                    "its tags are still part of its name. Add what `graylane render --mesh-config` prints to Istio's mesh configuration, and restart the pods",
                (_, false) =>
                    "there are others, so scraping works. Do its series have a label `namespace`, and are the file's namespaces right?",
                _ =>
                    "is the filter in the pods, is `telemetry.metrics` on, and are the pods scraped at /stats/prometheus?",
            }
        );
    }
    if samples.iter().any(|sample| sample.label(WORKLOAD).is_empty()) {
        bail!(
            "the series of `{REQUESTS}` have no label `pod`: let Prometheus keep the pod's name when it scrapes"
        );
    }
    if let Some(odd) = samples.iter().find(|sample| !sample.value.is_finite()) {
        bail!("Prometheus counts {} requests, which is not a usable number", odd.value);
    }
    let seen = samples.iter().filter(|sample| sample.value > 0.0);
    Ok(seen.map(|sample| (decision(sample), sample.value)).collect())
}

fn decision(sample: &Sample) -> Decision {
    let text = |name: &str| sample.label(name).to_owned();
    Decision {
        namespace: text("namespace"),
        workload: text(WORKLOAD),
        direction: text("direction"),
        tenant: text("tenant"),
        subset: text("subset"),
        source: text("source"),
        service: text("service"),
    }
}

/// Of an Envoy since its start, out of what it shows at `/stats/prometheus`.
#[must_use]
pub fn of_envoy(namespace: &str, workload: &str, stats: &str) -> Decisions {
    let mut decisions = Decisions::new();
    // Where no other filter strips it, the native module's begin with this.
    let prefix = format!("envoy_{NAMESPACE}_");
    for line in stats.lines() {
        let line = line.strip_prefix(&prefix).unwrap_or(line);
        let Some(rest) = line.strip_prefix(REQUESTS).and_then(|rest| rest.strip_prefix('{')) else {
            continue;
        };
        let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
        // Names have neither commas nor quotes: they are labels of Kubernetes.
        let labels: BTreeMap<String, String> = labels
            .split(',')
            .filter_map(|label| label.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            .collect();
        let value = value.trim().parse().unwrap_or(0.0);
        let decision = decision(&Sample { labels, value });
        let decision =
            Decision { namespace: namespace.to_owned(), workload: workload.to_owned(), ..decision };
        *decisions.entry(decision).or_default() += value;
    }
    decisions
}

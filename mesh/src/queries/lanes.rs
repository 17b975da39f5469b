//! Who went where with which tenant, as the filter counts it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Queries, any_of};

/// The label of a pod's workload in results.
pub const WORKLOAD: &str = "workload";

/// What Kubernetes appends to a workload's name to make a pod's (`k8s.io/apimachinery` util/rand: neither vowels nor
/// digits that look like them), or a StatefulSet's number.
const POD: &str = "(.+?)(-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-([bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]+)";

/// With the workload of its pod as a label.
fn by_workload(vector: &str) -> String {
    let whole = format!(r#"label_replace({vector}, "{WORKLOAD}", "$1", "pod", "(.*)")"#);
    format!(r#"label_replace({whole}, "{WORKLOAD}", "$1", "pod", "{POD}")"#)
}

impl Queries<'_> {
    /// All requests that the filter decided in the window, by namespace, workload, direction, tenant, subset, source
    /// and service.
    #[must_use]
    pub fn decisions(&self, window: &str) -> String {
        let counted = format!("increase(graylane_requests_total{{{}}}[{window}])", self.namespaces());
        format!(
            "sum by (namespace, {WORKLOAD}, direction, tenant, subset, source, service) ({})",
            by_workload(&counted)
        )
    }

    /// Calls a second by tenant and where it came from.
    #[must_use]
    pub fn sources(&self, window: &str) -> String {
        format!(
            r#"sum by (tenant, source) (rate(graylane_requests_total{{direction!="inbound",{}}}[{window}]))"#,
            self.namespaces()
        )
    }

    /// Calls a second whose header named one tenant, and memory or baggage another, by which of these.
    #[must_use]
    pub fn conflicts(&self, window: &str) -> String {
        format!("sum by (source) (rate(graylane_conflicts_total{{{}}}[{window}]))", self.namespaces())
    }

    /// The share of the requests of those who take part in a rollout, 0 to 1, that had a unit of a request or trace id only, so
    /// that the user's next request may go to another version; by workload that made the call, and by service. None: nothing is
    /// rolled out, or the file has no sticky key.
    #[must_use]
    pub fn without_user(&self, window: &str) -> Option<String> {
        let mut services: BTreeMap<Vec<&str>, BTreeSet<&str>> = BTreeMap::new();
        for service in &self.mesh.services {
            let all = service.rollouts().flat_map(|rollout| rollout.tenants.iter().map(String::as_str));
            let tenants: BTreeSet<&str> = all.collect();
            if !tenants.is_empty() {
                services.entry(tenants.into_iter().collect()).or_default().insert(&service.name);
            }
        }
        let counted = |units: &str| {
            let one = |(tenants, services): (&Vec<&str>, &BTreeSet<&str>)| {
                let (tenants, services) = (any_of(tenants.iter().copied()), any_of(services.iter().copied()));
                format!(
                    r#"increase(graylane_requests_total{{direction!="inbound",unit=~"{units}",service=~"{services}",tenant=~"{tenants}",{}}}[{window}])"#,
                    self.namespaces()
                )
            };
            let all = services.iter().map(one).collect::<Vec<_>>().join(" or ");
            format!("sum by (namespace, {WORKLOAD}, service) ({})", by_workload(&format!("({all})")))
        };
        // `none`: no unit was asked for. Without any id the weights draw, and nobody knows whose it is.
        let (few, all) = (counted("request|trace"), counted("baggage|memory|token|key|mint|request|trace"));
        // Without keys every unit is of an id, as the file wants it.
        let has_keys = self.mesh.has_keys();
        (has_keys && !services.is_empty()).then(|| format!("{few} / ({all} > 0)"))
    }

    /// Calls a second that had lost their tenant header and got it back, by workload that lost it, the service it
    /// called, and what the header was restored from. A worker, whose calls come from no request, has nothing to lose.
    #[must_use]
    pub fn restored(&self, window: &str) -> String {
        let lost = format!(
            r#"rate(graylane_requests_total{{direction="outbound",source=~"memory|baggage",{}}}[{window}])"#,
            self.namespaces()
        );
        format!("sum by (namespace, {WORKLOAD}, service, source) ({})", by_workload(&lost))
    }
}

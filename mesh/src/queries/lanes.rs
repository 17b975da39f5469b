//! Who went where with which tenant, as the filter counts it.

use super::Queries;

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

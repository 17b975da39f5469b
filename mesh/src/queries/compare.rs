//! A canary against its baseline. These queries have a value while it is worse, and none while it is not.

use super::{Part, Queries};
use crate::document::model::{WorseErrors, WorseLatency};
use crate::mesh::Service;

/// Requests that a canary must have had in the window before it is judged.
const ENOUGH: u32 = 10;

impl Queries<'_> {
    /// The canary's share of errors, while it is worse. A baseline without requests counts as one without errors.
    #[must_use]
    pub fn worse_errors(&self, service: &Service, canary: &str, worse: &WorseErrors, window: &str) -> String {
        let judged = self.judging();
        let ratio = |subset| judged.error_ratio(service, Part::Subset(subset), window);
        let (own, base) = (ratio(canary), ratio(&service.baseline));
        let count = judged.count(service, Part::Subset(canary), window);
        let WorseErrors { canary_over_baseline: times, min } = worse;
        format!("({own} > {min}) > {times} * ({base} or vector(0)) and {count} >= {ENOUGH}")
    }

    /// The canary's latency at the 99th percentile in milliseconds, while it is worse. Nothing is slower than a baseline
    /// without requests.
    #[must_use]
    pub fn worse_latency(
        &self,
        service: &Service,
        canary: &str,
        worse: &WorseLatency,
        window: &str,
    ) -> String {
        let judged = self.judging();
        let latency = |subset| judged.latency_p99(service, Part::Subset(subset), window);
        let (own, base) = (latency(canary), latency(&service.baseline));
        let count = judged.count(service, Part::Subset(canary), window);
        let WorseLatency { canary_over_baseline: times, min } = worse;
        format!("({own} > {min}) > {times} * {base} and {count} >= {ENOUGH}")
    }
}

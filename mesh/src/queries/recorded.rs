//! Rates that rules record, so that alerts and dashboards do not read every pod's series each time.
//!
//! Names are `level:metric:operation`, as Prometheus recommends (prometheus.io, "Recording rules").

use super::{Queries, any_of};

/// The window of recorded rates, and as long in seconds.
const WINDOW: &str = "5m";
pub(super) const SECONDS: u32 = 300;
/// What is recorded of each service, tenant and subset.
pub(super) const REQUESTS: &str = "graylane:requests:rate5m";
pub(super) const ERRORS: &str = "graylane:errors:rate5m";
pub(super) const LATENCY: &str = "graylane:latency_bucket:rate5m";

/// A rate that a rule records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its name.
    pub name: &'static str,
    /// What it is computed from.
    pub query: String,
}

impl Queries<'_> {
    /// What is recorded; nothing where the file does not want it.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recorded> {
        if !self.recorded().recorded {
            return Vec::new();
        }
        let raw = Self { recorded: false, ..*self };
        let hosts = any_of(self.mesh.services.iter().flat_map(crate::mesh::Service::hosts));
        let chosen = |metric| super::Series {
            metric,
            matchers: vec![
                format!(r#"reporter="{}""#, self.reporter),
                format!(r#"destination_service=~"{hosts}""#),
            ],
            recorded: false,
        };
        let by = |labels: &str, rates: &str| format!("sum by (destination_service, {labels}) ({rates})");
        let counted = chosen(crate::cost::REQUESTS);
        let mut all = vec![
            Recorded { name: REQUESTS, query: by("tenant, subset", &counted.over("rate", WINDOW)) },
            Recorded { name: ERRORS, query: by("tenant, subset", &raw.failed(&counted, WINDOW)) },
        ];
        if self.know_latency() {
            let timed = chosen(crate::cost::DURATION[0]).over("rate", WINDOW);
            all.push(Recorded { name: LATENCY, query: by("tenant, subset, le", &timed) });
        }
        all
    }
}

//! What telemetry costs: the series that tags add to Istio's metrics, and those of the filter.
//!
//! A series of `istio_requests_total` is one for each pod, side, pair of workloads and response code. The tags `tenant` and
//! `subset` split it into as many as there are tenants at that service, with the subsets that each of them can get. So the
//! file says by how much, and only Prometheus how many there are without tags; without one they are estimated.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::metrics::{NONE, OTHER};

use crate::document::model::{Budget, Reporter};
use crate::mesh::{Mesh, Service};

/// Istio's counter of requests.
pub const REQUESTS: &str = "istio_requests_total";
/// The parts of Istio's histogram of latency.
pub const DURATION: [&str; 3] = [
    "istio_request_duration_milliseconds_bucket",
    "istio_request_duration_milliseconds_count",
    "istio_request_duration_milliseconds_sum",
];
/// Bounds of Envoy's histograms where nothing else is configured, with that without end (Envoy,
/// source/common/stats/histogram_impl.cc).
const BOUNDS: u64 = 20;
/// Response codes, together with their flags, that each pair of workloads is assumed to have.
pub const CODES: u64 = 3;
/// Sources of tenants, and of units, that a pod is assumed to see: the header and one more.
pub const SOURCES: u64 = 2;

/// What one metric comes to, in series.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The metric.
    pub metric: String,
    /// Without our tags.
    pub without: u64,
    /// With our tags, at most.
    pub with: u64,
}

/// Series without our tags, as they were counted: by metric, side (`source`, `destination`, `waypoint`) and host.
pub type Counted = BTreeMap<(String, String, String), u64>;

/// How many pairs of tenant and subset the requests to a service can have.
#[must_use]
pub fn pairs(mesh: &Mesh, service: &Service) -> u64 {
    pairs_of(mesh, service).len().max(1) as u64
}

fn pairs_of<'a>(mesh: &'a Mesh, service: &'a Service) -> BTreeSet<(&'a str, &'a str)> {
    let unlabelled: BTreeSet<&str> = mesh.unlabelled().collect();
    let label = |tenant: &'a str| if unlabelled.contains(tenant) { OTHER } else { tenant };
    // Whoever does not know the service, and who lets weights draw, has no subset to tell.
    let may_draw = service.external || service.visible_to.is_some();
    let mut pairs = BTreeSet::new();
    for route in service.all_routes().filter(|route| !route.answers()) {
        for tenant in &mesh.tenants {
            let rollout = route.rollout.as_ref().filter(|rollout| rollout.tenants.contains(tenant));
            let weights = rollout.into_iter().flat_map(|rollout| &rollout.weights);
            let drawn = weights.map(|weight| weight.subset.as_str()).chain([route.baseline.as_str()]);
            let subsets: Vec<&str> = match route.pins.get(tenant) {
                Some(pin) => vec![pin],
                None => drawn.collect(),
            };
            let none = may_draw.then_some(NONE);
            pairs.extend(subsets.into_iter().chain(none).map(|subset| (label(tenant), subset)));
        }
    }
    pairs
}

/// How many tenants metrics tell apart; a host that the file does not list has no subsets.
#[must_use]
pub fn labels(mesh: &Mesh) -> u64 {
    let unlabelled = mesh.unlabelled().count();
    (mesh.tenants.len() - unlabelled + usize::from(unlabelled > 0)) as u64
}

/// What the services of the file come to if each is called by so many workloads of so many pods: Istio's metrics, and the
/// filter's.
#[must_use]
pub fn estimated(mesh: &Mesh, budget: &Budget) -> Vec<Row> {
    let mut rows = of_istio(mesh, budget);
    if mesh.document.telemetry.metrics {
        rows.push(filters(mesh, budget.callers, budget.pods));
    }
    rows
}

/// The same of Istio's metrics alone.
#[must_use]
pub fn of_istio(mesh: &Mesh, budget: &Budget) -> Vec<Row> {
    let times = |factor: u64, count: u64| factor.saturating_mul(count);
    let (callers, pods) = (budget.callers, budget.pods);
    let series = callers.saturating_mul(pods).saturating_mul(CODES);
    let mut counted = Counted::new();
    for service in &mesh.services {
        for side in ["source", "destination"] {
            // Of two services at one host, each has callers of its own.
            let mut put = |metric: &str, count| {
                let key = (metric.to_owned(), side.to_owned(), service.host.clone());
                let all: &mut u64 = counted.entry(key).or_default();
                *all = all.saturating_add(count);
            };
            put(REQUESTS, series);
            for part in DURATION {
                put(part, if part == DURATION[0] { times(BOUNDS, series) } else { series });
            }
        }
    }
    measured(mesh, &counted)
}

/// The filter's own counter: a pod's inbound side has one subset, its outbound side those of the services it calls.
fn filters(mesh: &Mesh, callers: u64, pods: u64) -> Row {
    let inbound = |_| labels(mesh).saturating_mul(SOURCES).saturating_mul(pods);
    let outbound = |service| {
        let one = pairs(mesh, service).saturating_mul(SOURCES * SOURCES);
        one.saturating_mul(callers).saturating_mul(pods)
    };
    let all = mesh.services.iter().map(|service| inbound(service).saturating_add(outbound(service)));
    let with = all.fold(0, u64::saturating_add);
    Row { metric: graylane_decide::metrics::REQUESTS.to_owned(), without: 0, with }
}

/// What counted series come to with the file's tags.
#[must_use]
pub fn measured(mesh: &Mesh, counted: &Counted) -> Vec<Row> {
    let telemetry = &mesh.document.telemetry;
    let tagged = |metric: &str, side: &str| {
        let has_tags = telemetry.tracing && (metric == REQUESTS || telemetry.histograms);
        let of = |reporter| telemetry.reporters.contains(&reporter);
        has_tags
            && match side {
                "source" => of(Reporter::Client),
                "destination" => of(Reporter::Server),
                _ => true,
            }
    };
    let mut by_host: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for service in &mesh.services {
        by_host.entry(&service.host).or_default().extend(pairs_of(mesh, service));
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for ((metric, side, host), count) in counted {
        let factor =
            by_host.get(host.as_str()).map_or_else(|| labels(mesh), |pairs| pairs.len().max(1) as u64);
        let factor = if tagged(metric, side) { factor } else { 1 };
        let row = rows.entry(metric).or_insert_with(|| Row { metric: metric.clone(), without: 0, with: 0 });
        row.without = row.without.saturating_add(*count);
        row.with = row.with.saturating_add(count.saturating_mul(factor));
    }
    rows.into_values().collect()
}

/// Everything together.
#[must_use]
pub fn total(rows: &[Row]) -> Row {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
    Row { metric: "total".to_owned(), without: sum(|row| row.without), with: sum(|row| row.with) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESH: &str = "version: 1\nmesh: {name: m, namespace: m}\n";
    const SERVICES: &str = "services:
  api:
    subsets: {stable: {v: '1'}, canary: {v: '2'}}
    baseline: stable
    pins: {gray: canary}
    rollout: {weights: {canary: 5}}
";

    fn mesh(tenants: &str, telemetry: &str) -> Mesh {
        let text = format!("{MESH}tenants: {tenants}\ntelemetry: {telemetry}\n{SERVICES}");
        Mesh::of(&crate::check::open(crate::document::load_text("f.yaml", &text).unwrap()).checked().unwrap())
    }

    fn with(mesh: &Mesh) -> Vec<u64> {
        estimated(mesh, &Budget { series: 1, callers: 1, pods: 1 }).iter().map(|row| row.with).collect()
    }

    #[test]
    fn tags_multiply_by_the_subsets_that_each_tenant_can_get() {
        let three = mesh("{green: {default: true}, gray: {}, load: {}}", "{}");
        // Green: stable and canary; gray: canary; load: stable.
        assert_eq!(pairs(&three, &three.services[0]), 4);
        let series = CODES * 2 * 4;
        let filters = 3 * SOURCES + 4 * SOURCES * SOURCES;
        assert_eq!(with(&three), [BOUNDS * series, series, series, series, filters]);
    }

    #[test]
    fn each_switch_of_the_file_saves_what_it_says() {
        let series = CODES * 2 * 4;
        let no_histograms = mesh("{green: {default: true}, gray: {}, load: {}}", "{histograms: false}");
        assert_eq!(with(&no_histograms)[..4], [BOUNDS * CODES * 2, CODES * 2, CODES * 2, series]);
        let clients = mesh("{green: {default: true}, gray: {}, load: {}}", "{reporters: [client]}");
        assert_eq!(with(&clients)[3], CODES * 4 + CODES);
        let two =
            mesh("{green: {default: true}, gray: {}, load: {label: false}, soak: {label: false}}", "{}");
        assert_eq!(with(&two)[3], series, "both are `other`");
        let none = mesh("{green: {default: true}, gray: {}, load: {}}", "{tracing: false, metrics: false}");
        assert_eq!(
            total(&estimated(&none, &Budget::DEFAULT)).with,
            total(&estimated(&none, &Budget::DEFAULT)).without
        );
    }

    #[test]
    fn services_at_one_host_are_counted_together() {
        let text = format!(
            "{MESH}tenants: {{green: {{default: true}}}}\nservices:\n  a: {{host: h, port: 1, subsets: {{x: {{v: a}}}}}}\n  b: {{host: h, port: 2, \
             subsets: {{x: {{v: a}}, y: {{v: b}}}}, baseline: x, rollout: {{weights: {{y: 1}}}}}}\n"
        );
        let loaded = crate::check::open(crate::document::load_text("f.yaml", &text).unwrap());
        let mesh = Mesh::of(&loaded.checked().unwrap());
        assert_eq!(with(&mesh)[3], 2 * CODES * 2 * 2, "two services, two sides, x and y");
    }

    #[test]
    fn hosts_that_the_file_does_not_list_are_split_by_tenant() {
        let mesh = mesh("{green: {default: true}, gray: {}}", "{}");
        let counted = Counted::from([
            ((REQUESTS.into(), "source".into(), "elsewhere.example".into()), 10),
            ((REQUESTS.into(), "source".into(), "api.m.svc.cluster.local".into()), 10),
        ]);
        assert_eq!(measured(&mesh, &counted), [Row { metric: REQUESTS.into(), without: 20, with: 20 + 30 }]);
    }
}

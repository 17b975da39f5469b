//! What is asked of Prometheus: PromQL by name. Alerts, dashboards, the report and ramps ask the same questions.
//!
//! | `telemetry.source` | series | a subset is | a tenant is |
//! |-|-|-|-|
//! | `istio` | `istio_requests_total` and friends, with the tags that our Telemetry adds | tag `subset` | tag `tenant` |
//! | `envoy` | cluster statistics of plain Envoy | the cluster `outbound\|<port>\|<subset>\|<host>` | a virtual cluster of that name |
//!
//! Both are seen from the caller's side, so that the 503 of a subset without a pod counts as an error of that subset
//! (unless `telemetry.reporters` says that only the server's side has the tags).
//! Windows are durations of PromQL, as in `5m`. Regular expressions are written without backslashes, which would
//! have to be doubled in PromQL and once more in YAML and JSON.

mod compare;
mod health;
mod lanes;
mod recorded;

use std::collections::BTreeSet;

use graylane_decide::metrics::OTHER;

use crate::document::model::{MetricSource, Reporter};
use crate::mesh::{Mesh, Service};

pub use lanes::WORKLOAD;
pub use recorded::Recorded;

/// The queries of a mesh.
#[derive(Clone, Copy, Debug)]
pub struct Queries<'a> {
    mesh: &'a Mesh,
    source: MetricSource,
    reporter: &'static str,
    /// Are rates read that rules have recorded?
    recorded: bool,
    /// Without the tenants that are left out of judging.
    judges: bool,
}

/// The requests that are meant: those to a service, or some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// All.
    All,
    /// Those that were sent to a subset.
    Subset(&'a str),
    /// Those of a tenant.
    Tenant(&'a str),
    /// Those that were sent to a subset, of these tenants. Envoy's own statistics do not tell those apart: of all then.
    Lane(&'a str, &'a [String]),
}

/// Where requests go: a service, or the variable of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To {
    host: String,
    /// The same in a regular expression, with the hosts of versions that have their own.
    pattern: String,
    /// Has it several hosts?
    several: bool,
    port: Option<u16>,
}

impl From<&Service> for To {
    fn from(service: &Service) -> Self {
        let hosts = service.hosts();
        Self {
            host: service.host.clone(),
            several: hosts.len() > 1,
            pattern: any_of(hosts),
            port: service.port,
        }
    }
}

impl To {
    /// The host that a variable of a dashboard has, as [`To::value`] says it. Its dots match any character, which finds no other host.
    #[must_use]
    pub fn variable(name: &str, mesh: &Mesh) -> Self {
        let several = mesh.services.iter().any(|service| service.hosts().len() > 1);
        Self { host: format!("${name}"), pattern: format!("${name}"), several, port: None }
    }

    /// The value of such a variable for a service.
    #[must_use]
    pub fn value(service: &Service, mesh: &Mesh) -> String {
        let to = Self::from(service);
        if Self::variable("host", mesh).several { to.pattern } else { to.host }
    }

    /// What matches a label with its host.
    #[must_use]
    pub fn matcher(&self, label: &str) -> String {
        if self.several {
            format!(r#"{label}=~"{}""#, self.pattern)
        } else {
            format!(r#"{label}="{}""#, self.host)
        }
    }
}

/// How requests are told apart in one query; also the name of the label that the result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By subset.
    Subset,
    /// By tenant.
    Tenant,
}

impl By {
    /// The label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Subset => "subset",
            Self::Tenant => "tenant",
        }
    }
}

/// Statuses of gRPC that are the server's fault, as OpenTelemetry's conventions for RPC metrics count them: unknown,
/// deadline exceeded, unimplemented, internal, unavailable, data loss.
const GRPC_ERRORS: &str = "2|4|12|13|14|15";

/// A text that matches itself in a regular expression.
fn literal(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-/:".contains(c);
    text.chars().map(|c| if plain(c) { c.to_string() } else { format!("[{c}]") }).collect()
}

/// One of these texts.
fn any_of<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(literal).collect::<Vec<_>>().join("|")
}

/// Series of one kind of fact about requests: a metric and its label matchers.
struct Series {
    metric: &'static str,
    matchers: Vec<String>,
    /// Is it a rate already?
    recorded: bool,
}

impl Series {
    fn with(&self, matcher: String) -> Self {
        let matchers = [&self.matchers[..], &[matcher]].concat();
        Self { metric: self.metric, matchers, recorded: self.recorded }
    }

    fn over(&self, function: &str, window: &str) -> String {
        let chosen = format!("{}{{{}}}", self.metric, self.matchers.join(","));
        match (self.recorded, function) {
            (false, _) => format!("{function}({chosen}[{window}])"),
            (true, "increase") => format!("{} * {chosen}", recorded::SECONDS),
            (true, _) => chosen,
        }
    }
}

impl<'a> Queries<'a> {
    /// Of a mesh with sidecars.
    #[must_use]
    pub fn of(mesh: &'a Mesh) -> Self {
        let telemetry = &mesh.document.telemetry;
        let by_callers = telemetry.reporters.contains(&Reporter::Client);
        let reporter = if by_callers { "source" } else { "destination" };
        Self { mesh, source: telemetry.source, reporter, recorded: false, judges: false }
    }

    /// Of what rules recorded, if the file lets them; windows are then those of the rules.
    #[must_use]
    pub fn recorded(self) -> Self {
        let has_rules = self.mesh.document.telemetry.recording && self.source == MetricSource::Istio;
        Self { recorded: has_rules, ..self }
    }

    /// The mesh that is asked about.
    #[must_use]
    pub fn mesh(&self) -> &'a Mesh {
        self.mesh
    }

    /// Is latency known by subset and tenant?
    #[must_use]
    pub fn know_latency(&self) -> bool {
        self.source == MetricSource::Envoy || self.mesh.document.telemetry.histograms
    }

    /// Without the requests of tenants that are left out of judging.
    #[must_use]
    pub fn judging(self) -> Self {
        Self { judges: true, ..self }
    }

    /// Of a mesh with waypoints, which see requests in place of the caller.
    #[must_use]
    pub fn of_waypoints(mesh: &'a Mesh) -> Self {
        Self { reporter: "waypoint", ..Self::of(mesh) }
    }

    /// Requests a second.
    #[must_use]
    pub fn requests(&self, to: impl Into<To>, part: Part<'_>, window: &str) -> String {
        format!("sum({})", self.counted(&to.into(), part).over("rate", window))
    }

    /// How many requests there were in the window.
    #[must_use]
    pub fn count(&self, to: impl Into<To>, part: Part<'_>, window: &str) -> String {
        format!("sum({})", self.counted(&to.into(), part).over("increase", window))
    }

    /// The share of requests that failed, 0 to 1: status 5xx, or a status of gRPC that is the server's fault. No data
    /// while there are no requests.
    #[must_use]
    pub fn error_ratio(&self, to: impl Into<To>, part: Part<'_>, window: &str) -> String {
        let counted = self.counted(&to.into(), part);
        let (errors, requests) = (self.failed(&counted, window), counted.over("rate", window));
        format!("(sum({errors}) or vector(0)) / (sum({requests}) > 0)")
    }

    /// The 99th percentile of the latency, in milliseconds. NaN while there are no requests.
    #[must_use]
    pub fn latency_p99(&self, to: impl Into<To>, part: Part<'_>, window: &str) -> String {
        let buckets = self.timed(&to.into(), part).over("rate", window);
        format!("histogram_quantile(0.99, sum by (le) ({buckets}))")
    }

    /// How many requests took no longer than each bound of the histogram (label `le`, in milliseconds), in the window.
    #[must_use]
    pub fn latencies(&self, to: impl Into<To>, part: Part<'_>, window: &str) -> String {
        format!("sum by (le) ({})", self.timed(&to.into(), part).over("increase", window))
    }

    /// Requests a second, each subset or tenant for itself.
    #[must_use]
    pub fn requests_by(&self, to: impl Into<To>, by: By, window: &str) -> String {
        let requests = self.counted(&to.into(), whole(by)).over("rate", window);
        format!("sum by ({}) ({})", by.label(), self.labelled(by, &requests))
    }

    /// The share of requests that failed, each subset or tenant for itself.
    #[must_use]
    pub fn error_ratio_by(&self, to: impl Into<To>, by: By, window: &str) -> String {
        let counted = self.counted(&to.into(), whole(by));
        let sum = |vector: &str| format!("sum by ({}) ({})", by.label(), self.labelled(by, vector));
        let (errors, requests) = (sum(&self.failed(&counted, window)), sum(&counted.over("rate", window)));
        format!("({errors} or 0 * {requests}) / ({requests} > 0)")
    }

    /// The 99th percentile of the latency in milliseconds, each subset or tenant for itself.
    #[must_use]
    pub fn latency_p99_by(&self, to: impl Into<To>, by: By, window: &str) -> String {
        let buckets = self.timed(&to.into(), whole(by)).over("rate", window);
        format!("histogram_quantile(0.99, sum by ({}, le) ({}))", by.label(), self.labelled(by, &buckets))
    }

    /// The share of the service's requests that each subset gets, 0 to 1.
    #[must_use]
    pub fn share_by_subset(&self, to: impl Into<To>, window: &str) -> String {
        let all = self.counted(&to.into(), whole(By::Subset)).over("rate", window);
        let own = self.labelled(By::Subset, &all);
        format!("sum by (subset) ({own}) / on () group_left () (sum({all}) > 0)")
    }

    /// Counters of requests.
    fn counted(&self, to: &To, part: Part<'_>) -> Series {
        let metric = match (self.source, part) {
            (MetricSource::Istio, _) if self.recorded => recorded::REQUESTS,
            (MetricSource::Istio, _) => "istio_requests_total",
            (MetricSource::Envoy, Part::Tenant(_)) => "envoy_vhost_vcluster_upstream_rq_xx",
            (MetricSource::Envoy, _) => "envoy_cluster_upstream_rq_xx",
        };
        Series { metric, matchers: self.matchers(to, part), recorded: self.recorded }
    }

    /// Histograms of latency, in milliseconds.
    fn timed(&self, to: &To, part: Part<'_>) -> Series {
        let metric = match (self.source, part) {
            (MetricSource::Istio, _) if self.recorded => recorded::LATENCY,
            (MetricSource::Istio, _) => "istio_request_duration_milliseconds_bucket",
            (MetricSource::Envoy, Part::Tenant(_)) => "envoy_vhost_vcluster_upstream_rq_time_bucket",
            (MetricSource::Envoy, _) => "envoy_cluster_upstream_rq_time_bucket",
        };
        Series { metric, matchers: self.matchers(to, part), recorded: self.recorded }
    }

    /// Which series are those of the requests that are meant. An empty name means any.
    fn matchers(&self, to: &To, part: Part<'_>) -> Vec<String> {
        let To { host, pattern, port, .. } = to;
        match (self.source, part) {
            (MetricSource::Istio, part) => {
                let mut matchers = vec![to.matcher("destination_service")];
                if !self.recorded {
                    matchers.insert(0, format!(r#"reporter="{}""#, self.reporter));
                }
                match part {
                    Part::Subset(subset) if !subset.is_empty() => {
                        matchers.push(format!(r#"subset="{subset}""#));
                    }
                    Part::Tenant(tenant) if !tenant.is_empty() => {
                        matchers.push(format!(r#"tenant="{tenant}""#));
                    }
                    Part::Lane(subset, tenants) => {
                        let tenants = any_of(tenants.iter().map(String::as_str));
                        matchers.push(format!(r#"subset="{subset}""#));
                        matchers.push(format!(r#"tenant=~"{tenants}""#));
                    }
                    _ => {}
                }
                let unlabelled: Vec<&str> = self.mesh.unlabelled().collect();
                let name = |tenant| if unlabelled.contains(&tenant) { OTHER } else { tenant };
                let names: BTreeSet<&str> = self.mesh.unjudged().filter(|_| self.judges).map(name).collect();
                let left_out = any_of(names);
                if !left_out.is_empty() {
                    matchers.push(format!(r#"tenant!~"{left_out}""#));
                }
                matchers
            }
            (MetricSource::Envoy, Part::Tenant(tenant)) => {
                let mut matchers = vec![format!(r#"envoy_virtual_host="{host}""#)];
                if !tenant.is_empty() {
                    matchers.push(format!(r#"envoy_virtual_cluster="{tenant}""#));
                }
                matchers
            }
            (MetricSource::Envoy, part) => {
                let port = port.map_or_else(|| "[0-9]+".to_owned(), |port| port.to_string());
                let subset = match part {
                    Part::Subset(subset) | Part::Lane(subset, _) if !subset.is_empty() => literal(subset),
                    _ => "[^|]*".to_owned(),
                };
                vec![format!(r#"envoy_cluster_name=~"outbound[|]{port}[|]{subset}[|]{pattern}""#)]
            }
        }
    }

    /// How fast those requests come that failed.
    fn failed(&self, counted: &Series, window: &str) -> String {
        match self.source {
            MetricSource::Istio if self.recorded => {
                Series { metric: recorded::ERRORS, matchers: counted.matchers.clone(), recorded: true }
                    .over("rate", window)
            }
            MetricSource::Istio => format!(
                "{} or {}",
                counted.with(r#"response_code=~"5..""#.to_owned()).over("rate", window),
                counted.with(format!(r#"grpc_response_status=~"{GRPC_ERRORS}""#)).over("rate", window)
            ),
            MetricSource::Envoy => {
                counted.with(r#"envoy_response_code_class="5""#.to_owned()).over("rate", window)
            }
        }
    }

    /// With the label that distinguishes subsets or tenants.
    fn labelled(&self, by: By, vector: &str) -> String {
        match (self.source, by) {
            (MetricSource::Istio, _) => vector.to_owned(),
            (MetricSource::Envoy, By::Subset) => format!(
                r#"label_replace({vector}, "subset", "$1", "envoy_cluster_name", "outbound[|][^|]*[|]([^|]*)[|].*")"#
            ),
            (MetricSource::Envoy, By::Tenant) => {
                format!(r#"label_replace({vector}, "tenant", "$1", "envoy_virtual_cluster", "(.*)")"#)
            }
        }
    }
}

/// All requests, from the series that can distinguish these.
fn whole(by: By) -> Part<'static> {
    match by {
        By::Subset => Part::Subset(""),
        By::Tenant => Part::Tenant(""),
    }
}

#[cfg(test)]
mod tests;

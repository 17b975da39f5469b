//! PrometheusRule (Prometheus Operator): the configured weights as a series, and alerts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{DataPlane, Kind, Options, Resource, Stage};
use crate::document::model::{Alerts, Rollout};
use crate::mesh::{Mesh, Service};
use crate::percent;
use crate::queries::{Queries, Recorded};

/// The share of live users that a subset is to get, in percent, by service, host, subset and role.
pub const WEIGHT: &str = "graylane_rollout_weight";

/// What alerts look back at.
const WINDOW: &str = "5m";
/// Longer: a proxy that refused an update keeps the one before it, and nothing counts again until somebody changes something.
const REFUSED_WINDOW: &str = "15m";

type Texts = BTreeMap<&'static str, String>;

#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'static str>,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasts: Option<&'static str>,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    labels: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    annotations: Texts,
}

/// The queries that fit a data plane.
pub fn queries<'a>(mesh: &'a Mesh, options: &Options) -> Queries<'a> {
    let queries = match options.data_plane {
        DataPlane::Sidecar => Queries::of(mesh),
        DataPlane::Ambient => Queries::of_waypoints(mesh),
    };
    queries.recorded()
}

/// One for the mesh, in its namespace.
pub fn all(mesh: &Mesh, options: &Options) -> Option<Resource> {
    let group = |name: &str, rules| Group { name: format!("{}-{name}", mesh.document.mesh.name), rules };
    let mut groups =
        vec![group("weights", weights(mesh)), group("recorded", recorded(&queries(mesh, options)))];
    if let Some(alerts) = &mesh.document.alerts {
        let queries = queries(mesh, options);
        groups.push(group("canaries", canaries(mesh, alerts, &queries)));
        groups.push(group("lanes", lanes(mesh, &queries)));
    }
    groups.retain(|group| !group.rules.is_empty());
    let spec = super::Spec::PrometheusRule(Spec { groups: groups.clone() });
    let own = &mesh.document.mesh;
    let mut resource = Resource::new(mesh, Kind::PrometheusRule, Stage::Sight, &own.namespace, "lanes", spec);
    resource.metadata.chosen_by(mesh);
    (!groups.is_empty()).then_some(resource)
}

/// What alerts and dashboards read, computed once.
fn recorded(queries: &Queries<'_>) -> Vec<Rule> {
    let rule =
        |recorded: Recorded| Rule { record: Some(recorded.name), expr: recorded.query, ..Rule::default() };
    queries.recordings().into_iter().map(rule).collect()
}

/// Weights are known here and nowhere else: Prometheus cannot read routes.
fn weights(mesh: &Mesh) -> Vec<Rule> {
    let several = mesh.routed().filter(|service| service.subsets.len() > 1);
    several
        .flat_map(|service| {
            service.subsets.keys().map(move |subset| {
                let role = if *subset == service.baseline { "baseline" } else { "canary" };
                let labels = [
                    ("host", service.host.clone()),
                    ("mesh", mesh.document.mesh.name.clone()),
                    ("role", role.to_owned()),
                    ("service", service.name.clone()),
                    ("subset", subset.clone()),
                ];
                Rule {
                    record: Some(WEIGHT),
                    expr: format!("vector({})", percent::of(buckets(service, subset))),
                    labels: labels.into(),
                    ..Rule::default()
                }
            })
        })
        .collect()
}

/// Its weight, in hundredths of a percent.
fn buckets(service: &Service, subset: &str) -> u16 {
    let weights = service.rest().rollout.iter().flat_map(|rollout| &rollout.weights);
    let sum = |own: bool| {
        let chosen = weights.clone().filter(|weight| !own || weight.subset == subset);
        chosen.map(|weight| weight.buckets).sum::<u16>()
    };
    if subset == service.baseline { 10_000 - sum(false) } else { sum(true) }
}

/// An alert. Its namespace is said here, since AlertmanagerConfigs see alerts of their own namespace only.
fn alert(
    mesh: &Mesh,
    name: &'static str,
    severity: &str,
    lasts: &'static str,
    expr: String,
    texts: [&str; 2],
) -> Rule {
    let [summary, description] = texts.map(ToOwned::to_owned);
    let own = &mesh.document.mesh;
    Rule {
        record: None,
        alert: Some(name),
        expr,
        lasts: Some(lasts),
        labels: Texts::from([
            ("mesh", own.name.clone()),
            ("namespace", own.namespace.clone()),
            ("severity", severity.to_owned()),
        ]),
        annotations: [("summary", summary), ("description", description)]
            .into_iter()
            .chain(runbook(mesh, name))
            .collect(),
    }
}

/// Where the alert's section of the runbooks is, if the file says where those are.
fn runbook(mesh: &Mesh, name: &str) -> Option<(&'static str, String)> {
    let runbooks = mesh.document.alerts.as_ref()?.runbooks.as_ref()?;
    Some(("runbook_url", format!("{runbooks}#{}", name.to_lowercase())))
}

fn canaries(mesh: &Mesh, alerts: &Alerts, queries: &Queries<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for service in mesh.routed() {
        for canary in service.subsets.keys().filter(|subset| **subset != service.baseline) {
            let of = |mut rule: Rule| {
                rule.labels.insert("service", service.name.clone());
                rule.labels.insert("subset", canary.clone());
                rule
            };
            let base = &service.baseline;
            let beyond = beyond(mesh, service, canary);
            rules.extend(alerts.error_ratio.as_ref().map(|worse| {
                let expr = queries.worse_errors(service, canary, worse, WINDOW);
                of(alert(mesh, "GraylaneCanaryErrors", "critical", "2m", expr, [
                    &format!("{} {canary} answers with more errors than {base}", service.name),
                    &format!("{{{{ $value | humanizePercentage }}}} of its requests fail, more than {} times the share of {base}.{beyond}", worse.canary_over_baseline),
                ]))
            }));
            rules.extend(alerts.latency_p99.as_ref().map(|worse| {
                let expr = queries.worse_latency(service, canary, worse, WINDOW);
                of(alert(mesh, "GraylaneCanarySlow", "warning", "2m", expr, [
                    &format!("{} {canary} is slower than {base}", service.name),
                    &format!("Its 99th percentile is {{{{ $value | humanize }}}} ms, more than {} times that of {base}.{beyond}", worse.canary_over_baseline),
                ]))
            }));
        }
    }
    rules
}

/// What whoever is paged has to know where the canary has its point of no return.
fn beyond(mesh: &Mesh, service: &Service, canary: &str) -> String {
    let written = mesh.document.services.get(&service.name).and_then(|service| service.rollout.as_ref());
    let mark = written.and_then(Rollout::no_return);
    if let Some(mark) = mark.filter(|mark| buckets(service, canary) >= *mark) {
        let (name, mark) = (&service.name, percent::of(mark));
        format!(
            " It is past its point of no return ({mark} %), so `graylane ramp run` does not take it back: repair {canary}, or \
             `graylane ramp abort {name} --past-no-return`."
        )
    } else {
        String::new()
    }
}

/// Under a name of its own: the alert's namespace label is the mesh's.
fn placed(expr: &str) -> String {
    format!(r#"label_replace({expr}, "workload_namespace", "$1", "namespace", "(.*)")"#)
}

/// What the filter reports about itself, and where it reports nothing.
fn lanes(mesh: &Mesh, queries: &Queries<'_>) -> Vec<Rule> {
    let on = "{{ $labels.workload_namespace }}/{{ $labels.pod }}";
    let mut rules = vec![
        alert(
            mesh,
            "GraylaneConfigInvalid",
            "critical",
            "5m",
            placed(&queries.invalid()),
            [
                &format!("{on} cannot read its configuration"),
                "Its {{ $labels.direction }} plugin runs the last good one, or none. The proxy's log names the field.",
            ],
        ),
        alert(
            mesh,
            "GraylaneConfigStale",
            "warning",
            "15m",
            placed(&queries.mixed_revisions()),
            [
                "Pods of {{ $labels.workload_namespace }} run different configurations",
                "{{ $value }} revisions of the {{ $labels.direction }} plugin run at once; `graylane status` names the pods.",
            ],
        ),
        alert(
            mesh,
            "GraylaneFilterAbsent",
            "critical",
            "10m",
            placed(&queries.without_filter(WINDOW)),
            [
                &format!("{on} has no graylane filter"),
                "It gets requests, and its lost headers are not restored. Is its namespace in the file, and can the image be pulled?",
            ],
        ),
        alert(
            mesh,
            "GraylaneUpdateRefused",
            "critical",
            "0s",
            queries.refused_updates(REFUSED_WINDOW),
            [
                "Proxies refuse configuration from istiod",
                "{{ $value }} updates of type {{ $labels.type }}. Those proxies keep what they had, and new pods start without it. istiod's log names the reason.",
            ],
        ),
    ];
    if mesh.document.telemetry.metrics {
        rules.extend([
            alert(mesh, "GraylaneFilterBypassed", "critical", "10m", placed(&queries.bypassing(WINDOW)), [
                &format!("Requests to {on} bypass the graylane filter"),
                "It gets requests, but the filter counts none: the plugin misses the port or protocol, or `policy.exempt` names all of them.",
            ]),
            alert(mesh, "GraylaneHeaderLost", "info", "10m", placed(&format!("{} > 0", queries.restored(WINDOW))), [
                "{{ $labels.workload_namespace }}/{{ $labels.workload }} loses the tenant header",
                "{{ $value | humanize }} calls a second to {{ $labels.service }} arrive without it; it is restored from {{ $labels.source }}.",
            ]),
            alert(mesh, "GraylaneRejections", "warning", "5m", format!("{} > 0.05", queries.rejected_ratio(WINDOW)), [
                "Many requests are rejected for their tenant",
                "{{ $value | humanizePercentage }} of all requests name no tenant, an unknown one, or a different \
                 one from the request that they belong to.",
            ]),
        ]);
    }
    rules.extend(queries.without_user(WINDOW).map(|share| {
        alert(mesh, "GraylaneNotSticky", "warning", "10m", placed(&format!("{share} > 0.05")), [
            "{{ $labels.workload_namespace }}/{{ $labels.workload }} calls {{ $labels.service }} without its users",
            "{{ $value | humanizePercentage }} of its calls that take part in a rollout have neither baggage nor a sticky key, so the \
             version is drawn by the request's or trace's id, and the same user's next call may go to another one.",
        ])
    }));
    rules
}

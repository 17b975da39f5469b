//! A Grafana dashboard, as the sidecar of Grafana's Helm chart loads it: a ConfigMap with a label, or as a plain file.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::prometheus_rule::{WEIGHT, queries};
use super::{Kind, Options, Resource, Stage};
use crate::mesh::Mesh;
use crate::queries::{By, Queries, To};

/// Label of the ConfigMaps that Grafana's sidecar loads.
const LABEL: &str = "grafana_dashboard";
/// What Grafana puts in as the time that a rate is taken over.
const WINDOW: &str = "$__rate_interval";
/// What a query of a latency has in it.
const QUANTILE: &str = "histogram_quantile";
/// Width of the whole dashboard, in Grafana's columns.
const COLUMNS: usize = 24;

/// The dashboard as a resource.
pub fn config_map(mesh: &Mesh, options: &Options) -> Resource {
    let data = BTreeMap::from([(file_name(mesh), format!("{}\n", dashboard(mesh, options)))]);
    let body = super::Spec::Data(data);
    let namespace = &mesh.document.mesh.namespace;
    let mut resource = Resource::new(mesh, Kind::ConfigMap, Stage::Sight, namespace, "dashboard", body);
    resource.metadata.labels.insert(LABEL.into(), "1".to_owned());
    resource
}

/// Name of the dashboard's file.
#[must_use]
pub fn file_name(mesh: &Mesh) -> String {
    format!("{}-lanes.json", mesh.document.mesh.name)
}

/// What a panel shows, and how.
struct Panel {
    title: &'static str,
    about: &'static str,
    kind: &'static str,
    unit: &'static str,
    /// Query and legend.
    lines: Vec<(String, &'static str)>,
}

fn panel(
    title: &'static str,
    unit: &'static str,
    about: &'static str,
    lines: Vec<(String, &'static str)>,
) -> Panel {
    Panel { title, about, kind: "timeseries", unit, lines }
}

/// The rows of the dashboard, each with its panels.
fn rows(queries: &Queries<'_>) -> Vec<(&'static str, Vec<Panel>)> {
    let to = || To::variable("host", queries.mesh());
    let requests = |by| queries.requests_by(to(), by, WINDOW);
    let errors = |by| queries.error_ratio_by(to(), by, WINDOW);
    let latency = |by| queries.latency_p99_by(to(), by, WINDOW);
    let host = to().matcher("host");
    let weight = |role: &str| format!(r#"{WEIGHT}{{{host},role=~"{role}"}}"#);
    // Each subset over the one that the weights call the baseline.
    let over_baseline = |values: &str| {
        let baseline = format!("({values}) and on (subset) {}", weight("baseline"));
        let canaries = format!("({values}) and on (subset) {}", weight("canary"));
        format!("({canaries}) / on () group_left () ({baseline})")
    };
    let signals = |by| {
        let legend = if by == By::Subset { "{{subset}}" } else { "{{tenant}}" };
        let names = match by {
            By::Subset => ["Requests by subset", "Errors by subset", "Latency by subset"],
            By::Tenant => ["Requests by tenant", "Errors by tenant", "Latency by tenant"],
        };
        vec![
            panel(names[0], "reqps", "Seen from the callers.", vec![(requests(by), legend)]),
            panel(
                names[1],
                "percentunit",
                "Status 5xx and what gRPC calls the server's fault.",
                vec![(errors(by), legend)],
            ),
            panel(names[2], "ms", "99th percentile.", vec![(latency(by), legend)]),
        ]
    };
    let mut rows = vec![
        ("Golden signals of ${host:text} by subset", signals(By::Subset)),
        ("Golden signals of ${host:text} by tenant", signals(By::Tenant)),
        (
            "Canary against baseline, and the ramp of ${host:text}",
            vec![
                panel(
                    "Errors, times the baseline's",
                    "none",
                    "Above 1 the canary is worse.",
                    vec![(over_baseline(&errors(By::Subset)), "{{subset}}")],
                ),
                panel(
                    "Latency, times the baseline's",
                    "none",
                    "99th percentile; above 1 the canary is slower.",
                    vec![(over_baseline(&latency(By::Subset)), "{{subset}}")],
                ),
                panel(
                    "Share of each subset, and its weight",
                    "percentunit",
                    "Shares are of all requests; weights are what the file says for those who take part in the rollout.",
                    vec![
                        (queries.share_by_subset(to(), WINDOW), "{{subset}}"),
                        (format!("{} / 100", weight(".+")), "weight of {{subset}}"),
                    ],
                ),
            ],
        ),
        ("Lanes", lanes(queries)),
    ];
    if !queries.know_latency() {
        let of_latency = |panel: &Panel| panel.lines.iter().any(|(query, _)| query.contains(QUANTILE));
        rows.iter_mut().for_each(|(_, panels)| panels.retain(|panel| !of_latency(panel)));
    }
    rows
}

/// Where tenants came from, and what became of those that could not be read.
fn lanes(queries: &Queries<'_>) -> Vec<Panel> {
    vec![
        panel(
            "Lost headers by workload",
            "reqps",
            "Calls that came without the tenant header and got it back.",
            vec![(queries.restored(WINDOW), "{{workload}} → {{service}} from {{source}}")],
        ),
        panel(
            "Where tenants came from",
            "reqps",
            "Calls by the source of their tenant.",
            vec![(queries.sources(WINDOW), "{{tenant}} from {{source}}")],
        ),
        panel(
            "Rejected, and in conflict",
            "reqps",
            "",
            vec![
                (queries.rejected(WINDOW), "rejected: {{reason}}"),
                (queries.conflicts(WINDOW), "conflict with {{source}}"),
            ],
        ),
        Panel {
            title: "Configuration by pod",
            about: "Revisions that plugins run; more than one for long is stale.",
            kind: "table",
            unit: "none",
            lines: vec![(queries.revisions(), "{{pod}} {{direction}}")],
        },
    ]
}

/// Everything that the dashboard asks Prometheus, by panel, with Grafana's variables in it.
#[must_use]
pub fn dashboard_queries(mesh: &Mesh, options: &Options) -> Vec<(String, String)> {
    let queries = queries(mesh, options);
    let panels = rows(&queries).into_iter().flat_map(|(_, panels)| panels);
    panels
        .flat_map(|panel| panel.lines.into_iter().map(move |(query, _)| (panel.title.to_owned(), query)))
        .collect()
}

/// The dashboard, as Grafana imports it.
#[must_use]
pub fn dashboard(mesh: &Mesh, options: &Options) -> Json {
    let queries = queries(mesh, options);
    let mut panels = Vec::new();
    let mut top = 0;
    for (title, row) in rows(&queries) {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }));
        let width = COLUMNS / row.len();
        for (index, panel) in row.into_iter().enumerate() {
            let place = json!({"x": index * width, "y": top + 1, "w": width, "h": 8});
            panels.push(draw(panels.len() + 1, &panel, &place));
        }
        top += 9;
    }
    let name = &mesh.document.mesh.name;
    json!({
        "uid": format!("graylane-{name}"),
        "title": format!("Lanes of {name}"),
        "tags": ["graylane", "istio"],
        "schemaVersion": 39,
        "editable": true,
        "graphTooltip": 1,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
            services(mesh),
        ]},
        "panels": panels,
    })
}

fn draw(id: usize, panel: &Panel, place: &Json) -> Json {
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    let is_table = panel.kind == "table";
    let target = |(index, (query, legend)): (usize, &(String, &str))| {
        json!({
            "refId": char::from(b'A' + u8::try_from(index).unwrap_or(0)).to_string(),
            "datasource": source,
            "expr": query,
            "legendFormat": legend,
            "instant": is_table,
            "range": !is_table,
            "format": if is_table { "table" } else { "time_series" },
        })
    };
    json!({
        "id": id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": panel.lines.iter().enumerate().map(target).collect::<Vec<_>>(),
    })
}

/// The services to choose from: Grafana shows the name, queries get the host.
fn services(mesh: &Mesh) -> Json {
    let mut hosts: BTreeMap<String, &str> = BTreeMap::new();
    for service in &mesh.services {
        hosts.entry(To::value(service, mesh)).or_insert(&service.name);
    }
    let option = |(host, name): (&String, &&str)| json!({"text": name, "value": host, "selected": false});
    let options: Vec<Json> = hosts.iter().map(option).collect();
    let query: Vec<String> = hosts.iter().map(|(host, name)| format!("{name} : {host}")).collect();
    json!({
        "name": "host",
        "label": "Service",
        "type": "custom",
        "query": query.join(","),
        "current": options.first(),
        "options": options,
    })
}

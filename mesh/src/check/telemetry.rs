//! What telemetry costs, and what is not known any more where it costs less.

use graylane_decide::metrics::OTHER;

use super::Checker;
use crate::cost;
use crate::document::Checked;
use crate::document::model::{MetricSource, Reporter, Tenant};
use crate::mesh::Mesh;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let telemetry = &document.telemetry;
    if telemetry.reporters.is_empty() {
        checker
            .error(&["telemetry", "reporters"], "expected `client`, `server` or both")
            .help("write `reporters: [client]`; for no tags at all write `tracing: false`");
    } else if !telemetry.reporters.contains(&Reporter::Client) && telemetry.source == MetricSource::Istio {
        checker
            .note(&["telemetry", "reporters"], "requests that reach no pod are not counted on the server's side")
            .help("`reporters: [client]` costs as much, and counts the 503 of a subset without a pod as its error");
    }
    for (name, tenant) in &document.tenants {
        if tenant.as_ref().is_some_and(|tenant| tenant.default && !tenant.label) {
            checker
                .error(&["tenants", name, "label"], "metrics have to know the live users' tenant")
                .help("leave `label` out here");
        }
    }
    let unlabelled = |name: &String| {
        document.tenants.get(name).is_some_and(|tenant| tenant.as_ref().is_some_and(|tenant| !tenant.label))
    };
    if document.tenants.contains_key(OTHER) && document.tenants.keys().any(unlabelled) {
        checker
            .error_at_key(&["tenants", OTHER], "metrics call the tenants with `label: false` by this name")
            .help("give the tenant another name");
    }
    for (name, service) in &document.services {
        let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        let mut rollouts = vec![(path(&["services", name, "rollout"]), service.rollout.as_ref())];
        for (index, route) in service.routes.iter().enumerate() {
            let index = index.to_string();
            rollouts.push((path(&["services", name, "routes", &index, "rollout"]), route.rollout.as_ref()));
        }
        for (index, outside) in service.expose.iter().flat_map(|expose| &expose.routes).enumerate() {
            let place = path(&["services", name, "expose", "routes", &index.to_string(), "rollout"]);
            rollouts.push((place, outside.rollout.as_ref()));
        }
        for (at, rollout) in rollouts.into_iter().filter_map(|(at, rollout)| Some((at, rollout?))) {
            let gate = rollout.gate.iter().map(|gate| ("gate", gate));
            let tenants = rollout.tenants.iter().flatten().map(|tenant| ("tenants", tenant));
            for (key, tenant) in gate.chain(tenants).filter(|(_, tenant)| unlabelled(tenant)) {
                let place: Vec<&str> = at.iter().map(String::as_str).chain([key]).collect();
                let message = format!(
                    "metrics do not know `{tenant}`, which has `label: false`, so its requests cannot be judged"
                );
                checker
                    .error(&place, message)
                    .help(format!("remove `label: false` of the tenant `{tenant}`"));
            }
        }
    }
    let folded = || document.tenants.iter().filter(|(name, _)| unlabelled(name));
    let judged = |tenant: &Option<Tenant>| tenant.as_ref().is_none_or(|tenant| tenant.judge);
    if folded().any(|(_, tenant)| judged(tenant))
        && let Some((name, _)) = folded().find(|(_, tenant)| !judged(tenant))
    {
        checker
            .error(
                &["tenants", name, "judge"],
                format!("metrics cannot tell `{name}` from the other tenants with `label: false`, which are judged"),
            )
            .help("write `judge: false` for all tenants with `label: false`, or give this one its label");
    }
    recording(checker);
}

fn recording(checker: &mut Checker<'_>) {
    let telemetry = &checker.document().telemetry;
    if telemetry.recording && (telemetry.source == MetricSource::Envoy || !telemetry.tracing) {
        checker
            .error(&["telemetry", "recording"], "only Istio's metrics with tags are recorded")
            .help("leave out `recording`, or write `source: istio` and `tracing: true`");
    }
}

/// Are there more series than the budget allows? Asked of a whole file without errors.
pub fn budget(checker: &mut Checker<'_>) {
    let Some(budget) = checker.document().telemetry.budget else { return };
    let mesh = Mesh::of(&Checked::trusted(checker.project.clone()));
    let rows = cost::of_istio(&mesh, &budget);
    let all = cost::total(&rows).with;
    if all <= budget.series {
        return;
    }
    let mut cheaper = mesh.clone();
    cheaper.document.telemetry.histograms = false;
    let without = cost::total(&cost::of_istio(&cheaper, &budget)).with;
    checker
        .warning(
            &["telemetry", "budget"],
            format!(
                "Istio's metrics come to about {all} series with tags, and the budget is {}: {} called by {} workloads \
                 of {} pods",
                budget.series,
                match mesh.services.len() {
                    1 => "one service,".to_owned(),
                    count => format!("{count} services, each"),
                },
                budget.callers,
                budget.pods
            ),
        )
        .help(format!(
            "`histograms: false` leaves {without}; `reporters: [client]` and `label: false` of tenants save some too; \
             `graylane render --cost --prometheus URL` counts instead of estimating"
        ));
}

use super::{GOOD, findings, notes};

fn with(telemetry: &str) -> String {
    format!("{GOOD}telemetry: {telemetry}\n")
}

fn says(text: &str, parts: &[&str]) {
    let found = findings(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    parts.iter().for_each(|part| assert!(found[0].contains(part), "{part}: {}", found[0]));
}

#[test]
fn a_side_has_to_be_left_and_what_the_other_does_not_see_is_said() {
    says(&with("{reporters: []}"), &["Error", "expected `client`, `server` or both", "`tracing: false`"]);
    says(&with("{reporters: [caller]}"), &["Error", "`caller`", "client, server"]);
    assert_eq!(findings(&with("{reporters: [client]}")), [""; 0]);
    let note = &notes(&with("{reporters: [server]}"))[0];
    assert!(note.contains("requests that reach no pod") && note.contains("`reporters: [client]`"), "{note}");
}

#[test]
fn a_tenant_without_label_is_nobody_whom_metrics_could_judge() {
    let tenants = "tenants: {green: {default: true}, gray-v1: {}}";
    let folded = "tenants: {green: {default: true}, gray-v1: {label: false}}";
    assert_eq!(findings(&GOOD.replace(tenants, folded)), [""; 0]);
    let gate =
        "    pins: {gray-v1: canary}\n    rollout: {gate: gray-v1, steps: [1, 100], weights: {canary: 0}}\n";
    assert_eq!(findings(&format!("{GOOD}{gate}")), [""; 0]);
    let text = format!("{GOOD}{gate}").replace(tenants, folded);
    says(&text, &["Error", "metrics do not know `gray-v1`", "remove `label: false`"]);
    let rollout = "    rollout: {tenants: [green, gray-v1], weights: {canary: 0}}\n";
    let text = format!("{GOOD}{rollout}").replace(tenants, folded);
    says(&text, &["Error", "metrics do not know `gray-v1`"]);
    let route =
        "    routes: [{match: [{uri: {prefix: /a}}], rollout: {tenants: [gray-v1], weights: {canary: 1}}}]\n";
    let text = format!("{GOOD}{route}").replace(tenants, folded);
    says(&text, &["Error", "metrics do not know `gray-v1`"]);
    let mixed =
        "tenants: {green: {default: true}, gray-v1: {label: false, judge: false}, soak: {label: false}}";
    says(&GOOD.replace(tenants, mixed), &["Error", "cannot tell `gray-v1` from the other tenants"]);
    assert_eq!(findings(&GOOD.replace(tenants, &mixed.replace("soak: {label: false}", "soak: {}"))), [""; 0]);
    let live = "tenants: {green: {default: true, label: false}, gray-v1: {}}";
    says(&GOOD.replace(tenants, live), &["Error", "the live users' tenant"]);
    let other = "tenants: {green: {default: true}, gray-v1: {label: false}, other: {}}";
    says(&GOOD.replace(tenants, other), &["Error", "`label: false`", "another name"]);
}

#[test]
fn only_what_istio_tags_is_recorded() {
    says(&with("{recording: true, source: envoy}"), &["Error", "only Istio's metrics with tags"]);
    says(&with("{recording: true, tracing: false}"), &["Error", "`tracing: true`"]);
    assert_eq!(findings(&with("{recording: true}")), [""; 0]);
}

#[test]
fn more_series_than_the_budget_allows_are_a_warning_that_says_what_to_do() {
    // One service of two tenants, both on `stable`: 3 codes × 2 sides × 23 series × 2 pairs for each caller's pod.
    let budget = |series: u64| with(&format!("{{budget: {{series: {series}, callers: 2, pods: 5}}}}"));
    assert_eq!(findings(&budget(2760)), [""; 0]);
    says(
        &budget(2759),
        &[
            "Warning",
            "about 2760 series",
            "the budget is 2759",
            "one service, called by 2 workloads of 5 pods",
        ],
    );
    says(&budget(2759), &["`histograms: false` leaves", "`reporters: [client]`", "render --cost"]);
    says(&with("{budget: {series: 0}}"), &["Error"]);
    says(&with("{budget: {}}"), &["Error", "series"]);
    assert_eq!(findings(&with("{budget: {series: 1}, tracing: false}")).len(), 1, "Istio's own are there");
}

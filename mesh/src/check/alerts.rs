//! Alerts: valid numbers, a receiver, and the metrics that they need.

use super::Checker;
use crate::document::model::MetricSource;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let Some(alerts) = &document.alerts else { return };
    let worse = [
        ("errorRatio", alerts.error_ratio.as_ref().map(|worse| (worse.canary_over_baseline, worse.min, 1.0))),
        (
            "latencyP99",
            alerts.latency_p99.as_ref().map(|worse| (worse.canary_over_baseline, worse.min, f64::MAX)),
        ),
    ];
    for (name, worse) in worse {
        let Some((times, min, most)) = worse else { continue };
        if times < 1.0 {
            checker
                .error(&["alerts", name, "canaryOverBaseline"], format!("expected 1 or more, got {times}"))
                .help("write 1 or more; 2 means twice the baseline's");
        }
        if !(0.0..=most).contains(&min) {
            let range = if most > 1.0 { "milliseconds, 0 or more" } else { "a share from 0 to 1" };
            checker
                .error(&["alerts", name, "min"], format!("invalid minimum {min}"))
                .help(format!("write {range}"));
        }
        if document.telemetry.source == MetricSource::Istio && !document.telemetry.tracing {
            checker
                .error_at_key(
                    &["alerts", name],
                    "Istio's metrics cannot distinguish subsets without their tags",
                )
                .help("`telemetry.tracing: true` adds them");
        } else if document.telemetry.source == MetricSource::Istio
            && !document.telemetry.histograms
            && name == "latencyP99"
        {
            checker
                .error_at_key(
                    &["alerts", name],
                    "`telemetry.histograms: false`: the latency of a subset is not known",
                )
                .help("leave `latencyP99` out, or write `histograms: true`");
        }
    }
    for (index, notify) in alerts.notify.iter().enumerate() {
        if notify.slack.is_some() == notify.pagerduty.is_some() {
            let index = index.to_string();
            checker
                .error(&["alerts", "notify", &index], "expected exactly one receiver")
                .help("write one of `slack` and `pagerduty` in each entry");
        }
    }
    if let Some(runbooks) = &alerts.runbooks
        && !runbooks.starts_with("https://")
        && !runbooks.starts_with("http://")
    {
        checker
            .error(&["alerts", "runbooks"], format!("invalid address `{runbooks}`"))
            .help("write an address that starts with `https://`");
    }
    if !document.telemetry.metrics {
        checker
            .warning(
                &["alerts"],
                "without the filter's metrics, lost headers, rejections and stale pods go unnoticed",
            )
            .help("`telemetry.metrics: true` counts them");
    }
}

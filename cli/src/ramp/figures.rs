//! What was counted of a canary and of its baseline: only what is finite, complete and consistent counts.

use super::judge::{NO_END, Sample};
use crate::mesh::Service;
use crate::prometheus::{self, Problem, Prometheus};
use crate::queries::{Part, Queries};

/// Prometheus extrapolates each bucket of a histogram for itself, so that a bound may seem to have a little less than the one
/// below: by so much of all of them.
const EXTRAPOLATED: f64 = 0.05;

/// Asks for all figures of some requests, over the last seconds. Those that were never made have none, and that is no
/// mistake: there are 0.
///
/// # Errors
/// When one is not known; says which, and why.
pub async fn sample(
    prometheus: &Prometheus,
    queries: Queries<'_>,
    service: &Service,
    part: Part<'_>,
    seconds: u64,
) -> Result<Sample, String> {
    let window = format!("{seconds}s");
    let whose = match part {
        Part::All => "the service".to_owned(),
        Part::Subset(name) | Part::Tenant(name) | Part::Lane(name, _) => format!("`{name}`"),
    };
    let unknown = |what: &str, why: String| format!("the {what} of {whose} is not known: {why}");
    let requests = match prometheus.number(&queries.count(service, part, &window)).await {
        Err(Problem::NoData) => return Ok(Sample::default()),
        other => other.map_err(|problem| unknown("count of requests", problem.to_string()))?,
    };
    if requests < 0.0 {
        return Err(unknown("count of requests", format!("it is {requests}")));
    }
    if requests == 0.0 {
        return Ok(Sample::default());
    }
    let ratio = prometheus.number(&queries.error_ratio(service, part, &window)).await;
    let ratio = ratio.map_err(|problem| match problem {
        Problem::NoData | Problem::NotANumber => {
            unknown("error ratio", format!("there were {requests:.0} requests, but no value"))
        }
        other => unknown("error ratio", other.to_string()),
    })?;
    if !(0.0..=1.0 + 1e-9).contains(&ratio) {
        return Err(unknown("error ratio", format!("it is {ratio}")));
    }
    let errors = requests * ratio;
    if !queries.know_latency() {
        return Ok(Sample { requests, errors, latencies: Vec::new() });
    }
    let buckets = prometheus.query(&queries.latencies(service, part, &window)).await;
    let buckets = buckets.map_err(|problem| unknown("histogram of latency", problem.to_string()))?;
    // None yet: the counter of requests is there first.
    let latencies = if buckets.is_empty() {
        Vec::new()
    } else {
        histogram(&buckets, requests, errors).map_err(|why| unknown("histogram of latency", why))?
    };
    Ok(Sample { requests, errors, latencies })
}

/// A histogram by bound, in order; the last bound is [`NO_END`].
fn histogram(buckets: &[prometheus::Sample], requests: f64, errors: f64) -> Result<Vec<(f64, f64)>, String> {
    let mut bounds = Vec::new();
    for bucket in buckets {
        let le = bucket.label("le");
        let end: f64 = le.parse().ok().filter(|end: &f64| !end.is_nan()).ok_or_else(|| {
            format!("a bucket has `le=\"{}\"`, which is not a bound", crate::plain::line(le))
        })?;
        if !bucket.value.is_finite() || bucket.value < 0.0 {
            return Err(format!("the bucket up to {end} has {}", bucket.value));
        }
        bounds.push((end.min(NO_END), bucket.value));
    }
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((end, all)) = bounds.last().copied() else { return Ok(bounds) };
    if end < NO_END {
        return Err("it has no bucket `+Inf`".to_owned());
    }
    if bounds.len() < 2 {
        return Err("it has the bucket `+Inf` alone".to_owned());
    }
    for pair in bounds.windows(2) {
        let ((below, less), (bound, more)) = (pair[0], pair[1]);
        if below == bound {
            return Err(format!("it has two buckets up to {bound}"));
        }
        if less - more > (EXTRAPOLATED * all.max(less)).max(1.0) {
            return Err(format!("it falls from {less:.0} up to {below} to {more:.0} in the next bucket"));
        }
    }
    // Requests that were cut off are counted, and not timed.
    if all > 1.5 * requests + 10.0 || 2.0 * (all + errors) + 10.0 < requests {
        return Err(format!("it has {all:.0} of {requests:.0} requests"));
    }
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buckets: &[(&str, f64)]) -> Result<Vec<(f64, f64)>, String> {
        let sample = |(le, value): &(&str, f64)| prometheus::Sample {
            labels: [("le".to_owned(), (*le).to_owned())].into(),
            value: *value,
        };
        histogram(&buckets.iter().map(sample).collect::<Vec<_>>(), 1000.0, 20.0)
    }

    #[test]
    fn a_histogram_is_whole_or_is_none() {
        let good = of(&[("+Inf", 1000.0), ("5", 900.0), ("10", 995.0)]).unwrap();
        assert_eq!(good, [(5.0, 900.0), (10.0, 995.0), (NO_END, 1000.0)]);
        assert!(of(&[("5", 910.0), ("10", 900.0), ("+Inf", 1000.0)]).is_ok(), "extrapolated");
        for (bad, why) in [
            (&[("5", 900.0), ("10", 1000.0)][..], "no bucket `+Inf`"),
            (&[("+Inf", 1000.0)], "alone"),
            (&[("5", 1000.0), ("10", 10.0), ("+Inf", 5.0)], "falls"),
            (&[("5", f64::INFINITY), ("+Inf", f64::INFINITY)], "has inf"),
            (&[("5", f64::NAN), ("+Inf", 1000.0)], "has NaN"),
            (&[("5", -1.0), ("+Inf", 1000.0)], "has -1"),
            (&[("5", 1.0), ("5", 1.0), ("+Inf", 1000.0)], "two buckets"),
            (&[("fast", 1.0), ("+Inf", 1000.0)], "not a bound"),
            (&[("NaN", 1.0), ("+Inf", 1000.0)], "not a bound"),
            (&[("5", 1.0), ("+Inf", 3.0)], "3 of 1000 requests"),
            (&[("5", 1.0), ("+Inf", 9000.0)], "9000 of 1000 requests"),
        ] {
            let error = of(bad).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}

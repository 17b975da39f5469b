//! Percent, as people write them, and hundredths of a percent, in which weights are counted: a bucket each.

/// Buckets as percent.
#[must_use]
pub fn of<N: Into<u64>>(buckets: N) -> f64 {
    buckets.into() as f64 / 100.0
}

/// Percent as buckets: the nearest, from 0 to 100 %.
#[must_use]
pub fn buckets(percent: f64) -> u16 {
    (percent * 100.0).round().clamp(0.0, 10_000.0) as u16
}

/// The same of what somebody writes; none if it is not within 0 to 100 with up to two decimals.
#[must_use]
pub fn exact(percent: f64) -> Option<u16> {
    let hundredths = percent * 100.0;
    let whole = hundredths.round();
    // A percentage with two decimals is off by far less than this; one with three by far more.
    ((hundredths - whole).abs() < 1e-6 && (0.0..=10_000.0).contains(&whole)).then_some(whole as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundredth_of_a_percent_is_exact() {
        for hundredths in 0..=10_000u16 {
            let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let percent = text.parse().unwrap();
            assert_eq!((exact(percent), buckets(percent)), (Some(hundredths), hundredths), "{text}");
            assert_eq!(buckets(of(hundredths)), hundredths);
        }
        for wrong in [-0.01, 100.01, 33.333, 0.001, f64::MAX, f64::NAN] {
            assert_eq!(exact(wrong), None, "{wrong}");
        }
        assert_eq!([-1.0, 200.0, f64::NAN].map(buckets), [0, 10_000, 0]);
    }
}

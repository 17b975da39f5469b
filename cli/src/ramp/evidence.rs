//! How sure is it that the canary does worse than the baseline? A test that may be looked at as often as one likes.
//!
//! Take the bad requests (errors, or slow ones) of both, in the order they come. If the canary is no worse, each is the
//! canary's with at most the probability `s`, its share of the requests. If it is `r` times as bad, with the probability
//! `r·s / (r·s + 1 - s)`. The likelihood ratio of the two, averaged over several `r`, is a supermartingale while the canary
//! is no worse (a mixture sequential probability ratio test; Robbins 1970, Johari et al. 2017), so by Ville's inequality
//! it ever exceeds `1/α` with a probability of at most `α`, however often one looks.
//!
//! It is exact for small counts: no normal approximation stands between three errors and a verdict.

/// How many times as bad the canary may be: what the average is over.
const TIMES: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0];

/// Requests, and the bad ones among them. Prometheus extrapolates, so they need not be whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// All.
    pub requests: f64,
    /// The bad ones.
    pub bad: f64,
}

impl Count {
    /// The share of bad ones, 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        if self.requests > 0.0 { (self.bad / self.requests).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The natural logarithm of the evidence that the canary is worse; 0 is none. It is significant at the level `α` above
/// `-ln α`. Without requests on both sides there is none.
#[must_use]
pub fn evidence(canary: Count, baseline: Count) -> f64 {
    let all = canary.requests + baseline.requests;
    if canary.requests <= 0.0 || baseline.requests <= 0.0 || !all.is_finite() {
        return 0.0;
    }
    let share = canary.requests / all;
    let terms = TIMES.map(|times| {
        let worse = times * share / (times * share + 1.0 - share);
        canary.bad * (worse / share).ln() + baseline.bad * ((1.0 - worse) / (1.0 - share)).ln()
    });
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - most).exp()).sum();
    most + (sum / TIMES.len() as f64).ln()
}

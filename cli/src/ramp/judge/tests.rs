use super::*;
use crate::document::model::Guard;

/// A small generator of our own (splitmix64, Steele et al. 2014): the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64) / ((1u64 << 53) as f64) < probability
    }
}

const STEPS: [f64; 5] = [0.01, 0.05, 0.25, 0.5, 0.9];

fn limits() -> Limits {
    // As strict as possible: any significant difference may abort.
    Limits { errors: (1.0, 0.0), latency: (1.0, 0.0), ..Limits::of(None, 100, STEPS.len()) }
}

/// One step: so many requests, a look after each hundred. Latencies are 10 ms or, for slow ones, 500 ms.
fn step(
    dice: &mut Dice,
    share: f64,
    requests: usize,
    errors: [f64; 2],
    slow: [f64; 2],
    limits: &Limits,
) -> Verdict {
    let histogram = || vec![(25.0, 0.0), (50.0, 0.0), (1000.0, 0.0), (NO_END, 0.0)];
    let sample = || Sample { latencies: histogram(), ..Sample::default() };
    let mut samples = [sample(), sample()];
    let mut last = Verdict::Hold;
    for request in 1..=requests {
        let who = usize::from(!dice.roll(share));
        let sample = &mut samples[who];
        sample.requests += 1.0;
        sample.errors += f64::from(u8::from(dice.roll(errors[who])));
        let from = if dice.roll(slow[who]) { 2 } else { 0 };
        sample.latencies[from..].iter_mut().for_each(|(_, count)| *count += 1.0);
        if request % 100 == 0 {
            last = together(&judge(&samples[0], &samples[1], limits));
            if last == Verdict::Abort {
                return last;
            }
        }
    }
    last
}

/// How many of so many seeded rollouts are aborted.
fn aborted(runs: u64, mut run: impl FnMut(&mut Dice) -> bool) -> u64 {
    (0..runs).map(|seed| u64::from(run(&mut Dice(seed * 7919 + 1)))).sum()
}

#[test]
fn a_healthy_canary_is_aborted_in_at_most_one_of_a_hundred_rollouts() {
    for (errors, slow) in [(0.02, 0.01), (0.3, 0.05)] {
        let limits = limits();
        let mistakes = aborted(1000, |dice| {
            let mut steps = STEPS.iter();
            steps.any(|share| step(dice, *share, 4000, [errors; 2], [slow; 2], &limits) == Verdict::Abort)
        });
        assert!(mistakes <= 10, "{mistakes} of 1000 at {errors} errors");
    }
}

#[test]
fn five_percent_of_errors_against_none_is_aborted_within_two_thousand_requests() {
    let limits = Limits::of(None, 100, STEPS.len());
    for share in [0.1, 0.25, 0.5, 0.75] {
        let found =
            aborted(200, |dice| step(dice, share, 2000, [0.05, 0.0], [0.0; 2], &limits) == Verdict::Abort);
        assert!(found >= 190, "{found} of 200 at {share}");
    }
}

#[test]
fn a_slow_canary_is_aborted_and_one_slow_request_is_not() {
    let limits = Limits::of(None, 100, STEPS.len());
    let slow = aborted(200, |dice| step(dice, 0.25, 2000, [0.0; 2], [0.1, 0.005], &limits) == Verdict::Abort);
    assert!(slow >= 190, "{slow} of 200");
    let sample = |slow: f64| Sample {
        requests: 100.0,
        errors: 0.0,
        latencies: vec![(25.0, 100.0 - slow), (50.0, 100.0 - slow), (1000.0, 100.0), (NO_END, 100.0)],
    };
    let verdict = |slow| together(&judge(&sample(slow), &sample(0.0), &limits));
    assert_eq!([verdict(0.0), verdict(2.0), verdict(30.0)], [Verdict::Pass, Verdict::Hold, Verdict::Abort]);
}

#[test]
fn too_few_requests_are_no_verdict() {
    let few = Sample { requests: 99.0, errors: 99.0, latencies: Vec::new() };
    let many = Sample { requests: 10_000.0, ..few.clone() };
    let findings = judge(&few, &many, &limits());
    assert_eq!(together(&findings), Verdict::Hold);
    assert_eq!(findings[0].why, "the canary has 99 requests, and 100 are needed");
    assert_eq!(together(&[]), Verdict::Hold);
}

#[test]
fn quantiles_are_those_of_prometheus() {
    let sample = |latencies: &[(f64, f64)]| Sample { latencies: latencies.to_vec(), ..Sample::default() };
    assert_eq!(sample(&[(10.0, 50.0), (20.0, 100.0), (NO_END, 100.0)]).p99(), Some(19.8));
    assert_eq!(sample(&[(10.0, 100.0), (NO_END, 100.0)]).p99(), Some(9.9));
    assert_eq!(sample(&[(10.0, 50.0), (NO_END, 100.0)]).p99(), Some(10.0));
    assert_eq!(sample(&[(10.0, 0.0), (NO_END, 0.0)]).p99(), None);
    assert_eq!(sample(&[]).p99(), None);
}

#[test]
fn an_owners_number_is_within_its_limits_or_not_or_nothing_can_be_said() {
    let guard = Guard { name: "orders".into(), query: "x".into(), max: Some(10.0), min: Some(1.0) };
    let verdict = |value: Result<f64, &str>| judge_guard(&guard, value.map_err(ToOwned::to_owned));
    assert_eq!(verdict(Ok(5.0)).verdict, Verdict::Pass);
    assert_eq!(verdict(Ok(0.5)).why, "0.5 is below 1");
    assert_eq!(verdict(Ok(11.0)).verdict, Verdict::Abort);
    assert_eq!(verdict(Err("no series")).verdict, Verdict::Hold);
}

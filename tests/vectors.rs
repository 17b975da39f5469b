//! The sticky algorithm against golden vectors that a separate program made; see `vectors/README.md`.

use std::path::Path;

use graylane_decide::config::{Config, Role};
use graylane_decide::headers::Seen;
use graylane_decide::sticky::{Seed, Unit};
use graylane_decide::world::Nothing;
use graylane_decide::{Plan, plan::Node};

fn rows(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(ToOwned::to_owned).collect()).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn units() {
    let rows = rows("units.csv");
    assert!(rows.len() > 100);
    for row in rows {
        let [key, salt, want] = &row[..] else { panic!("{row:?}") };
        assert_eq!(Unit::of(&unhex(key), Seed::of(salt)).to_string(), *want, "{row:?}");
    }
}

#[test]
fn buckets() {
    let rows = rows("buckets.csv");
    assert!(rows.len() > 100);
    for row in rows {
        let [unit, salt, want] = &row[..] else { panic!("{row:?}") };
        let unit = Unit::parse(unit.as_bytes()).unwrap();
        assert_eq!(unit.bucket(Seed::of(salt)).to_string(), *want, "{row:?}");
    }
}

/// A plan with one service, whose rollout has the weights of a row: `name:buckets:end name:buckets:end`.
fn plan(baseline: &str, canaries: &str) -> Plan {
    let canaries: Vec<Vec<&str>> = canaries.split(' ').map(|canary| canary.split(':').collect()).collect();
    let weights: Vec<String> = canaries
        .iter()
        .map(|canary| {
            format!(r#"{{"subset": "{}", "buckets": {}, "from": "{}"}}"#, canary[0], canary[1], canary[2])
        })
        .collect();
    let subsets: Vec<String> = canaries.iter().map(|canary| format!(r#""{}""#, canary[0])).collect();
    let json = format!(
        r#"{{"version": 1, "role": "outbound", "header": "tenant", "tenants": ["green"], "default": "green",
             "sticky": {{"salt": "", "tenants": ["green"]}},
             "services": [{{"name": "s", "host": "s.n.svc.cluster.local", "baseline": "{baseline}",
                            "subsets": ["{baseline}", {}],
                            "rollout": {{"salt": "", "tenants": ["green"], "weights": [{}]}}}}]}}"#,
        subsets.join(", "),
        weights.join(", "),
    );
    let config: Config = graylane_decide::config::parse(json.as_bytes()).unwrap();
    assert_eq!(config.role, Role::Outbound);
    Plan::compile(&config, &Node::default()).unwrap()
}

#[test]
fn subsets() {
    // A unit for every bucket, so that the whole way from unit to subset is tried.
    let mut units = vec![None; 10_000];
    let mut left = units.len();
    for unit in (0u64..).map(Unit) {
        let place = &mut units[usize::from(unit.bucket(Seed::of("")))];
        left -= usize::from(place.replace(unit).is_none());
        if left == 0 {
            break;
        }
    }
    let rows = rows("subsets.csv");
    assert!(rows.len() > 100);
    for row in rows {
        let [bucket, baseline, canaries, want] = &row[..] else { panic!("{row:?}") };
        let plan = plan(baseline, canaries);
        let unit = units[bucket.parse::<usize>().unwrap()].unwrap();
        let baggage = format!("graylane-unit={unit}");
        let headers = [(":authority", "s.n"), ("tenant", "green"), ("baggage", &baggage)];
        let seen = Seen::walk(
            &plan.interest,
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        );
        let decision = plan.decide(&seen, &mut Nothing).unwrap();
        assert_eq!((decision.subset, decision.bucket), (Some(want.as_str()), bucket.parse().ok()), "{row:?}");
    }
}

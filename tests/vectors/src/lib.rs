//! The sticky algorithm against golden vectors that a separate program made; see `README.md`.
//!
//! The same checks run natively, in node (`wasm32-unknown-unknown`, by `wasm-bindgen-test`), and in the small host of
//! the tests (`wasm32-wasip1`, by [`graylane_vectors`]): the algorithm has to be the same everywhere.

use graylane_decide::choice::keyed::HashKey;
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_decide::config::{Config, Role};
use graylane_decide::world::Nothing;
use graylane_decide::{Plan, plan::Node};

const UNITS: &str = include_str!("../units.csv");
const BUCKETS: &str = include_str!("../buckets.csv");
const KEYED: &str = include_str!("../keyed.csv");
const SUBSETS: &str = include_str!("../subsets.csv");

/// Rows of a table, without its head.
///
/// # Panics
/// When there are suspiciously few.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert!(rows.len() > 100, "{} rows", rows.len());
    rows
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Keys and salts make the units of the table.
///
/// # Panics
/// When one does not.
pub fn units() {
    for row in rows(UNITS) {
        let [key, salt, want] = &row[..] else { panic!("{row:?}") };
        assert_eq!(Unit::of(&unhex(key), Seed::of(salt)).to_string(), *want, "{row:?}");
    }
}

/// Keys, salts and a key of the hash make the units of the table.
///
/// # Panics
/// When one does not.
pub fn keyed() {
    for row in rows(KEYED) {
        let [hash, salt, key, want] = &row[..] else { panic!("{row:?}") };
        let hash = HashKey::parse(hash).unwrap();
        assert_eq!(hash.unit(&unhex(key), Seed::of(salt)).to_string(), *want, "{row:?}");
    }
}

/// Units and salts make the buckets of the table.
///
/// # Panics
/// When one does not.
pub fn buckets() {
    for row in rows(BUCKETS) {
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

/// Buckets and weights make the subsets of the table, on the whole way from a request's headers.
///
/// # Panics
/// When one does not.
pub fn subsets() {
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
    for row in rows(SUBSETS) {
        let [bucket, baseline, canaries, want] = &row[..] else { panic!("{row:?}") };
        let plan = plan(baseline, canaries);
        let unit = units[bucket.parse::<usize>().unwrap()].unwrap();
        let baggage = format!("graylane-unit={unit}");
        let headers = [(":authority", "s.n"), ("tenant", "green"), ("baggage", &baggage)];
        let pairs = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let decision = plan.decide(pairs, &mut Nothing).unwrap();
        assert_eq!((decision.subset, decision.bucket), (Some(*want), bucket.parse().ok()), "{row:?}");
    }
}

/// All of it, for a host that can call an export: 1 if it went through, a trap if not.
#[unsafe(no_mangle)]
pub extern "C" fn graylane_vectors() -> u32 {
    units();
    keyed();
    buckets();
    subsets();
    1
}

#[cfg(test)]
mod cases;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn units() {
        super::units();
    }

    #[test]
    fn keyed() {
        super::keyed();
    }

    #[test]
    fn buckets() {
        super::buckets();
    }

    #[test]
    fn subsets() {
        super::subsets();
    }
}

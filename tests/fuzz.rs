//! The fuzz targets for a while, on stable: seeds and mutations of them, from a fixed start. `make fuzz` goes on from here.

use std::path::Path;

use graylane_decide::{Plan, Role};
use graylane_tests::case::{self, Suite};
use graylane_tests::fuzz::{configuration, edge, gateway, memory, parts, plan, sidecar};
use graylane_tests::native_fuzz;

/// Runs of each target.
const RUNS: usize = 20_000;

/// Numbers that look random and repeat (xorshift64*, Vigna 2016).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() % limit.max(1)
    }
}

/// Pieces that mean something.
const PIECES: [&str; 46] = [
    "tenant",
    "gray-v1",
    "green",
    ": ",
    "=",
    ",",
    ";",
    "%",
    "+",
    "%74enant",
    "%2C",
    "%252C",
    "*",
    "\n",
    "\"",
    " ",
    "baggage: ",
    "correlation-context: ",
    "sw8-correlation: ",
    "dGVuYW50:Z3JheS12MQ==",
    "ot-baggage-tenant: ",
    "uberctx-tenant: ",
    "graylane-unit",
    "00000000000000ff",
    "x-graylane-subset: ",
    "x_graylane.",
    "x-user-role: ",
    "x.user~role: ",
    "cookie: lane-id=",
    "x-request-id: ",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-datadog-trace-id: 17",
    ":authority: api:8080",
    ":path: /healthz",
    "@: PassthroughCluster",
    "@: outbound|8080||api.shop.svc.cluster.local",
    "{\"header\": \"x-any\"}",
    "\"carriers\": [",
    "\"ids\": [",
    "\"version\": 2",
    "tenant=gray-v1",
    "x-cid: ",
    "x-any: ",
    "=x,",
    "\u{a0}",
    "\u{1c}",
];

/// A seed with some of it cut, doubled or replaced, and pieces in between.
fn mutated(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(data.len() + 1);
        let end = (at + numbers.below(12)).min(data.len());
        match numbers.below(5) {
            0 => drop(data.drain(at..end)),
            1 => {
                let copy = data[at..end].to_vec();
                data.splice(at..at, copy);
            }
            2 => data.insert(at, numbers.next() as u8),
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                data.splice(at..at, piece.bytes());
            }
        }
    }
    data
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn run(target: &str, runs: usize, check: impl Fn(&[u8])) {
    let mut seeds = seeds(target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds.iter().for_each(|seed| check(seed));
    seeds.push(Vec::new());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..runs {
        let seed = numbers.below(seeds.len());
        check(&mutated(&seeds[seed], &mut numbers));
    }
}

#[test]
fn gateway_target() {
    run("gateway", RUNS, gateway::gateway);
}

#[test]
fn sidecar_target() {
    run("sidecar", RUNS, sidecar::sidecar);
}

#[test]
fn configuration_target() {
    run("configuration", RUNS, configuration::configuration);
}

#[test]
fn memory_target() {
    run("memory", RUNS, memory::memory);
}

#[test]
fn parts_target() {
    run("parts", RUNS, parts::parts);
}

#[test]
fn edge_target() {
    let suite = r#"{"about": "", "role": "gateway", "example": "edge", "cases": []}"#;
    let mut suite: Suite = serde_json::from_str(suite).unwrap();
    suite.file = Some(case::example("edge").unwrap());
    let plan: Plan = plan(suite.configuration(Role::Gateway).unwrap().as_bytes());
    run("edge", RUNS / 4, |data| edge::edge(&plan, data));
}

#[test]
fn native_target() {
    for corpus in ["native", "gateway", "sidecar"] {
        run(corpus, RUNS / 4, native_fuzz::native);
    }
}

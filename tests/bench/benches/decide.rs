//! The core alone, natively, and `simulate`: `make bench-native`.
#![allow(missing_docs)]

use std::collections::HashMap;

use divan::{Bencher, black_box};
use graylane::simulate::{Layout, Users, made, moves};
use graylane::{document, lower, mesh::Mesh};
use graylane_decide::carriers::{Member, Write, list::List};
use graylane_decide::choice::keyed::Units;
use graylane_decide::choice::sticky::Seed;
use graylane_decide::config::Weight;
use graylane_decide::ids::{Id, Ids, RequestId};
use graylane_decide::memory::cas::{self, ByCas, SharedData};
use graylane_decide::memory::{Memory, Sighting};
use graylane_decide::plan::Node;
use graylane_decide::world::Nothing;
use graylane_decide::{Config, Plan, Role, config};

fn main() {
    divan::main();
}

fn settings(choice: &str, role: Role) -> Config {
    let text = format!(
        "
version: 1
mesh: {{name: shop, namespace: shop}}
tenants: {{green: {{default: true}}, gray-v1: {{}}}}
sticky: {{keys: [{{header: x-user-id}}], at: edge}}
services:
  api: {{subsets: {{stable: {{version: v1}}, canary: {{version: v2}}}}, baseline: stable, {choice}}}
"
    );
    let loaded = document::load_text("bench.yaml", &text).expect("the file is read");
    lower::config(&Mesh::of(&graylane::check::open(loaded).checked().expect("the file is in order")), role)
}

fn plan(choice: &str, role: Role) -> Plan {
    let node = Node { namespace: Some("shop".to_owned()), ..Node::default() };
    Plan::compile(&settings(choice, role), &node).expect("the configuration is in order")
}

const PINS: &str = "pins: {gray-v1: canary}";
const ROLLOUT: &str = "rollout: {weights: {canary: 25}}";
const PARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const REQUEST: &[u8] = b"8c1f0f64-a7d9-4b0d-a123-8f4ce92a77b1";

fn headers(own: &[(&'static [u8], &'static [u8])]) -> Vec<(&'static [u8], &'static [u8])> {
    let mut all: Vec<(&[u8], &[u8])> = vec![
        (b":authority", b"api:8080"),
        (b":path", b"/v1/orders?expand=lines"),
        (b":method", b"GET"),
        (b"user-agent", b"grpc-java-netty/1.66.0"),
        (b"accept", b"*/*"),
        (b"x-request-id", REQUEST),
        (b"traceparent", PARENT),
        (b"cookie", b"theme=dark"),
    ];
    all.extend(own);
    all
}

fn decide(bencher: Bencher<'_, '_>, plan: &Plan, headers: &[(&'static [u8], &'static [u8])]) {
    bencher.bench_local(|| {
        plan.decide(black_box(headers).iter().copied(), &mut Nothing).map(|decision| decision.tenant)
    });
}

#[divan::bench]
fn decision_inbound_default(bencher: Bencher<'_, '_>) {
    decide(bencher, &plan(PINS, Role::Inbound), &headers(&[(b"tenant", b"green")]));
}

#[divan::bench]
fn decision_outbound_right(bencher: Bencher<'_, '_>) {
    decide(bencher, &plan(PINS, Role::Outbound), &headers(&[(b"tenant", b"gray-v1")]));
}

#[divan::bench]
fn decision_outbound_sticky(bencher: Bencher<'_, '_>) {
    let own: [(&[u8], &[u8]); 2] =
        [(b"tenant", b"green"), (b"baggage", b"a=b,graylane-unit=00000000000000ff")];
    decide(bencher, &plan(ROLLOUT, Role::Outbound), &headers(&own));
}

#[divan::bench(args = [1, 8, 64])]
fn baggage_rewrite(bencher: Bencher<'_, '_>, members: usize) {
    let line = (0..members).map(|number| format!("key-{number}=value")).collect::<Vec<_>>().join(",");
    let write = Write { tenant: Member::Set(b"gray-v1"), unit: Member::Set(b"00000000000000ff") };
    bencher.bench_local(|| List::BAGGAGE.rewrite(b"tenant", &[black_box(line.as_bytes())], write));
}

#[derive(Default)]
struct Slots(HashMap<u32, (Vec<u8>, u32)>);

impl SharedData for Slots {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.0.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> cas::Write {
        self.0.insert(slot, (value.to_vec(), cas.wrapping_add(1)));
        cas::Write::Done
    }
}

#[divan::bench]
fn memory_remember_and_recall(bencher: Bencher<'_, '_>) {
    let plan = plan(PINS, Role::Inbound);
    let (mut memory, mut slots, mut number) = (Memory::new(7), ByCas(Slots::default()), 0u64);
    let tenant = plan.tenants.tag(plan.tenants.default_id());
    bencher.bench_local(|| {
        number += 1;
        let id = format!("{number:032x}");
        let ids: Ids<'_> = RequestId::parse(id.as_bytes()).map(Id::Request).into_iter().collect();
        let ids = memory.marks(&ids);
        memory.remember(&mut slots, &ids, Sighting { tenant, unit: None }, 1000 + number, 30_000);
        memory.recall(&mut slots, &ids, 1001 + number)
    });
}

#[divan::bench(args = [100, 1000, 5000])]
fn load(bencher: Bencher<'_, '_>, services: usize) {
    let mut settings = settings(ROLLOUT, Role::Outbound);
    let service = settings.services.remove(0);
    for number in 0..services {
        let mut service = service.clone();
        service.host = format!("service-{number}.shop.svc.cluster.local");
        settings.services.push(service);
    }
    let json = serde_json::to_vec(&settings).expect("plain types");
    let node = Node { namespace: Some("shop".to_owned()), ..Node::default() };
    bencher.bench_local(|| {
        let config = config::parse(black_box(&json)).expect("as written");
        Plan::compile(&config, &node).expect("in order").revision
    });
}

/// `graylane simulate` over a million users that it makes.
#[divan::bench(sample_count = 10)]
fn simulate_a_million_users(bencher: Bencher<'_, '_>) {
    let settings = settings(ROLLOUT, Role::Outbound);
    let rollout = settings.services[0].rollout.as_ref().expect("there is one");
    let after: Vec<_> =
        rollout.weights.iter().map(|weight| Weight { buckets: 5_000, ..weight.clone() }).collect();
    let layouts = [&rollout.weights, &after].map(|weights| Layout::of("stable", weights));
    bencher.bench_local(|| {
        let users = made(Users::none(black_box(Units::Open(Seed::of("shop"))), &rollout.salt), 1_000_000);
        moves(&layouts[0], &layouts[1], &users.by_bucket)
    });
}

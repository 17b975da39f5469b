//! A request that is right already allocates its header pairs and nothing else, from there to its metric.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use graylane_decide::plan::Node;
use graylane_decide::{Plan, config};

use graylane_serve::{Fate, handle};

use crate::counters::Counters;
use crate::envoy::{Active, Envoy};
use crate::host::HEADERS;
use crate::pairs::encode;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SERVICE: &str = r#"{"name": "api", "host": "api.shop.svc.cluster.local", "subsets": ["stable", "canary"],
    "baseline": "stable", "pins": [{"tenant": "gray-v1", "subset": "canary"}]}"#;

fn active(role: &str) -> Active {
    let services = if role == "outbound" { SERVICE } else { "" };
    let text = format!(
        r#"{{"version": 1, "role": "{role}", "header": "tenant", "tenants": ["gray-v1", "green"], "default": "green",
            "telemetry": {{"metrics": true, "state": true}}, "services": [{services}]}}"#
    );
    let config = config::parse(text.as_bytes()).unwrap();
    let node = Node { namespace: Some("shop".to_owned()), ..Node::default() };
    Active::Plan { plan: Box::new(Plan::compile(&config, &node).unwrap()), counters: Counters::default() }
}

/// The host asks for a place for them.
const PAIRS: u32 = 1;

fn allocations(active: &Active, headers: &[(&str, &str)]) -> u32 {
    HEADERS.set(encode(headers).leak());
    let mut last = 0;
    // The first defines its metric.
    for _ in 0..3 {
        let before = ALLOCATIONS.get();
        assert_eq!(handle(active, &mut Envoy::new()), Fate::Passed);
        last = ALLOCATIONS.get() - before;
    }
    last
}

#[test]
fn the_everyday_path_allocates_its_header_pairs_alone() {
    let common = [
        (":authority", "api:8080"),
        (":path", "/v1/orders?expand=lines"),
        ("x-request-id", "8c1f0f64-a7d9-4b0d-a123-8f4ce92a77b1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("baggage", "session=5f3c9a71e2,region=eu-central-1"),
        ("cookie", "theme=dark"),
    ];
    for (role, tenant) in [("inbound", "green"), ("outbound", "green"), ("outbound", "gray-v1")] {
        let headers = [&common[..], &[("tenant", tenant)]].concat();
        assert_eq!(allocations(&active(role), &headers), PAIRS, "{role} {tenant}");
    }
    // The counter counts: a header that is to be restored is looked for in baggage, and its line rewritten.
    let forged = [&common[..], &[("tenant", "green"), ("baggage", "tenant=gray-v1")]].concat();
    assert!(allocations(&active("outbound"), &forged) > PAIRS);
}

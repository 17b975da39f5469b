//! The hooks over a host in plain values that moves each line at each edit: what `make miri` runs under Miri, which sees each
//! read of memory that is gone. Small, because Miri takes a thousand times as long.

use std::thread;

#[path = "../../tests/src/mock.rs"]
#[expect(dead_code, reason = "others look at all of it")]
mod mock;

use mock::{Plugin, Request};

fn configuration(role: &str, more: &str) -> String {
    format!(
        r#"{{"version": 2, "revision": "a1", "role": "{role}", "header": "tenant", "tenants": ["gray", "green"], "default": "green",
            "policy": {{"unknown": "reject", "restore": ["memory", "baggage"]}}{more}}}"#
    )
}

fn request(lines: &[(&str, &str)]) -> Request {
    let headers = lines.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    let cluster = Some(b"outbound|80||api.shop.svc.cluster.local".to_vec());
    Request { headers: headers.collect(), cluster, ..Request::default() }
}

fn value<'r>(request: &'r Request, name: &str) -> Option<&'r [u8]> {
    request.headers.iter().find(|(is, _)| is == name.as_bytes()).map(|(_, value)| value.as_slice())
}

/// All that a request can become: kept, edited, restored, answered, its trailers too.
#[test]
fn requests() {
    let inbound = Plugin::load("inbound/miri", configuration("inbound", "").as_bytes()).unwrap();
    let outbound = Plugin::load("outbound/miri", configuration("outbound", "").as_bytes()).unwrap();
    let id = ("x-request-id", "1c2f0f64-a7d9-4b0d-a123-8f4ce92a77b1");
    assert!(inbound.send(&mut request(&[("tenant", "gray"), id])));
    let mut lost = request(&[id, ("accept", "*/*")]);
    assert!(outbound.send(&mut lost));
    assert_eq!(value(&lost, "tenant"), Some(&b"gray"[..]), "of the memory");
    let mut carried = request(&[("baggage", "a=b,tenant=gray,c=d"), ("x-request-id", "2")]);
    carried.trailers = Some(vec![(b"tenant".to_vec(), b"green".to_vec()), (b"x".to_vec(), b"y".to_vec())]);
    assert!(outbound.send(&mut carried));
    assert_eq!(value(&carried, "tenant"), Some(&b"gray"[..]), "of baggage");
    for content_type in ["application/json", "application/grpc+proto"] {
        let mut unknown = request(&[("tenant", "nobody"), ("content-type", content_type)]);
        assert!(!inbound.send(&mut unknown), "{content_type}");
        assert!(unknown.reply.is_some());
    }
    for plugin in [&inbound, &outbound] {
        plugin.scheduled();
    }
    assert_eq!(mock::series("graylane_requests_total inbound gray none header"), Some(1));
}

/// Configurations that replace one another, broken ones among them, while another thread has requests under way.
#[test]
fn configurations() {
    let first = Plugin::load("gateway/miri?GRAYLANE_HEADER=tenant", b"{").unwrap();
    let edge = r#", "edge": {"rules": [{"tenant": "gray", "when": {"claim": {"path": ["role"], "is": {"in": ["tester"]}}}}]}"#;
    let text = configuration("gateway", edge);
    let second = Plugin::load("gateway/miri?GRAYLANE_HEADER=tenant", text.as_bytes()).unwrap();
    let again = Plugin::load("gateway/miri?GRAYLANE_HEADER=tenant", text.as_bytes()).unwrap();
    thread::scope(|scope| {
        for plugin in [&first, &second, &again] {
            scope.spawn(move || {
                for number in 0..3 {
                    let mut forged = request(&[("tenant", "gray"), ("x-request-id", &number.to_string())]);
                    forged.state.insert("graylane.claims".to_owned(), br#"{"role": ["x", "y"]}"#.to_vec());
                    assert!(plugin.send(&mut forged));
                    assert_ne!(value(&forged, "tenant"), Some(&b"gray"[..]));
                }
            });
        }
        let broken = Plugin::load("gateway/miri?GRAYLANE_HEADER=tenant", b"[]").unwrap();
        broken.scheduled();
        drop(broken);
    });
    drop(second);
    again.scheduled();
    drop((first, again));
}

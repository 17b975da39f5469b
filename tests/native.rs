//! The native module: what it does of its own, over a host in plain values and in real Envoys.

use graylane_native::node;
use graylane_tests::host::native_path;
use graylane_tests::mock::{self, Plugin, Request};
use serde_json::json;

fn configuration(role: &str, revision: &str, more: &str) -> String {
    format!(
        r#"{{"version": 1, "revision": "{revision}", "role": "{role}", "header": "tenant",
            "tenants": ["gray", "green"], "default": "green"{more}}}"#
    )
}

fn request(lines: &[(&str, &str)]) -> Request {
    let headers = lines.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Request { headers: headers.collect(), ..Request::default() }
}

fn header(request: &Request, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|(is, _)| is == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// One after the other: series, node and log belong to the process.
#[test]
fn over_a_host_in_plain_values() {
    node::is(json!({"id": "sidecar~127.0.0.1~pod.shop~shop.svc", "metadata": {"NAMESPACE": "shop"}}));
    counts_outlive_configurations();
    routes_are_chosen_again_only_after_edits();
    a_gateway_without_a_plan_closes();
    a_configuration_of_ten_megabytes_is_refused_and_the_last_good_one_stays();
    grpc_callers_get_a_grpc_status();
}

fn routes_are_chosen_again_only_after_edits() {
    let plugin = Plugin::load("inbound/edits", configuration("inbound", "1", "").as_bytes()).unwrap();
    let mut right = request(&[("tenant", "gray"), ("x-request-id", "1")]);
    assert!(plugin.send(&mut right));
    assert_eq!((right.rerouted, header(&right, "tenant").as_deref()), (0, Some("gray")));
    let mut lost = request(&[("x-request-id", "1")]);
    assert!(plugin.send(&mut lost));
    assert_eq!((lost.rerouted, header(&lost, "tenant").as_deref()), (1, Some("green")));
    let mut large = request(&[("tenant", "gray"), ("x-large", &"x".repeat(60 * 1024))]);
    assert!(plugin.send(&mut large));
    assert_eq!(large.headers[1].1.len(), 60 * 1024);
}

fn counts_outlive_configurations() {
    let more = r#", "telemetry": {"metrics": true, "state": true}"#;
    let series = "graylane_requests_total inbound gray none header";
    let old = Plugin::load("inbound/counts", configuration("inbound", "a1", more).as_bytes()).unwrap();
    assert_eq!(mock::series("graylane_config_revision inbound native"), Some(0xa1));
    let send = |plugin: &Plugin, times: usize| {
        (0..times).for_each(|_| assert!(plugin.send(&mut request(&[("tenant", "gray")]))));
    };
    send(&old, 3);
    assert_eq!(mock::series(series), None, "told once a second, and nobody woke it");
    old.scheduled();
    assert_eq!(mock::series(series), Some(3));
    old.scheduled();
    assert_eq!(mock::series(series), Some(3));
    let new = Plugin::load("inbound/counts", configuration("inbound", "a2", more).as_bytes()).unwrap();
    send(&old, 2);
    send(&new, 4);
    drop(old);
    assert_eq!(mock::series(series), Some(9), "told before it ends");
    assert_eq!(mock::series("graylane_config_revision inbound native"), Some(0xa2));
    send(&new, 1);
    drop(new);
    assert_eq!(mock::series(series), Some(10));
}

fn a_gateway_without_a_plan_closes() {
    mock::log();
    let name = "gateway/closed?GRAYLANE_HEADER=x-lane&GRAYLANE_REMOVE=x-role,x-team";
    let plugin = Plugin::load(name, b"{").unwrap();
    let log = mock::log().join("\n");
    assert!(log.contains("gateway has no configuration: `x-lane` and all of ours is removed"), "{log}");
    let mut forged =
        request(&[("x-lane", "gray"), ("x-role", "boss"), ("x-team", "a"), ("x-graylane-subset", "a/b")]);
    forged.trailers = Some(vec![(b"x-lane".to_vec(), b"gray".to_vec()), (b"other".to_vec(), b"1".to_vec())]);
    assert!(plugin.send(&mut forged));
    assert_eq!(forged.headers, []);
    assert_eq!(forged.trailers.unwrap(), [(b"other".to_vec(), b"1".to_vec())]);
}

fn a_configuration_of_ten_megabytes_is_refused_and_the_last_good_one_stays() {
    let good = Plugin::load("inbound/large", configuration("inbound", "b1", "").as_bytes()).unwrap();
    for bad in [
        configuration("inbound", "b2", &format!(r#", "nobody": "{}""#, "x".repeat(10 << 20))),
        configuration("inbound", "b2", "").replace("\"version\": 1", "\"version\": 99"),
        "x".repeat(10 << 20),
    ] {
        mock::log();
        let kept = Plugin::load("inbound/large", bad.as_bytes()).unwrap();
        let log = mock::log().join("\n");
        assert!(log.contains("inbound keeps revision 0000000000b1, the last good one"), "{log}");
        let mut lost = request(&[]);
        assert!(kept.send(&mut lost));
        assert_eq!(header(&lost, "tenant").as_deref(), Some("green"));
    }
    drop(good);
}

fn grpc_callers_get_a_grpc_status() {
    let more = r#", "policy": {"unknown": "reject"}"#;
    let plugin = Plugin::load("inbound/grpc", configuration("inbound", "c1", more).as_bytes()).unwrap();
    let reply = |kind: &str| {
        let mut unknown = request(&[("tenant", "nobody"), ("content-type", kind)]);
        assert!(!plugin.send(&mut unknown));
        let (status, lines, _) = unknown.reply.unwrap();
        let grpc = lines.iter().find(|(name, _)| name == b"grpc-status").map(|(_, value)| value.clone());
        (status, grpc.map(|value| String::from_utf8(value).unwrap()))
    };
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
        assert_eq!(reply(kind), (200, Some("3".to_owned())), "{kind}");
    }
    for kind in ["application/json", "application/grpc-web", "text/plain"] {
        assert_eq!(reply(kind), (400, None), "{kind}");
    }
}

/// Images with a proxy and little else have the C library, and no other: see native/build.rs.
#[test]
fn the_built_module_needs_nothing_but_the_c_library() {
    let module = std::fs::read(native_path()).unwrap();
    let names = |text: &str| module.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(names("libc.so.6"));
    for other in ["libgcc_s.so", "libstdc++.so", "libunwind.so", "libc++.so"] {
        assert!(!names(other), "it asks for {other}");
    }
}

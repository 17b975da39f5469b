//! The built module in the small host: what it asks of the host, what it does when the host fails it, what it keeps
//! when its configuration changes.

use std::sync::{Arc, Mutex};

use graylane::{document, lower, mesh::Mesh};
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_decide::{Config, Role};
use graylane_tests::host::{Plugin, Seen, Shared, Vm};

mod budget;
mod kept;

const PLAIN: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
services:
  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray-v1: canary}}
";

const STICKY: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
sticky: {keys: [{header: x-user-id}]}
services:
  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, rollout: {weights: {canary: 25}}}
";

fn config(text: &str, role: Role) -> Config {
    let loaded = document::load_text("test.yaml", text).unwrap();
    lower::config(&Mesh::of(&graylane::check::open(loaded).checked().unwrap()), role)
}

fn json(config: &Config) -> Vec<u8> {
    serde_json::to_vec(config).unwrap()
}

/// A process with one VM, in a pod of namespace `shop`.
fn vm() -> Vm {
    vm_of(&Arc::new(Mutex::new(Shared::default())))
}

fn vm_of(shared: &Arc<Mutex<Shared>>) -> Vm {
    let mut vm = Vm::start(shared).unwrap();
    vm.state().set_property("xds.node.metadata.NAMESPACE", b"shop");
    vm.state().set_property("xds.node.metadata.LABELS.version", b"v1");
    vm.state().set_property("xds.node.id", b"sidecar~127.0.0.1~api-1.shop~shop.svc.cluster.local");
    vm.state().set_property("plugin_name", b"shop.graylane");
    vm
}

fn load(vm: &mut Vm, text: &str, role: Role) -> Plugin {
    vm.load(role.name(), &json(&config(text, role))).unwrap()
}

/// Sends headers; a line `@path= value` is a property, `@name= value` a claim if the path has one step.
fn send(vm: &mut Vm, plugin: Plugin, lines: &[&str]) -> Seen {
    let (mut headers, mut properties) = (Vec::new(), Vec::new());
    for (name, value) in lines.iter().map(|line| line.split_once("= ").unwrap()) {
        match name.strip_prefix('@') {
            Some(path) if path.contains('.') => properties.push((path.to_owned(), value.as_bytes())),
            Some(claim) => {
                let path = graylane_decide::names::claim_path(&[claim.to_owned()]);
                properties.push((String::from_utf8(path).unwrap(), value.as_bytes()));
            }
            None => headers.push((name.to_owned(), value.as_bytes().to_vec())),
        }
    }
    let properties: Vec<(&str, &[u8])> =
        properties.iter().map(|(path, value)| (path.as_str(), *value)).collect();
    vm.request(plugin, &headers, &properties).unwrap()
}

fn header(seen: &Seen, name: &str) -> Option<String> {
    let value = seen.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

const TRACE: &str = "traceparent= 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The module as it ships: an export more is an entry into the VM for every stream, a kilobyte more is loaded by every
/// pod. What fills it is in docs/performance.md.
#[test]
fn the_module_exports_what_is_needed_and_stays_small() {
    let module = std::fs::read(graylane_tests::host::module_path()).unwrap();
    let mut about = graylane::image::inspect(&module).unwrap();
    about.exports.sort_unstable();
    let exports = [
        "_initialize",
        "memory",
        "proxy_abi_version_0_2_1",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_delete",
        "proxy_on_memory_allocate",
        "proxy_on_request_headers",
        "proxy_on_request_trailers",
    ];
    assert_eq!(about.exports, exports);
    assert!(about.size <= 242_500, "{} bytes", about.size);
}

/// Fills every slot that is not there yet with an empty one, as a process has them after a while.
fn occupy(vm: &mut Vm) {
    let empty = [b"graylan1".as_slice(), &[0; 256]].concat();
    let mut shared = vm.state().shared();
    for slot in 0..graylane_decide::memory::SLOTS {
        let key = format!("graylane/{slot}");
        if shared.get(key.as_bytes()).is_none() {
            shared.set(key.as_bytes(), &empty, 0);
        }
    }
}

/// Every call failing with every status that the ABI has, on every path: nothing traps, and the client's request
/// passes or, where it is to be rejected and cannot be, passes nevertheless.
#[test]
fn no_status_of_the_host_traps_the_vm() {
    const CALLS: [&str; 14] = [
        "proxy_get_header_map_pairs",
        "proxy_replace_header_map_value",
        "proxy_remove_header_map_value",
        "proxy_send_local_response",
        "proxy_get_property",
        "proxy_set_property",
        "proxy_get_shared_data",
        "proxy_set_shared_data",
        "proxy_get_buffer_bytes",
        "proxy_define_metric",
        "proxy_increment_metric",
        "proxy_record_metric",
        "proxy_get_current_time_nanoseconds",
        "proxy_log",
    ];
    let rejecting = STICKY.replace("sticky:", "policy: {unknown: reject}\nsticky:");
    for call in CALLS {
        for status in 1..=12 {
            let mut vm = vm();
            vm.state().fault = Some((call, status));
            for role in Role::ALL {
                for text in [PLAIN, STICKY, &rejecting] {
                    let plugin = load(&mut vm, text, role);
                    for request in [
                        &[":authority= api", "tenant= gray-v1", "x-request-id= a", TRACE][..],
                        &[":authority= api", "x-request-id= a", TRACE, "x-graylane-subset= x"],
                        &[":authority= api", "tenant= blue"],
                        &[":authority= elsewhere", "baggage= graylane-unit=00,tenant=gray-v1"],
                    ] {
                        let seen = send(&mut vm, plugin, request);
                        let stopped = seen.reply.is_some();
                        assert!(!stopped || call != "proxy_send_local_response", "{call} {status}");
                    }
                    let trailers =
                        [("tenant".to_owned(), b"gray-v1".to_vec()), ("x".to_owned(), b"y".to_vec())];
                    vm.trailers(plugin, &trailers).unwrap();
                    vm.answered_before(plugin).unwrap();
                }
            }
        }
    }
}

/// Trailers cost where there are some, and nothing but at a gateway: one call for all of them, one for each that goes.
#[test]
fn trailers_are_looked_at_by_gateways_alone() {
    let trailers = [("tenant".to_owned(), b"gray-v1".to_vec()), ("grpc-status".to_owned(), b"0".to_vec())];
    for role in Role::ALL {
        let mut vm = vm();
        let plugin = load(&mut vm, PLAIN, role);
        let seen = vm.trailers(plugin, &trailers).unwrap();
        let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
        match role {
            Role::Gateway => {
                assert_eq!(names, ["grpc-status"]);
                assert_eq!(seen.calls.names, ["proxy_get_header_map_pairs", "proxy_remove_header_map_value"]);
            }
            Role::Inbound | Role::Outbound | Role::Waypoint => {
                assert_eq!(names, ["tenant", "grpc-status"]);
                assert_eq!(seen.calls.names, [""; 0]);
            }
        }
    }
}

#[test]
fn an_answer_of_an_earlier_filter_is_not_decided() {
    let mut vm = vm();
    for role in Role::ALL {
        let plugin = load(&mut vm, STICKY, role);
        vm.answered_before(plugin).unwrap();
        let bad = vm.load(role.name(), b"nonsense").unwrap();
        vm.answered_before(bad).unwrap();
    }
}

#[test]
fn a_bad_configuration_keeps_the_last_good_one_and_says_so() {
    let mut vm = vm();
    let good = load(&mut vm, PLAIN, Role::Inbound);
    assert_eq!(vm.state().metric("direction=.=inbound;.;graylane_config_valid"), 1);
    let revision = u64::from_str_radix(&config(PLAIN, Role::Inbound).revision, 16).unwrap();
    assert_eq!(vm.state().metric("direction=.=inbound;.;graylane_config_revision"), revision.cast_signed());
    assert_eq!(header(&send(&mut vm, good, &["tenant= blue"]), "tenant").as_deref(), Some("green"));

    let mut wrong = config(PLAIN, Role::Inbound);
    wrong.default = "nobody".to_owned();
    let kept = vm.load("inbound", &json(&wrong)).unwrap();
    assert_eq!(header(&send(&mut vm, kept, &["tenant= blue"]), "tenant").as_deref(), Some("green"));
    assert_eq!(vm.state().metric("direction=.=inbound;.;graylane_config_valid"), 0);
    assert_eq!(vm.state().metric("direction=.=inbound;.;graylane_config_revision"), revision.cast_signed());
    let errors: Vec<&String> =
        vm.state().log.iter().filter(|(level, _)| *level == 4).map(|(_, text)| text).collect();
    assert!(
        errors.iter().any(|text| text.contains("default: `nobody` is not a tenant of the file")),
        "{errors:?}"
    );

    // Another plugin has no part in that: it is open.
    vm.state().set_property("plugin_name", b"shop.another");
    let open = vm.load("inbound", &json(&wrong)).unwrap();
    assert_eq!(header(&send(&mut vm, open, &["tenant= blue"]), "tenant").as_deref(), Some("blue"));
    assert_eq!(vm.state().metric("direction=.=inbound;.;graylane_config_revision"), 0);
}

#[test]
fn a_gateway_with_a_bad_configuration_keeps_its_last_good_one_and_never_opens() {
    let mut vm = vm();
    let closed = vm.load("gateway", b"").unwrap();
    let forged = ["tenant= gray-v1", "baggage= graylane-unit=00000000000000ff"];
    let seen = send(&mut vm, closed, &forged);
    assert_eq!((header(&seen, "tenant"), header(&seen, "baggage")), (None, None));

    load(&mut vm, STICKY, Role::Gateway);
    let kept = vm.load("gateway", b"{}").unwrap();
    assert_eq!(header(&send(&mut vm, kept, &forged), "tenant").as_deref(), Some("green"));
}

/// A gateway whose key is missing or none runs, makes no units of keys, and says so where alerts look: in the gauge.
#[test]
fn a_hash_key_that_is_missing_or_invalid_is_said_and_what_it_is_is_not() {
    const GOOD: &str = "000102030405060708090a0b0c0d0e0f";
    let keyed = STICKY.replace(
        "sticky: {",
        "edge: {gateway: {selector: {istio: x}}}\nsticky: {hash: keyed, hashKeys: {k1: STICKY_KEY}, ",
    );
    let wrong = ["s3cret", &GOOD[..30], &format!("{GOOD}00"), "AAECAwQFBgcICQoLDA0ODw==", ""];
    for key in wrong.map(Some).into_iter().chain([None, Some(GOOD)]) {
        let mut vm = vm();
        vm.state().environment =
            key.map(|key| ("STICKY_KEY".to_owned(), key.to_owned())).into_iter().collect();
        let plugin = load(&mut vm, &keyed, Role::Gateway);
        let seen = send(&mut vm, plugin, &[":authority= api", "x-user-id= alice", "x-request-id= a"]);
        let unit = header(&seen, "baggage").unwrap();
        let open = format!("graylane-unit={}", Unit::of(b"alice", Seed::of("shop")));
        assert_ne!(unit, open, "{key:?}");
        let is_good = key == Some(GOOD);
        let of_id = format!("graylane-unit={}", Unit::of(b"a", Seed::of("shop")));
        assert_eq!(unit != of_id, is_good, "{key:?}");
        assert_eq!(vm.state().metric("direction=.=gateway;.;graylane_config_valid"), i64::from(is_good));
        let log: Vec<String> = vm.state().log.iter().map(|(_, text)| text.clone()).collect();
        let said: Vec<&String> = log.iter().filter(|line| line.contains("hash key")).collect();
        if is_good {
            assert!(said.is_empty(), "{said:?}");
        } else {
            let is = if key.is_some() { "invalid" } else { "missing" };
            let line = format!(
                "graylane: hash key `k1` in STICKY_KEY is {is}: expected 32 lowercase hex digits, as `openssl rand -hex 16` \
                 prints: no unit is made of a user's key"
            );
            assert_eq!(said, [&line]);
        }
        for key in key.into_iter().filter(|key| !key.is_empty()) {
            assert!(log.iter().all(|line| !line.contains(key)), "{log:?}");
            assert!(vm.state().metrics.keys().all(|name| !name.contains(key)));
        }
    }
}

#[test]
fn five_thousand_services_are_loaded_and_found() {
    let mut config = config(STICKY, Role::Outbound);
    let service = config.services.remove(0);
    for number in 0..5000 {
        let mut service = service.clone();
        service.name = format!("service-{number}");
        service.host = format!("service-{number}.shop.svc.cluster.local");
        config.services.push(service);
    }
    let mut vm = vm();
    let plugin = vm.load("outbound", &json(&config)).unwrap();
    let unit = "baggage= graylane-unit=00000000000000ff";
    for number in [0, 1234, 4999] {
        let seen =
            send(&mut vm, plugin, &[&format!(":authority= service-{number}:80"), "tenant= green", unit]);
        let subset = header(&seen, "x-graylane-subset").unwrap();
        assert!(subset.starts_with(&format!("service-{number}.shop.svc.cluster.local/")), "{subset}");
        // The subset header, the metric, and its definition at its first request.
        let plain = seen.calls.plain - u32::try_from(seen.state.len()).unwrap();
        assert_eq!((seen.calls.returning, plain), (1, 3), "{:?}", seen.calls.names);
    }
}

#[test]
fn every_conflict_is_counted_once() {
    let policy =
        |conflict: &str| PLAIN.replace("services:", &format!("policy: {{conflict: {conflict}}}\nservices:"));
    let counted = |policy: &str, request: &[&str]| {
        let mut vm = vm();
        let inbound = load(&mut vm, policy, Role::Inbound);
        let outbound = load(&mut vm, policy, Role::Outbound);
        send(&mut vm, inbound, &["tenant= gray-v1", "x-request-id= a"]);
        send(&mut vm, outbound, request);
        let conflicts =
            vm.state().metrics.iter().filter(|(name, _)| name.ends_with("graylane_conflicts_total"));
        conflicts.map(|(name, count)| (name.clone(), *count)).collect::<Vec<_>>()
    };
    let with =
        |what: &str| vec![(format!("direction=.=outbound;.;source=.={what};.;graylane_conflicts_total"), 1)];
    let against_memory = [":authority= api", "tenant= green", "x-request-id= a"];
    assert_eq!(counted(&policy("memory"), &against_memory), with("memory"));
    assert_eq!(counted(&policy("reject"), &against_memory), with("memory"));
    assert_eq!(counted(&policy("header"), &against_memory), [], "the default asks no memory");
    let against_baggage = [":authority= api", "tenant= green", "baggage= tenant=gray-v1"];
    assert_eq!(counted(&policy("header"), &against_baggage), with("baggage"));
    let agreed = [":authority= api", "tenant= gray-v1", "baggage= tenant=gray-v1", "x-request-id= a"];
    assert_eq!(counted(&policy("memory"), &agreed), []);
    let none = [":authority= api", "tenant= green", "baggage= tenant=stranger"];
    assert_eq!(counted(&policy("header"), &none), [], "what names no tenant disagrees with nothing");
}

/// Whatever strangers send, the number of series is bounded by what the file declares.
#[test]
fn only_declared_names_become_metrics() {
    let rejecting = STICKY.replace("services:", "policy: {conflict: reject, unknown: reject}\nservices:");
    for text in [STICKY, &rejecting] {
        let mut vm = vm();
        let [inbound, outbound, gateway] =
            [Role::Inbound, Role::Outbound, Role::Gateway].map(|role| load(&mut vm, text, role));
        for number in 0..50 {
            let tenant = format!("tenant= stranger-{number}");
            let known = ["tenant= green", "tenant= gray-v1"][number % 2];
            let authority = format!(":authority= host-{number}.example.com");
            let id = format!("x-request-id= {number}");
            let baggage = format!("baggage= tenant=stranger-{number}");
            for plugin in [inbound, outbound, gateway] {
                for tenant in [tenant.as_str(), known] {
                    send(&mut vm, plugin, &[&authority, tenant, &id, &baggage]);
                    send(&mut vm, plugin, &[":authority= api", tenant, &id]);
                    send(
                        &mut vm,
                        plugin,
                        &[":authority= api", tenant, "x-request-id= a", "baggage= tenant=gray-v1"],
                    );
                }
            }
        }
        let names: Vec<&String> = vm.state().metrics.keys().collect();
        assert!(names.iter().any(|name| name.ends_with("graylane_conflicts_total")), "{names:?}");
        let declared = [
            "inbound", "outbound", "gateway", "green", "gray-v1", "stable", "canary", "api", "other", "none",
            "header", "baggage", "memory", "default", "key", "request", "drawn", "unknown", "conflict",
            "missing",
        ];
        for name in &names {
            for (tag, value) in name.split(";.;").filter_map(|part| part.split_once("=.=")) {
                assert!(graylane_decide::metrics::TAGS.contains(&tag), "{name}");
                assert!(declared.contains(&value), "`{value}` is declared nowhere: {name}");
            }
        }
    }
}

use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::file::{File, findings};
use super::sticky;

const SHOP: &str = "\
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: {gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}, traceContext: restart}
sticky: {keys: [{header: x-user-id}], salt: s}
services:
  web:
    port: 80
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    pins: {gray-v1: canary}
    rollout: {weights: {canary: '${SHARE:-25}'}, salt: release-42}
    expose: {hosts: [shop.example]}
";

fn of<T: serde::de::DeserializeOwned>(value: Json) -> T {
    serde_json::from_value(value).unwrap()
}

fn shop() -> File {
    open(json!([{"name": "shop.yaml", "text": SHOP}]), json!({})).unwrap()
}

fn open(files: Json, options: Json) -> Result<File, Failure> {
    File::open(of(files), &of(options))
}

#[test]
fn a_request_is_followed_and_says_which_line_decided() {
    let asked = json!({"path": ["web"], "headers": {"Tenant": "gray-v1"}, "drops": ["web"]});
    let explained = shop().explain(of(asked)).unwrap();
    let hop = serde_json::to_value(&explained.hops[0]).unwrap();
    assert_eq!([&hop["subset"], &hop["reason"], &hop["line"]], [&json!("canary"), &json!("pin"), &json!(11)]);
    assert_eq!(explained.notes, [""; 0]);
    let asked = json!({"path": ["gateway", "web"], "headers": [["tenant", "gray-v1"]]});
    let explained = shop().explain(of(asked)).unwrap();
    assert_eq!(explained.hops[0].tenant.as_deref(), Some("green"));
    assert!(explained.notes[1].contains("does not accept a tenant header"), "{:?}", explained.notes);
}

#[test]
fn wrong_requests_name_the_value_and_no_option() {
    let message = |asked: Json| shop().explain(of(asked)).unwrap_err().message;
    assert_eq!(message(json!({"path": ["wbe"]})), "path: unknown service `wbe`: did you mean `web`?");
    let drops = json!({"path": ["web"], "drops": {"web": "some"}});
    assert_eq!(
        message(drops),
        "drops web=some: unknown `some`, expected some of all, tenant, baggage, everything"
    );
    for name in ["", "a b", "a:b"] {
        let asked = json!({"path": ["web"], "headers": {name: "c"}});
        assert_eq!(message(asked), format!("headers: invalid name `{name}`: expected one such as `tenant`"));
    }
    assert!(serde_json::from_value::<super::request::Asked>(json!({"path": ["web"], "header": {}})).is_err());
}

#[test]
fn files_with_errors_say_where_they_begin_and_end() {
    let text = SHOP.replace("gray-v1: canary", "gray-v2: canary");
    let failure = open(json!([{"name": "a.yaml", "text": text}]), json!({})).unwrap_err();
    assert!(failure.message.contains("unknown tenant `gray-v2`"), "{}", failure.message);
    assert!(failure.message.contains("a.yaml:11:12"), "{}", failure.message);
    assert!(!failure.message.contains('\x1b'), "{}", failure.message);
    let first = &failure.findings[0];
    let place = ["severity", "file", "line", "column", "endLine", "endColumn"].map(|key| first[key].clone());
    assert_eq!(Json::from(place.to_vec()), json!(["error", "a.yaml", 11, 12, 11, 19]));
    assert_eq!(first["help"], "did you mean `gray-v1`?");
    assert_eq!(open(json!([]), json!({})).unwrap_err().message.split(':').next(), Some("no files"));
}

#[test]
fn layers_and_variables_are_those_of_the_command_line() {
    let subset = |files, options| {
        let file = open(files, options).unwrap();
        file.user(b"alice").unwrap().sides[0].subset.clone().unwrap()
    };
    let layer = |name: &str, text: &str| json!({"name": name, "text": text});
    let shop = layer("shop.yaml", SHOP);
    assert_eq!(subset(json!([shop]), json!({})), "stable");
    assert_eq!(subset(json!([shop]), json!({"variables": {"SHARE": "100"}})), "canary");
    let over = layer("over.yaml", "services: {web: {rollout: {weights: {canary: 100}}}}");
    assert_eq!(subset(json!([shop, over]), json!({})), "canary");
    let more = layer("more.yaml", "services: {search: {port: 80, subsets: {only: {version: v1}}}}");
    assert_eq!(findings(of(json!([[shop, more]])), &of(json!({}))), json!([]));
    let twice = findings(of(json!([[shop, shop]])), &of(json!({})));
    assert!(twice.to_string().contains("is defined in two files"), "{twice}");
}

#[test]
fn users_are_placed_by_the_algorithm() {
    let user = shop().user(b"alice").unwrap();
    assert_eq!(user.unit, sticky::unit(b"alice", "s"));
    assert_eq!(Ok(user.sides[0].bucket), sticky::bucket(&user.unit, "release-42"));
    let subset = sticky::subset(f64::from(user.sides[0].bucket), "stable", &of(json!({"canary": 25})));
    assert_eq!(user.sides[0].subset, subset.ok());
    assert!(shop().user(b"").is_err());
    let subset = |bucket: f64, weights: Json| sticky::subset(bucket, "stable", &of(weights));
    let top = json!({"a": 10, "b": {"percent": 0.01, "from": "top"}});
    assert_eq!([999.0, 1000.0, 9999.0].map(|at| subset(at, top.clone()).unwrap()), ["a", "stable", "b"]);
    for wrong in [-1.0, 10_000.0, 0.5, f64::NAN] {
        assert!(subset(wrong, json!({})).is_err(), "{wrong}");
    }
    for wrong in [json!({"a": 101}), json!({"a": 0.001}), json!({"a": 60, "b": 60}), json!({"a=b": 1})] {
        assert!(subset(0.0, wrong.clone()).is_err(), "{wrong}");
    }
    assert!(sticky::bucket("ABC", "s").is_err());
}

#[test]
fn users_who_move_are_counted() {
    let simulate = |change: Json| shop().simulate(&of(change));
    let said = simulate(json!({"service": "web", "to": {"canary": 50}, "users": 10_000})).unwrap();
    assert_eq!([&said["users"], &said["movedBack"]], [&json!(10_000), &json!(0)]);
    assert!(said["moved"].as_u64().unwrap().abs_diff(2500) < 250, "{said}");
    let keys =
        json!({"service": "web", "from": {"canary": 0}, "to": {"canary": 100}, "users": ["alice", "bob"]});
    assert_eq!(simulate(keys).unwrap()["moved"], 2);
    let wrong = [
        json!({"service": "wbe", "to": {}}),
        json!({"service": "web", "to": {"canray": 1}}),
        json!({"service": "web", "to": {"canary": 101}}),
        json!({"service": "web", "to": {}, "users": 0}),
    ];
    for wrong in wrong {
        assert!(simulate(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn resources_are_those_of_the_command_line() {
    let render = |options: Json| shop().render(of(options));
    let digest = format!("registry.example/graylane@sha256:{}", "0".repeat(64));
    let all = serde_json::to_value(render(json!({"image": digest})).unwrap()).unwrap();
    let kinds: Vec<&str> = all.as_array().unwrap().iter().filter_map(|one| one["kind"].as_str()).collect();
    assert!(kinds.starts_with(&["DestinationRule", "WasmPlugin"]), "{kinds:?}");
    assert_eq!(all[0]["path"], "10-destinationrule.shop.shop-web.yaml");
    assert!(all.to_string().contains(&format!("oci://{digest}")));
    let only = serde_json::to_value(render(json!({"only": ["virtualservice"]})).unwrap()).unwrap();
    assert!(only.as_array().unwrap().iter().all(|one| one["kind"] == "VirtualService"), "{only}");
    let wrong = [
        (json!({"image": "registry.example/graylane:1"}), "has no digest"),
        (json!({"image": digest, "wasmUrl": "file:///x"}), "got both"),
        (json!({"istio": "1.2"}), "expected a version from 1.28 to 1.31, got `1.2`"),
        (json!({"istio": "1.28", "extension": "traffic-extension"}), "TrafficExtension came with Istio 1.30"),
        (json!({"only": ["Pod"]}), "only: unknown kind `Pod`"),
    ];
    for (options, want) in wrong {
        let message = render(options).unwrap_err().message;
        assert!(message.contains(want), "{message}");
    }
}

#[test]
fn a_crowd_is_those_users_that_simulate_counts() {
    let change = || of(json!({"service": "web", "to": {"canary": 40}, "users": 1000}));
    let crowd = shop().crowd(&change()).unwrap();
    let counted = shop().simulate(&change()).unwrap();
    assert_eq!(crowd.subsets, ["stable", "canary"]);
    let on = |list: &[usize], subset: usize| list.iter().filter(|is| **is == subset).count();
    assert_eq!(json!(on(&crowd.before, 1)), counted["before"]["canary"]);
    assert_eq!(json!(on(&crowd.after, 0)), counted["after"]["stable"]);
    let moved = crowd.before.iter().zip(&crowd.after).filter(|(was, is)| was != is).count();
    assert_eq!(json!(moved), counted["moved"]);
    let problem = |users: Json| {
        let change = of(json!({"service": "web", "to": {}, "users": users}));
        shop().crowd(&change).unwrap_err().message
    };
    assert_eq!(problem(json!(10_001)), "users: expected a number from 1 to 10000");
    assert_eq!(problem(json!(["a"])), "users: expected a number from 1 to 10000");
}

#[test]
fn an_outline_has_the_names_and_the_places_of_weights() {
    let text = "\
version: 1
mesh: {name: shop, namespace: shop}
tenants: {alpha: {}, live: {default: true}}
sticky: {keys: [{claim: [user, id]}]}
services:
  web:
    port: 80
    subsets: {a: {version: a}, b: {version: b}, c: {version: c}}
    baseline: a
    rollout: {weights: {b: 2.5, c: {percent: 10, from: top}}, salt: s}
";
    let outline = open(json!([{"name": "f", "text": text}]), json!({})).unwrap().outline();
    let outline = serde_json::to_value(outline).unwrap();
    assert_eq!(outline["tenants"], json!(["live", "alpha"]));
    assert_eq!(outline["keys"], json!([{"in": "claim", "name": ["user", "id"]}]));
    let line = text.lines().nth(9).unwrap();
    let written = |at: usize| {
        let place = &outline["services"][0]["rollout"]["weights"][at]["place"];
        assert_eq!([&place["line"], &place["endLine"]], [&json!(10), &json!(10)]);
        let column = |key: &str| place[key].as_u64().unwrap() as usize - 1;
        &line[column("column")..column("endColumn")]
    };
    assert_eq!([written(0), written(1)], ["2.5", "10"]);
}

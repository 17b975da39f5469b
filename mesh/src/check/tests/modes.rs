//! What can be found in modes.

use super::findings;

const GOOD: &str = "
version: 1
mesh: {name: shop, namespace: shop, namespaces: [pay], modes: {pay: observe, shop: enforce}}
tenants: {green: {default: true}, gray-v1: {}}
mode: off
services:
  api: {mode: observe, port: 80, subsets: {stable: {version: v1}}}
  web: {mode: 'off', subsets: {stable: {version: v1}}}
edge: {gateway: {selector: {istio: ingressgateway}}, mode: enforce, traceContext: restart}
";

#[track_caller]
fn one(from: &str, to: &str, parts: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let found = findings(&GOOD.replace(from, to));
    let [found] = &found[..] else { panic!("{found:#?}") };
    for part in parts {
        assert!(found.contains(part), "`{part}` is not in {found}");
    }
}

#[test]
fn modes_in_order_have_no_finding() {
    assert_eq!(findings(GOOD), [""; 0]);
}

#[test]
fn unknown_words_and_places() {
    one("mode: off\nservices", "mode: of\nservices", &["`mode` cannot be `of`", "did you mean `off`?"]);
    one(
        "api: {mode: observe",
        "api: {mode: observed",
        &["`services.api.mode` cannot be `observed`", "did you mean `observe`?"],
    );
    one("pay: observe", "pay: audit", &["`mesh.modes.pay` cannot be `audit`", "enforce, observe, off"]);
    one(
        "modes: {pay:",
        "modes: {pya:",
        &["unknown namespace `pya`", "did you mean `pay`?; or add it to `mesh.namespaces`"],
    );
    one(
        "api: {mode: observe, ",
        "api: {mode: observe, host: api.example.com, ",
        &["`api` has no pods in `shop`", "its host is `api.example.com`"],
    );
    one(
        "  web: {mode: 'off', ",
        "  web: {mode: 'off', host: api, port: 81, ",
        &["`off`, but `api` has the same pods and `observe`"],
    );
}

#[test]
fn a_gateway_is_never_off_and_enforces_before_pods_do() {
    one(
        "mode: enforce, traceContext: restart",
        "mode: 'off', traceContext: restart",
        &["a gateway cannot be `off`", "write `observe`"],
    );
    one(
        "edge: {gateway: {selector: {istio: ingressgateway}}, mode: enforce, traceContext: restart}",
        "edge: {mode: enforce}",
        &["and none is named"],
    );
    let observes = ("mode: enforce, traceContext", "traceContext");
    one(
        observes.0,
        observes.1,
        &[
            "Error",
            "the gateway observes and lets `tenant` of callers outside in",
            "add `mode: enforce` to `edge`",
        ],
    );
    one(observes.0, "mode: observe, traceContext", &["Warning", "the gateway observes and lets `tenant`"]);
    let nothing_enforces = GOOD.replace(observes.0, observes.1).replace("shop: enforce", "shop: observe");
    assert_eq!(findings(&nothing_enforces), [""; 0]);
    let accepted = GOOD.replace(observes.0, "accept: always, traceContext");
    assert!(findings(&accepted).iter().all(|found| !found.contains("Error")), "{:?}", findings(&accepted));
    let enforcing = GOOD.replace("mode: off\n", "").replace("mode: enforce, trace", "mode: observe, trace");
    assert!(findings(&enforcing.replace("shop: enforce", "shop: observe"))[0].contains("Warning"));
}

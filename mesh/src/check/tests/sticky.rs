//! What can be found about sticky users and the edge.

use super::{GOOD, findings, one};

#[test]
fn sticky_and_edge() {
    one("{header: x-user-id}", "{}", &["a sticky key needs exactly one source"]);
    one("{header: x-user-id}", "{header: a, cookie: b}", &["a sticky key needs exactly one source"]);
    one("{header: x-user-id}", "{cookie: 'a=b'}", &["invalid cookie name `a=b`"]);
    one("{header: x-user-id}", "{claim: sub}", &["Warning: this key is seen at a gateway only"]);
    one(
        "{header: x-user-id}",
        "{cookie: id, mint: {maxAge: 30d}}",
        &["Warning: a cookie is made at a gateway only"],
    );
    one(
        "{keys: [{header: x-user-id}]}",
        "{keys: [{header: x-user-id}], at: edge}",
        &["Warning: keys are read at the edge only, and the file names no gateway"],
    );
    let without =
        GOOD.replace("sticky: {keys: [{header: x-user-id}]}\n", "") + "    rollout: {weights: {canary: 1}}\n";
    assert!(findings(&without)[0].contains("Warning: rollouts without"));
    let edge = |text: &str, says: &[&str]| one("version: 1", &format!("version: 1\nedge: {text}"), says);
    edge("{accept: always}", &["Warning: `always`: any caller outside can choose a tenant"]);
    edge("{gateway: {}}", &["`edge.gateway` has no `selector`", "root namespace"]);
    edge("{gateway: {namespace: shop}}", &["`edge.gateway` has no `selector`: sidecars of this namespace"]);
    edge("{gateway: {selector: {istio: x}, name: A/b/}}", &["invalid Gateway `A/b/`"]);
}

#[test]
fn a_claim_before_a_cookie_makes_one_say_what_an_identity_is() {
    let text = |sticky: &str| {
        let edge = "version: 1\nedge: {gateway: {selector: {istio: ingressgateway}}, jwt: {issuer: 'https://id.example'}}";
        GOOD.replace("sticky: {keys: [{header: x-user-id}]}", &format!("sticky: {sticky}"))
            .replace("version: 1", edge)
    };
    let quiet = findings(&text("{keys: [{header: x-user-id}]}"));
    let says = |sticky: &str, part: &str| {
        let found = findings(&text(sticky));
        let new: Vec<&String> = found.iter().filter(|one| !quiet.contains(one)).collect();
        assert!(new.len() == 1 && new[0].contains(part), "{sticky}: {new:#?}");
    };
    let says_nothing = |sticky: &str| assert_eq!(findings(&text(sticky)), quiet, "{sticky}");
    let cookie = "{cookie: lane-id, mint: {maxAge: 30d}}";
    says(&format!("{{keys: [{{claim: sub}}, {cookie}]}}"), "get another unit when they log in");
    says("{identity: session, keys: [{claim: sub}]}", "`session` needs a cookie among `sticky.keys`");
    says("{identity: session}", "`session` needs a cookie among `sticky.keys`");
    says(
        &format!("{{identity: user, keys: [{cookie}, {{claim: sub}}]}}"),
        "keep the cookie's version when they log in",
    );
    says_nothing(&format!("{{identity: user, keys: [{{claim: sub}}, {cookie}]}}"));
    says_nothing(&format!("{{identity: session, keys: [{{claim: sub}}, {cookie}]}}"));
    says_nothing(&format!("{{keys: [{cookie}, {{claim: sub}}]}}"));
}

#[test]
fn a_hash_key_is_named_and_never_written() {
    const KEY: &str = "a0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3";
    let text = |sticky: &str| {
        let edge = "version: 1\nedge: {gateway: {selector: {istio: ingressgateway}}}";
        GOOD.replace("sticky: {", &format!("sticky: {{{sticky}, ")).replace("version: 1", edge)
    };
    let quiet = findings(&text("at: edge"));
    let says = |sticky: &str, part: &str| {
        let found = findings(&text(sticky));
        let new: Vec<&String> = found.iter().filter(|one| !quiet.contains(one)).collect();
        assert!(new.len() == 1 && new[0].contains(part) && new[0].contains("Error"), "{sticky}: {new:#?}");
        assert!(!new[0].contains(KEY), "{}", new[0]);
    };
    says("hash: keyed", "`keyed` without a key");
    says("hashKeys: {k1: A}", "`hashKeys` without `hash: keyed`");
    says("hash: open, hashKeys: {k1: A}", "`hashKeys` without `hash: keyed`");
    says("hash: keyed, hashKeys: {k1: A, k2: B}", "nothing says which one is used");
    says("hash: keyed, hashKeys: {k1: A}, hashKey: k2", "unknown hash key `k2`");
    says("hash: keyed, hashKeys: {k1: A, k2: A}, hashKey: k1", "two hash keys in one variable");
    says("hash: keyed, hashKeys: {k1: A, k2: B, k3: C}, hashKey: k1", "3 hash keys: expected 2 at most");
    says(&format!("hash: keyed, hashKeys: {{k1: {KEY}}}"), "expected the name of an environment variable");
    says(
        "hash: keyed, hashKeys: {k1: AAECAwQFBgcICQoLDA0ODw==}",
        "expected the name of an environment variable",
    );
    says("hash: keyed, hashKeys: {k1: GRAYLANE_HEADER}", "has another meaning");
    says("hash: keyed, at: anywhere, hashKeys: {k1: A}", "only a gateway has the key");
    let ok = |sticky: &str| assert_eq!(findings(&text(sticky)), quiet, "{sticky}");
    ok("hash: keyed, hashKeys: {k1: A}");
    ok("hash: keyed, hashKeys: {k1: A, k2: B}, hashKey: k2");
    ok("hash: open");
}

#[test]
fn token_keys_are_named_and_never_written() {
    const KEY: &str = "a0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3";
    let text = |gateway: &str, tokens: &str| {
        let edge = format!("version: 1\nedge: {{{gateway}{tokens}}}");
        GOOD.replace("sticky: {", "sticky: {hash: keyed, hashKeys: {k1: H}, ").replace("version: 1", &edge)
    };
    let gateway = "gateway: {selector: {istio: ingressgateway}}";
    let quiet = findings(&text(gateway, ""));
    let says = |keys: &str, part: &str| {
        let found = findings(&text(gateway, &format!(", tokens: {{keys: {keys}}}")));
        let new: Vec<&String> = found.iter().filter(|one| !quiet.contains(one)).collect();
        assert!(new.len() == 1 && new[0].contains(part) && new[0].contains("Error"), "{keys}: {new:#?}");
        assert!(!new[0].contains(KEY), "{}", new[0]);
    };
    says("[]", "no key: no token would count");
    says("[A, A]", "two token keys in one variable");
    says("[A, B, C]", "3 token keys: expected 2 at most");
    says("[H]", "the key in `H` makes units as well");
    says(&format!("[{KEY}]"), "expected the name of an environment variable");
    says("[GRAYLANE_HEADER]", "has another meaning");
    assert_eq!(findings(&text(gateway, ", tokens: {keys: [A, B]}")), quiet);
    let without = findings(&text("", "tokens: {keys: [A]}"));
    assert!(without.iter().any(|one| one.contains("a gateway reads tokens")), "{without:#?}");
}

//! What can be found in rules, tokens, keys and cookies.

use super::findings;

/// A file in order; rules, keys and tokens go where `{}` is.
const GATE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}, partner-acme: {}}
sticky: {keys: [{header: x-user-id}]}
services:
  api: {expose: {hosts: [shop.example.com]}, subsets: {stable: {version: v1}}}
edge:
  gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}
";

fn edge(lines: &str) -> Vec<String> {
    findings(&format!("{GATE}  {}\n", lines.replace('\n', "\n  ")))
}

/// These lines of `edge` have exactly one finding, which says all of these things, with a remedy.
fn one(lines: &str, says: &[&str]) {
    let found = edge(lines);
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    for part in says {
        assert!(found[0].contains(part), "{lines}: `{part}` is not in {}", found[0]);
    }
    assert!(!found[0].contains("(no help)"), "{}", found[0]);
}

/// A rule with this condition has exactly one finding.
fn rule(condition: &str, says: &[&str]) {
    one(&format!("rules:\n- {{tenant: gray-v1, trusted: true, {condition}}}"), says);
}

#[test]
fn rules_in_order_have_no_finding() {
    let rules = "jwt: {issuer: 'https://id.example'}
remove: [x-user-role]
rules:
- {tenant: gray-v1, claim: {name: role, exact: employee}}
- {mayChoose: [gray-v1, partner-acme], claim: {name: [realm, roles], in: [tester, '5', 'true']}, header: {name: x-app, prefix: mobile/}}
- {tenant: gray-v1, header: {name: x-user-id, in: [alice, bob]}, trusted: true}
- {tenant: gray-v1, all: [{cookie: {name: lane, exact: gray}}, {not: {query: {name: live, present: true}}}], trusted: true}
- {tenant: gray-v1, any: [{certificate: {prefix: 'spiffe://bank.example/'}}, {source: [10.0.0.0/8, '2001:db8::/32', 203.0.113.9]}]}
- {tenant: partner-acme, host: {suffix: .acme.example}, path: {regex: '/v[0-9]+/.*'}, method: {in: [GET, POST]}}";
    assert_eq!(edge(rules), [""; 0]);
}

#[test]
fn a_rule_needs_a_tenant_and_a_condition() {
    one(
        "rules:\n- {host: {exact: a.example}}",
        &["11: Error: a rule with neither `tenant` nor `mayChoose`", "`mayChoose: [..]`"],
    );
    rule("mayChoose: [gray-v1], host: {exact: a.example}", &["not both"]);
    one("rules:\n- {tenant: gray-v1}", &["a rule without a condition: it applies to every caller"]);
    one(
        "rules:\n- {tenant: grey-v1, host: {exact: a}}",
        &["unknown tenant `grey-v1` / did you mean `gray-v1`?"],
    );
    one("rules:\n- {mayChoose: [acme], host: {exact: a}}", &["unknown tenant `acme`"]);
    rule("hots: {exact: a}", &["`hots` is not a key of `edge.rules.0` / did you mean `host`?"]);
    rule("any: []", &["`any` of nothing"]);
    rule("not: {}", &["an empty condition"]);
    let deep = (0..9).fold("host: {exact: a}".to_owned(), |inner, _| format!("not: {{{inner}}}"));
    rule(&deep, &["more than 8 deep"]);
    let found = edge("accept: always\nrules:\n- {mayChoose: [gray-v1], host: {exact: a}}");
    assert!(found.iter().any(|finding| finding.contains("every caller can choose already")), "{found:?}");
}

#[test]
fn what_anybody_can_type_is_trusted_on_purpose() {
    let typed = "any caller can send a header, cookie or query parameter";
    for condition in [
        "header: {name: x, exact: a}",
        "cookie: {name: x, exact: a}",
        "query: {name: x, exact: a}",
        "all: [{host: {exact: a}}, {not: {header: {name: x, exact: a}}}]",
        "any: [{source: [10.0.0.0/8]}, {query: {name: x, exact: a}}]",
    ] {
        one(&format!("rules:\n- {{tenant: gray-v1, {condition}}}"), &[typed, "`trusted: true`"]);
        one(&format!("rules:\n- {{mayChoose: [gray-v1], {condition}}}"), &[typed]);
    }
    assert_eq!(
        edge("rules:\n- {tenant: gray-v1, source: [10.0.0.0/8], query: {name: x, exact: a}}"),
        [""; 0]
    );
    rule("certificate: {absent: true}", &["Warning: callers without any token or certificate match"]);
    rule("not: {certificate: {exact: a}}", &["Warning: callers without any token or certificate match"]);
}

#[test]
fn tests_of_texts() {
    rule("host: {}", &["`host` has no condition on its value", "exact, in, prefix"]);
    rule("header: {name: x}", &["`header` has no condition on its value"]);
    rule("host: {exact: a, suffix: b}", &["more than one test"]);
    rule("host: {present: false}", &["write `absent: true`"]);
    rule("cookie: {name: x, absent: false}", &["write `present: true`"]);
    rule("host: {in: []}", &["an empty `in` never matches"]);
    rule("host: {prefix: ''}", &["an empty value never matches"]);
    rule("host: {exact: 'https://a.example/x'}", &["neither scheme, port nor path / write `a.example`"]);
    rule("path: {exact: v1}", &["a path starts with `/` / write `/v1`"]);
    rule("path: {in: ['/v1?x=1']}", &["the query is not part of the path"]);
    rule("method: {exact: get}", &["methods are in capitals / write `GET`"]);
    rule("path: {regex: 'a(b'}", &["`a(b` cannot be a regular expression: unclosed group"]);
    rule("path: {regex: '(a|b)*a(a|b){15}'}", &["too large a table; 500 states are allowed"]);
}

#[test]
fn names_and_networks() {
    rule("header: {name: Tenant, exact: a}", &["`Tenant` is the tenant header itself", "`mayChoose: [..]`"]);
    rule("header: {name: authorization, exact: a}", &["write `claim:"]);
    rule("header: {name: X-Forwarded-For, exact: a}", &["write `source:"]);
    rule("header: {name: 'a b', exact: a}", &["clients cannot send the header `a b`"]);
    rule("header: {name: x-graylane-x, exact: a}", &["clients cannot send the header"]);
    rule("cookie: {name: 'a=b', exact: a}", &["invalid cookie name `a=b`"]);
    rule("source: [10.1.2.3/8]", &["11: Error: invalid network `10.1.2.3/8` / did you mean `10.0.0.0/8`?"]);
    rule("source: ['2001:db8::1/32']", &["did you mean `2001:db8::/32`?"]);
    rule("source: [10.0.0.0/33]", &["invalid network `10.0.0.0/33` / write networks"]);
    rule("source: [10.0.0/8]", &["invalid network"]);
    one("remove: ['a b']", &["`a b` cannot be removed"]);
    one("remove: [Cookie]", &["`Cookie` cannot be removed"]);
}

#[test]
fn a_rule_that_an_earlier_one_covers_is_named() {
    let rules = "rules:
- {tenant: partner-acme, host: {suffix: .acme.example}}
- {tenant: gray-v1, host: {exact: eu.acme.example}, path: {prefix: /x}}";
    one(rules, &["12: Warning: this rule never matches: an earlier one covers it"]);
}

#[test]
fn tokens() {
    let claim = "rules:\n- {tenant: gray-v1, claim: {name: role, exact: employee}}";
    one(
        claim,
        &["Warning: a rule on a claim, but the file names no `jwt`", "RequestAuthentication must exist"],
    );
    let unnamed = "rules:\n- {tenant: gray-v1, claim: {name: [], exact: x}}\njwt: {issuer: x}";
    one(unnamed, &["a claim without a name", "[realm_access, roles]"]);
    let jwt = |fields: &str, says: &[&str]| one(&format!("jwt: {{{fields}}}"), says);
    jwt("issuer: ' '", &["the issuer is empty"]);
    jwt("issuer: x, jwksUri: id.example/keys", &["invalid URL `id.example/keys`"]);
    jwt(
        "issuer: x, jwksUri: 'http://id.example/keys'",
        &["Warning: `http://id.example/keys`: anyone on the network path"],
    );
    jwt("issuer: x, render: true", &["Warning: every other bearer token on that gateway will get 401"]);
    let nowhere = findings(&GATE.replace(
        "  gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}\n",
        "  jwt: {issuer: x, render: true}\n  rules: [{tenant: gray-v1, source: [10.0.0.0/8]}]\n",
    ));
    assert!(nowhere.iter().any(|finding| finding.contains("a RequestAuthentication applies to a gateway")));
    assert!(nowhere.iter().any(|finding| finding.contains("Warning: rules apply at a gateway")));
}

#[test]
fn keys_and_cookies() {
    let key = |key: &str, says: &[&str]| {
        let found = findings(&GATE.replace("{header: x-user-id}", key));
        assert_eq!(found.len(), 1, "{key}: {found:#?}");
        says.iter()
            .for_each(|part| assert!(found[0].contains(part), "{key}: `{part}` is not in {}", found[0]));
        assert!(!found[0].contains("(no help)"), "{}", found[0]);
    };
    for fine in ["{claim: sub}", "{source: true}", "{query: user}", "{cookie: lane-id, mint: {maxAge: 30d}}"]
    {
        assert_eq!(findings(&GATE.replace("{header: x-user-id}", fine)), [""; 0], "{fine}");
    }
    key("{claim: sub, query: x}", &["a sticky key needs exactly one source"]);
    key("{claim: []}", &["a claim without a name"]);
    key(
        "{cookie: JSESSIONID}",
        &["5: Warning: `JSESSIONID` looks like a session", "at each login", "`{claim: sub}`"],
    );
    let mint = |fields: &str, says: &[&str]| key(&format!("{{cookie: id, mint: {{{fields}}}}}"), says);
    key("{header: x, mint: {maxAge: 30d}}", &["only a cookie can be minted"]);
    mint("maxAge: long", &["invalid duration `long`"]);
    mint("maxAge: 1000d", &["Warning: no browser keeps a cookie for `1000d`", "`400d`"]);
    mint("maxAge: 500ms", &["expires at once"]);
    mint("", &["Warning: a cookie without `maxAge`"]);
    mint("maxAge: 1d, path: x", &["invalid cookie path `x`"]);
    mint("maxAge: 1d, domain: 'a b'", &["invalid domain `a b`"]);
    mint("maxAge: 1d, sameSite: none, secure: false", &["browsers refuse this cookie without `Secure`"]);
    mint(
        "maxAge: 1d, secure: false",
        &["5: Warning: `shop.example.com`: without `Secure`", "remove `secure: false`"],
    );
    mint("maxAge: 1d, sameSite: Lax", &["cannot be `Lax` / did you mean `lax`?"]);
    key("{cookie: __Host-id, mint: {maxAge: 1d, path: /x}}", &["browsers refuse a cookie `__Host-…`"]);
    key("{cookie: a, mint: {maxAge: 1d}}, {cookie: b, mint: {maxAge: 1d}}", &["a second minted cookie"]);
    let local = GATE.replace("shop.example.com", "shop.test");
    let plain = "{cookie: id, mint: {maxAge: 1d, secure: false}}";
    assert_eq!(findings(&local.replace("{header: x-user-id}", plain)), [""; 0]);
}

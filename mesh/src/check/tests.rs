//! Everything that `check` can find, each in the smallest file that has it.

mod carriers;
mod debug;
mod edge;
mod external;
mod gateways;
mod many;
mod modes;
mod owners;
mod rollout;
mod sticky;
mod telemetry;
mod versions;
mod workers;

use crate::document;

/// A file in order; `{}` is where a test adds something.
const GOOD: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
";

/// What is wrong or probably wrong, as `line: severity: message / help`.
fn findings(text: &str) -> Vec<String> {
    everything(text).into_iter().filter(|finding| !finding.contains(": Note: ")).collect()
}

/// What is good to know.
fn notes(text: &str) -> Vec<String> {
    everything(text).into_iter().filter(|finding| finding.contains(": Note: ")).collect()
}

fn everything(text: &str) -> Vec<String> {
    let mut loaded = document::load_text("test.yaml", text).unwrap();
    if let Some(project) = &loaded.project {
        super::check(project, &mut loaded.findings);
    }
    loaded.findings.sort();
    loaded
        .findings
        .iter()
        .map(|finding| {
            let line = finding.span.map_or(0, |span| span.line);
            let help = finding.help.as_deref().unwrap_or("(no help)");
            format!("{line}: {:?}: {} / {help}", finding.severity, finding.message)
        })
        .collect()
}

/// A file with one change has exactly this finding, which says all of these things.
fn one(from: &str, to: &str, says: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let found = findings(&GOOD.replace(from, to));
    assert_eq!(found.len(), 1, "{to}: {found:#?}");
    for part in says {
        assert!(found[0].contains(part), "{to}: `{part}` is not in {}", found[0]);
    }
    assert!(!found[0].contains("(no help)"), "{}", found[0]);
}

#[test]
fn a_file_in_order_has_no_finding() {
    assert_eq!(findings(GOOD), [""; 0]);
    let shortest = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1:}
services: {orders: {subsets: {stable: {version: v1}}}}
";
    assert_eq!(findings(shortest), [""; 0]);
}

#[test]
fn the_whole_document_is_read() {
    let whole = include_str!("whole.yaml");
    let found = findings(whole);
    assert!(found.iter().all(|finding| !finding.contains(": Error:")), "{found:#?}");
}

#[test]
fn shape() {
    one("version: 1", "version: 2", &["2: Error: `version` cannot be 2 / write 1"]);
    one(
        "version: 1",
        "version: 1\nmodes: observe",
        &["3: Error: `modes` is not a key of the file / did you mean `mode`?"],
    );
    one(
        "version: 1",
        "version: 1\nmode: obsrve",
        &["`mode` cannot be `obsrve` / did you mean `observe`?", "enforce, observe"],
    );
    one(
        "version: 1",
        "version: 1\negress: {gateways: a.b}",
        &["`egress.gateways` must be a list, not text / write [a.b]"],
    );
    one("name: shop, ", "", &["`mesh` has no `name` / add `name:`"]);
    one(
        "    baseline: stable",
        "    baseline: stable\n    port: '80'",
        &["`services.api.port` must be a whole number, not text / write 80, without quotes"],
    );
    one(
        "    baseline: stable",
        "    baseline: stable\n    port: 0",
        &["`services.api.port` cannot be 0 / write a number from 1 to 65535"],
    );
    one(
        "version: v2",
        "version: 2",
        &[
            "`services.api.subsets.canary.version` must be text, not a number; it is read as \"2\" / write \"2\", in quotes",
        ],
    );
    one(
        "    baseline: stable",
        "    baseline: stable\n    baseline: canary",
        &["10: Error: duplicate key `baseline`"],
    );
}

#[test]
fn mistakes_of_every_kind_are_found_together() {
    let bad = GOOD.replace("version: 1\n", "version: 1\nfoo: 1\n").replace("name: shop", "name: Shop");
    let bad = bad + "    pins: {gray: canary}\n    port: x\n";
    let found = findings(&bad);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.windows(2).all(|pair| {
        let line = |finding: &String| finding.split(':').next().unwrap().parse::<usize>().unwrap();
        line(&pair[0]) <= line(&pair[1])
    }));
}

#[test]
fn tenants() {
    one("gray-v1: {}", "gray-v1: {}, -x: {}", &["`-x` cannot be the name of a tenant", "63 letters"]);
    one(
        "gray-v1: {}",
        "gray-v1: {default: true}",
        &["a second default tenant: `green`", "keep `default: true` for one of `gray-v1`, `green`"],
    );
    one("{default: true}", "{}", &["4: Error: no tenant is the default", "`gray-v1: {default: true}`"]);
    one("version: 1", "version: 1\nheader: cookie", &["`cookie` cannot be the tenant header"]);
    one("version: 1", "version: 1\nheader: x-graylane-x", &["cannot be the tenant header"]);
}

#[test]
fn mesh_and_policy() {
    one("name: shop", "name: Shop", &["`Shop` cannot be the name of a mesh"]);
    one("namespace: shop", "namespace: sh_op", &["`sh_op` cannot be a namespace"]);
    one("version: 1", "version: 1\npolicy: {remember: 2h}", &["invalid duration `2h`", "from `1s` to `1h`"]);
    one("version: 1", "version: 1\npolicy: {restore: [memory, memory]}", &["duplicate `memory`"]);
    one("version: 1", "version: 1\npolicy: {exempt: {paths: [healthz]}}", &["invalid path `healthz`"]);
    one(
        "version: 1",
        "version: 1\negress: {gateways: [egress]}",
        &["expected a full host name, got `egress`", "egress.istio-system.svc.cluster.local"],
    );
}

#[test]
fn services() {
    let service = |line: &str, says: &[&str]| {
        one("    baseline: stable", &format!("    baseline: stable\n    {line}"), says);
    };
    one(
        "    baseline: stable",
        "",
        &["7: Error: `api` has several subsets, and none is the baseline", "`canary`, `stable`"],
    );
    one("baseline: stable", "baseline: stabel", &["`api` has no subset `stabel` / did you mean `stable`?"]);
    one(
        "canary: {version: v2}",
        "canary: {version: v1}",
        &["subsets `canary` and `stable` have the same labels"],
    );
    one("canary: {version: v2}", "canary: {}", &["subset `canary` has no label"]);
    one("canary: {version: v2}", "canary: {a b: v2}", &["invalid pod label `a b`"]);
    service("pins: {gray: canary}", &["10: Error: a pin for the unknown tenant `gray`", "`gray-v1`"]);
    service("pins: {gray-v1: nothing}", &["`gray-v1` is pinned to the unknown subset `nothing` of `api`"]);
    service(
        "host: api.other",
        &["neither a short nor a full host name", "`api.other.svc.cluster.local`", "`api.other.`"],
    );
    service("host: 'API!'", &["invalid host name"]);
    service("namespace: Other", &["`Other` cannot be a namespace"]);
    one(
        "services:",
        "services:\n  again: {host: api, subsets: {stable: {version: v1}}}",
        &["`again` and `api` have the same host", "`port`"],
    );
}

#[test]
fn rollouts() {
    let rollout = |text: &str, says: &[&str]| {
        one("    baseline: stable", &format!("    baseline: stable\n    rollout: {{{text}}}"), says);
    };
    rollout("weights: {}", &["a rollout without a canary"]);
    rollout("weights: {canary: 101}", &["invalid weight 101"]);
    rollout("weights: {canary: 33.333}", &["invalid weight 33.333", "two decimals"]);
    rollout("weights: {canari: 1}", &["`api` has no subset `canari` / did you mean `canary`?"]);
    rollout("weights: {stable: 1}", &["`stable` is the baseline: it gets the rest"]);
    rollout("weights: {canary: 1}, tenants: [blue]", &["unknown tenant `blue`"]);
    rollout("weights: {canary: 1}, tenants: []", &["no tenant takes part"]);
    rollout("weights: {canary: 1}, salt: a b", &["`a b` cannot be a salt"]);
    rollout("weights: {canary: 1}, steps: [5, 1]", &["step 1 comes after 5"]);
    rollout("weights: {canary: 1}, steps: [0]", &["invalid step 0"]);
    rollout("weights: {canary: 1}, hold: soon", &["invalid duration `soon`", "`10m`"]);
    let three = GOOD.replace("canary: {version: v2}", "canary: {version: v2}, other: {version: v3}");
    let found = findings(&(three.clone() + "    rollout: {weights: {canary: 60, other: 60}}\n"));
    assert!(found.iter().any(|finding| finding.contains("Error: the weights add up to 120 %")), "{found:?}");
    let found = findings(&(three.clone() + "    rollout: {weights: {canary: 5, other: 5}}\n"));
    assert!(
        matches!(&found[..], [only] if only.contains("Warning: `canary`, `other` all take users from the bottom")),
        "{found:?}"
    );
    let ends = "    rollout: {weights: {canary: 5, other: {percent: 5, from: top}}}\n";
    assert_eq!(findings(&(three + ends)), [""; 0]);
    let pinned = GOOD.to_owned()
        + "    pins: {gray-v1: canary}\n    rollout: {weights: {canary: 1}, tenants: [green, gray-v1]}\n";
    assert!(findings(&pinned)[0].contains("Warning: `gray-v1` never takes part: its pin comes first"));
}

#[test]
fn what_is_said_in_istios_words() {
    let service = |line: &str, says: &[&str]| {
        one("    baseline: stable", &format!("    baseline: stable\n    {line}"), says);
    };
    service(
        "http: {timeut: 3s}",
        &["10: Error: `timeut` is not a key of `services.api.http` / did you mean `timeout`?"],
    );
    service("http: {timeout: 3}", &["`services.api.http.timeout` cannot be `3`"]);
    service("http: {timeout: soon}", &["`services.api.http.timeout` cannot be `soon`"]);
    service("http: {route: []}", &["`route` cannot be set here"]);
    service("http: {mirror: {host: other}}", &["Warning: mirrored requests have real side effects"]);
    service("trafficPolicy: {loadBalancer: {simple: FASTEST}}", &["cannot be `FASTEST`", "LEAST_REQUEST"]);
    service(
        "trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}",
        &["exclude each other", "keep one of simple, consistentHash"],
    );
    service("routes: [{match: []}]", &["a route without a `match`"]);
    service(
        "routes: [{match: [{url: {prefix: /x}}]}]",
        &["`url` is not a key of `services.api.routes.0.match.0` / did you mean `uri`?"],
    );
    service("routes: [{match: [{headers: {tenant: {exact: x}}}]}]", &["cannot match the tenant header"]);
    service(
        "routes: [{name: a, match: [{uri: {prefix: /x}}]}, {name: a, match: [{uri: {prefix: /y}}]}]",
        &["a second route `a`"],
    );
    service(
        "routes: [{match: [{uri: {prefix: /x}}], pins: {blue: canary}}]",
        &["a pin for the unknown tenant `blue`"],
    );
    service("fallback: baseline", &["Warning: `fallback` has no effect"]);
    service("expose: {hosts: [api.example.com]}", &["the file names no Gateway"]);
    let three = GOOD.replace("canary: {version: v2}", "canary: {version: v2}, other: {version: v3}")
        + "    pins: {gray-v1: canary}\n    fallback: baseline\n";
    assert!(
        findings(&three)[0]
            .contains("no label distinguishes the pods of `canary` and `stable` from all others")
    );
    let told = three
        .replace("{version: v1}", "{version: v1, lane: a}")
        .replace("{version: v2}", "{version: v2, lane: a}");
    assert_eq!(findings(&told), [""; 0]);
    one(
        "services:",
        "services:\n  API: {host: other, subsets: {stable: {version: v1}}}",
        &["would produce resources with the same name"],
    );
    let shared = "services:\n  grpc: {host: api, port: 9090, subsets: {stable: {version: v9}}}";
    let shared = GOOD
        .replace("services:", shared)
        .replace("    baseline: stable", "    baseline: stable\n    port: 80");
    assert!(
        findings(&shared)[0].contains("subset `stable` has other labels in `api`"),
        "{:?}",
        findings(&shared)
    );
}

#[test]
fn alerts_mean_something_and_call_one_each() {
    let with = |alerts: &str| format!("alerts: {alerts}\n");
    let says = |alerts: &str, parts: &[&str]| {
        let found = findings(&format!("{GOOD}{}", with(alerts)));
        assert_eq!(found.len(), 1, "{alerts}: {found:#?}");
        parts.iter().for_each(|part| assert!(found[0].contains(part), "{part}: {}", found[0]));
    };
    says("{errorRatio: {canaryOverBaseline: 0.5}}", &["Error", "expected 1 or more, got 0.5"]);
    says("{errorRatio: {canaryOverBaseline: 2, min: 5}}", &["Error", "invalid minimum 5", "from 0 to 1"]);
    says("{latencyP99: {canaryOverBaseline: 2, min: -1}}", &["Error", "invalid minimum -1", "milliseconds"]);
    says("{runbooks: wiki}", &["Error", "invalid address `wiki`", "https://"]);
    says("{notify: [{}]}", &["Error", "exactly one receiver", "`slack` and `pagerduty`"]);
    says(
        "{notify: [{slack: {channel: a}, pagerduty: {routingKey: {secret: a, key: b}}}]}",
        &["Error", "exactly one receiver"],
    );
    says("{notify: [{slack: {channel: a, webhook: https://hooks.example/1}}]}", &["Error"]);
    says("{}\ntelemetry: {metrics: false}", &["Warning", "lost headers", "`telemetry.metrics: true`"]);
    says(
        "{errorRatio: {canaryOverBaseline: 2}}\ntelemetry: {tracing: false}",
        &["Error", "cannot distinguish subsets", "`telemetry.tracing: true`"],
    );
    says(
        "{latencyP99: {canaryOverBaseline: 2}}\ntelemetry: {histograms: false}",
        &["Error", "latency of a subset is not known", "`histograms: true`"],
    );
    let envoy = "{errorRatio: {canaryOverBaseline: 2}}\ntelemetry: {tracing: false, source: envoy}";
    assert_eq!(findings(&format!("{GOOD}{}", with(envoy))), [""; 0], "Envoy's clusters are subsets anyway");
}

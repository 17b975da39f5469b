//! What each path may ask of the host.

use super::*;

/// A file that names an id beyond the default ones.
const NAMED: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
policy: {ids: [request-id, w3c, b3, {header: x-correlation-id}]}
services:
  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray-v1: canary}}
";

const TOKENS: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: {gateway: {selector: {istio: ingressgateway}}, tokens: {keys: [TOKEN_KEY]}}
sticky: {keys: [{header: x-user-id}]}
services:
  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, rollout: {weights: {canary: 25}}}
";

const EDGE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge:
  gateway: {selector: {istio: ingressgateway}}
  jwt: {issuer: 'https://id.example'}
  rules:
    - {tenant: gray-v1, header: {name: x-app, prefix: qa/}, path: {regex: '/v[0-9]+/.*'}, trusted: true}
    - {tenant: gray-v1, host: {suffix: .qa.example}}
    - {mayChoose: [gray-v1], source: [10.0.0.0/8]}
    - {tenant: gray-v1, claim: {name: role, exact: employee}}
    - {tenant: gray-v1, claim: {name: role, exact: tester}}
sticky: {keys: [{claim: sub}, {cookie: lane-id, mint: {maxAge: 30d}}]}
services:
  api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, rollout: {weights: {canary: 25}}}
";

/// The budget of host calls, in calls that return bytes and calls that do not: one metric included, filter state off.
/// Where the memory is used, the clock is one more.
struct Path {
    name: &'static str,
    text: &'static str,
    role: Role,
    /// Sent through the inbound plugin of the same VM first.
    before: &'static [&'static [&'static str]],
    request: &'static [&'static str],
    budget: (u32, u32),
}

const PATHS: [Path; 20] = [
    Path {
        name: "inbound, default tenant present",
        text: PLAIN,
        role: Role::Inbound,
        before: &[],
        request: &[":authority= api", "tenant= green", "x-request-id= a", TRACE],
        budget: (1, 1),
    },
    Path {
        name: "inbound, absent",
        text: PLAIN,
        role: Role::Inbound,
        before: &[],
        request: &[":authority= api", "x-request-id= a", TRACE],
        budget: (1, 2),
    },
    Path {
        name: "inbound gray, id known to this worker",
        text: PLAIN,
        role: Role::Inbound,
        before: &[&["tenant= gray-v1", "x-request-id= a"]],
        request: &["tenant= gray-v1", "x-request-id= a"],
        budget: (1, 1 + 1),
    },
    Path {
        name: "inbound gray, one new id, its slot in use",
        text: PLAIN,
        role: Role::Inbound,
        before: &[&["tenant= green", "x-request-id= a"]],
        request: &["tenant= gray-v1", "x-request-id= a"],
        budget: (2, 2 + 1),
    },
    Path {
        name: "inbound gray, new request id and new trace id",
        text: PLAIN,
        role: Role::Inbound,
        before: &[],
        request: &["tenant= gray-v1", "x-request-id= a", TRACE],
        budget: (3, 3 + 1),
    },
    Path {
        name: "inbound, default tenant, an id that the file names: new request id, its slot in use",
        text: NAMED,
        role: Role::Inbound,
        before: &[],
        // What the default list costs no live request: the clock, and one slot read and written.
        request: &["tenant= green", "x-correlation-id= a"],
        budget: (2, 2 + 1),
    },
    Path {
        name: "inbound, default tenant, an id that the file names and this worker knows",
        text: NAMED,
        role: Role::Inbound,
        before: &[&["tenant= green", "x-correlation-id= a"]],
        request: &["tenant= green", "x-correlation-id= a"],
        budget: (1, 1 + 1),
    },
    Path {
        name: "inbound, default tenant, a file that names ids and a request that has none of them",
        text: NAMED,
        role: Role::Inbound,
        before: &[],
        request: &["tenant= green", "x-request-id= a", TRACE],
        budget: (1, 1),
    },
    Path {
        name: "outbound, header present, no rollout",
        text: PLAIN,
        role: Role::Outbound,
        before: &[],
        request: &[":authority= api", "tenant= gray-v1", "x-request-id= a", TRACE],
        budget: (1, 1),
    },
    Path {
        name: "outbound, header lost, found in shared data (baggage written on top)",
        text: PLAIN,
        role: Role::Outbound,
        before: &[&["tenant= gray-v1", "x-request-id= a"]],
        request: &[":authority= api", "x-request-id= a"],
        budget: (2, 2 + 1 + 1),
    },
    Path {
        name: "outbound, header lost, two ids looked up in vain",
        text: PLAIN,
        role: Role::Outbound,
        before: &[],
        request: &[":authority= api", "x-request-id= a", TRACE],
        budget: (1, 2 + 2 + 1),
    },
    Path {
        name: "outbound sticky, unit in baggage",
        text: STICKY,
        role: Role::Outbound,
        before: &[],
        request: &[":authority= api", "tenant= green", "baggage= graylane-unit=00000000000000ff"],
        budget: (1, 2),
    },
    Path {
        name: "gateway, live user with a key",
        text: STICKY,
        role: Role::Gateway,
        before: &[],
        // Pairs and the cluster's name; tenant, subset and baggage written, counted.
        request: &[":authority= api.example.com", "x-user-id= alice"],
        budget: (2, 4),
    },
    Path {
        name: "gateway with lane tokens, a live user without one",
        text: TOKENS,
        role: Role::Gateway,
        before: &[],
        request: &[":authority= api.example.com", ":path= /?a=b", "x-user-id= alice"],
        budget: (2, 4),
    },
    Path {
        name: "gateway, a callback with a lane token: the clock, and the path written",
        text: TOKENS,
        role: Role::Gateway,
        before: &[],
        request: &[
            ":authority= api.example.com",
            ":path= /?graylane-token=v1.green.3cb755a01455661a.4102444800.c8f63904db2e52b08907029d85507672",
        ],
        budget: (2, 4 + 2),
    },
    Path {
        name: "gateway, a rule on headers, host and path costs nothing more",
        text: EDGE,
        role: Role::Gateway,
        before: &[],
        // Pairs and the cluster's name; tenant and subset written, counted.
        request: &[":authority= api.example.com", ":path= /v1/x", "x-app= qa/7"],
        budget: (2, 3),
    },
    Path {
        name: "gateway, a choice: the address, asked only since the header names one that may be chosen",
        text: EDGE,
        role: Role::Gateway,
        before: &[],
        request: &[":authority= api.example.com", "tenant= gray-v1", "@source.address= 10.1.2.3:80"],
        budget: (3, 2),
    },
    Path {
        name: "gateway, an employee: claim and issuer, each once for two rules",
        text: EDGE,
        role: Role::Gateway,
        before: &[],
        request: &[":authority= api.example.com", "@role= tester", "@iss= https://id.example"],
        budget: (4, 3),
    },
    Path {
        name: "gateway, a live user with a token: the rules' claim is not there, the key is",
        text: EDGE,
        role: Role::Gateway,
        before: &[],
        // Pairs, cluster, subject, issuer; one claim in vain, three headers written, counted.
        request: &[":authority= api.example.com", "@sub= alice", "@iss= https://id.example"],
        budget: (4, 5),
    },
    Path {
        name: "gateway, a stranger: two claims in vain, three headers, a cookie",
        text: EDGE,
        role: Role::Gateway,
        before: &[],
        request: &[":authority= api.example.com"],
        budget: (2, 7),
    },
];

#[test]
fn no_path_asks_more_of_the_host_than_its_budget() {
    for path in PATHS {
        for state in [false, true] {
            let mut vm = vm();
            vm.state().environment = vec![(
                "TOKEN_KEY".to_owned(),
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".to_owned(),
            )];
            // As if other requests had been here: the slots of ids exist, and hold nothing of theirs.
            let mut inbound = config(path.text, Role::Inbound);
            let mut own = config(path.text, path.role);
            (inbound.telemetry.state, own.telemetry.state) = (state, state);
            let inbound = vm.load("inbound", &json(&inbound)).unwrap();
            let plugin = vm.load(path.role.name(), &json(&own)).unwrap();
            vm.state().set_property("xds.cluster_name", b"outbound|80||api.shop.svc.cluster.local");
            // Metrics are defined once, at the first request of their kind; and the first one learns the secret.
            let warm = |vm: &mut Vm| {
                let mut copy: Vec<String> = path.request.iter().map(|line| (*line).to_owned()).collect();
                for line in &mut copy {
                    *line = line.replace("x-request-id= a", "x-request-id= warm").replace("319c", "319d");
                    *line = line.replace("x-correlation-id= a", "x-correlation-id= warm");
                }
                let copy: Vec<&str> = copy.iter().map(String::as_str).collect();
                send(vm, plugin, &copy);
                send(vm, plugin, &copy);
                send(vm, inbound, &["tenant= gray-v1", "x-request-id= warm"]);
            };
            warm(&mut vm);
            for before in path.before {
                send(&mut vm, inbound, before);
            }
            if path.name.contains("in use") || path.name.contains("new request id") {
                occupy(&mut vm);
            }
            if path.name.contains("lost") && !path.before.is_empty() {
                warm(&mut vm);
            }
            let seen = send(&mut vm, plugin, path.request);
            // A cookie is not telemetry: it is in the budget.
            let properties = seen.state.iter().filter(|(name, _)| name != "cookie").count();
            let properties = u32::try_from(properties).unwrap();
            assert!(state || properties == 0);
            let (returning, plain) = path.budget;
            assert_eq!(
                (seen.calls.returning, seen.calls.plain),
                (returning, plain + properties),
                "{}: {:?}",
                path.name,
                seen.calls.names
            );
        }
    }
}

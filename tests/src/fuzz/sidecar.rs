//! Any headers in sidecars and waypoints: tenant, subset and what leaves.

use std::sync::LazyLock;

use graylane_decide::choice::destination::Addressee;
use graylane_decide::{Plan, Role, names::UNIT_MEMBER};
use graylane_serve::Fate;
use graylane_serve::in_memory::{InMemory, Lines, Pod};

use super::lenient::members;
use super::{headers, plan};

const CONFIGURATION: &str = r#"{"version": 2, "role": "ROLE", "header": "tenant", "tenants": ["gray-v1", "green"],
    "default": "green", "policy": {"carriers": ["ot-baggage", "correlation-context", {"header": "x-any"}],
        "ids": ["request-id", "w3c", "b3", "datadog", {"header": "x-cid"}]},
    "exempt": {"paths": ["/healthz"], "ports": []},
    "sticky": {"salt": "shop", "tenants": ["green"], "keys": [{"header": "x-user-id"}]},
    "services": [{"name": "api", "host": "api.shop.svc.cluster.local", "port": 8080, "subsets": ["stable", "canary"],
        "baseline": "stable", "pins": [{"tenant": "gray-v1", "subset": "canary"}],
        "rollout": {"salt": "r", "tenants": ["green"], "weights": [{"subset": "canary", "buckets": 2500}]}}]}"#;

static PLANS: LazyLock<[Plan; 3]> = LazyLock::new(|| {
    ["inbound", "outbound", "waypoint"].map(|role| plan(CONFIGURATION.replace("ROLE", role).as_bytes()))
});

/// Sends the lines through each; `@: cluster` says where the route leads.
///
/// # Panics
/// When something of ours leaves, or a request is not as it was decided.
pub fn sidecar(data: &[u8]) {
    let mut lines = headers(data);
    let cluster = lines.iter().rfind(|(name, _)| name == "@").map(|(_, value)| value.clone());
    let cluster =
        cluster.map_or("PassthroughCluster".to_owned(), |name| String::from_utf8_lossy(&name).into_owned());
    lines.retain(|(name, _)| name != "@");
    let mut pod = Pod::new(7);
    for plan in PLANS.iter() {
        let mut host = InMemory::new(&mut pod, lines.clone());
        host.cluster = Some(cluster.clone());
        let (decision, fate) = graylane_serve::run(plan, &(), &mut host);
        let after = host.into_lines();
        let (Some(decision), Fate::Passed) = (decision, fate) else { continue };
        let is_outside = plan.role == Role::Outbound
            && decision.service.is_none()
            && plan.destinations.by_cluster(cluster.as_bytes()) == Addressee::Outside;
        if is_outside {
            outside(&after);
        } else if !decision.exempt {
            inside(plan, plan.tenants.name(decision.tenant), &lines, &after);
        }
    }
}

fn outside(after: &Lines) {
    for (name, value) in after {
        assert!(name != "tenant" && !name.starts_with("x-graylane-"), "{name} left the mesh");
        assert!(
            !["ot-baggage-tenant", "x-any", "x-any-graylane-unit"].contains(&&**name),
            "{name} left the mesh"
        );
        if name == "baggage" || name == "correlation-context" {
            let text = String::from_utf8_lossy(value);
            let is_ours = ["tenant", UNIT_MEMBER].iter().any(|key| plain(value, key).next().is_some());
            assert!(!is_ours, "{name}: {text} left the mesh");
        }
    }
}

/// Values of the members of a key, as W3C Baggage has them: a key without a value is ignored.
fn plain<'l>(line: &'l [u8], key: &'l str) -> impl Iterator<Item = &'l [u8]> {
    line.split(|byte| *byte == b',').filter_map(move |member| {
        let end = member.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        let value = member.get(end..)?.strip_prefix(b"=")?;
        let is_ours = member.get(..end)?.trim_ascii().eq_ignore_ascii_case(key.as_bytes());
        is_ours.then(|| value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
    })
}

fn inside(plan: &Plan, tenant: &str, before: &Lines, after: &Lines) {
    let tenants: Vec<&Vec<u8>> =
        after.iter().filter(|(name, _)| name == "tenant").map(|(_, value)| value).collect();
    assert_eq!(tenants, [tenant.as_bytes()], "{}", plan.role.name());
    let subsets = after.iter().filter(|(name, _)| name == "x-graylane-subset");
    assert!(subsets.count() <= usize::from(plan.role != Role::Inbound));
    // A list that was written says the tenant that the header says.
    for name in ["baggage", "correlation-context"] {
        let lines = |lines: &Lines| -> Vec<Vec<u8>> {
            lines.iter().filter(|(is, _)| is == name).map(|(_, value)| value.clone()).collect()
        };
        let (was, is) = (lines(before), lines(after));
        if was != is {
            let says = is.iter().flat_map(|line| plain(line, "tenant")).next();
            assert!(says.is_none_or(|says| says == tenant.as_bytes()), "{name}");
            // What only a lenient reader takes for ours is somebody else's, and stays.
            let read = |lines: &[Vec<u8>]| -> Vec<Vec<u8>> {
                lines.iter().flat_map(|line| members(line, "tenant")).collect()
            };
            let known = read(&was);
            let first = read(&is).into_iter().next();
            assert!(first.is_none_or(|first| first == tenant.as_bytes() || known.contains(&first)), "{name}");
        }
    }
}

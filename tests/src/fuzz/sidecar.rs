//! Any headers in sidecars and waypoints: tenant, subset and what leaves.

use std::sync::LazyLock;

use graylane_decide::choice::destination::Place;
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
        let Some(decision) = decision.filter(|_| fate == Fate::Passed) else { continue };
        let is_outside = plan.role == Role::Outbound
            && decision.service.is_none()
            && plan.destinations.by_cluster(cluster.as_bytes()) == Place::Outside;
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
            // A key without a value is nobody's.
            let plain = |member: &[u8]| {
                let end = member.iter().position(|byte| matches!(byte, b'=' | b';'));
                let key = member[..end.unwrap_or(0)].trim_ascii();
                end.is_some_and(|end| member[end] == b'=')
                    && (key.eq_ignore_ascii_case(b"tenant")
                        || key.eq_ignore_ascii_case(UNIT_MEMBER.as_bytes()))
            };
            let text = String::from_utf8_lossy(value);
            assert!(!value.split(|byte| *byte == b',').any(plain), "{name}: {text} left the mesh");
        }
    }
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
            let first = is.iter().flat_map(|line| members(line, "tenant")).next();
            assert!(first.is_none_or(|first| first == tenant.as_bytes()), "{name}");
        }
    }
}

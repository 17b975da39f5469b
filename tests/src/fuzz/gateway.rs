//! Any headers of a stranger: what is left of them behind the gateway.

use std::sync::LazyLock;

use graylane_decide::Plan;
use graylane_decide::choice::sticky::Unit;
use graylane_decide::names::UNIT_MEMBER;
use graylane_serve::in_memory::{InMemory, Pod};

use super::lenient::{fold, members, sw8_members};
use super::{headers, plan};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    plan(
        br#"{"version": 2, "role": "gateway", "header": "tenant", "tenants": ["gray-v1", "green"], "default": "green",
        "policy": {"carriers": ["ot-baggage", "sw8-correlation"], "ids": ["request-id", "w3c", {"header": "x-cid"}]},
        "sticky": {"salt": "shop", "tenants": ["green"], "keys": [{"cookie": {"name": "lane-id", "mint": "; Path=/"}}]},
        "services": [{"name": "web", "host": "web.shop.svc.cluster.local", "subsets": ["stable", "canary"],
            "baseline": "stable", "pins": [{"tenant": "gray-v1", "subset": "canary"}],
            "rollout": {"salt": "r", "tenants": ["green"], "weights": [{"subset": "canary", "buckets": 2500}]}}],
        "edge": {"remove": ["x-user-role"], "rules": [
            {"tenant": "gray-v1", "when": {"header": {"name": "x-app", "is": {"in": ["qa"]}}}}]}}"#,
    )
});

/// Sends the lines through the gateway, and reads what comes out as leniently as can be.
///
/// # Panics
/// When something of a stranger's gets through.
pub fn gateway(data: &[u8]) {
    let mut pod = Pod::new(7);
    let mut host = InMemory::new(&mut pod, headers(data));
    host.cluster = Some("outbound|8080||web.shop.svc.cluster.local".to_owned());
    host.random = Some(1);
    host.trailers = headers(data);
    graylane_serve::trailers(
        &graylane_serve::Active::Plan { plan: Box::new(PLAN.clone()), counters: () },
        &mut host,
    );
    for (name, _) in &host.trailers {
        assert!(!is_ours(name), "trailer {name}");
    }
    let (decision, _) = graylane_serve::run(&PLAN, &(), &mut host);
    let Some(decision) = decision else { panic!("a gateway leaves nothing alone") };
    let unit = decision.unit.map(Unit::wire).map(|unit| unit.to_vec());
    let lines = host.into_lines();
    let tenants: Vec<&Vec<u8>> =
        lines.iter().filter(|(name, _)| name == "tenant").map(|(_, value)| value).collect();
    assert_eq!(tenants, [PLAN.tenants.name(decision.tenant).as_bytes()]);
    for (name, value) in &lines {
        match name.as_str() {
            "tenant" => {}
            "x-graylane-subset" => assert!(value.starts_with(b"web.shop.svc.cluster.local/")),
            "ot-baggage-graylane-unit" => assert_eq!(Some(value), unit.as_ref()),
            "baggage" | "correlation-context" => list(name, value, unit.as_deref()),
            "sw8-correlation" => {
                assert_eq!(sw8_members(value, "tenant"), 0, "{value:?}");
                assert!(sw8_members(value, UNIT_MEMBER) <= usize::from(unit.is_some()), "{value:?}");
            }
            name => assert!(!is_ours(name), "{name}"),
        }
    }
}

fn list(name: &str, value: &[u8], unit: Option<&[u8]>) {
    let text = String::from_utf8_lossy(value);
    assert!(members(value, "tenant").is_empty(), "{name}: {text}");
    let units = members(value, UNIT_MEMBER);
    let own = if name == "baggage" { unit } else { None };
    assert!(units.iter().all(|value| Some(value.as_slice()) == own), "{name}: {text}");
}

/// Would an application take a header of this name for one of ours, or of those that no stranger may send?
fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "tenant",
        "x_user_role",
        "x_cid",
        "ot_baggage_tenant",
        "ot_baggage_graylane_unit",
        "uberctx_tenant",
        "uberctx_graylane_unit",
    ];
    let folded = String::from_utf8_lossy(&fold(name.as_bytes())).into_owned();
    folded.starts_with("x_graylane_") || NAMES.contains(&&*folded)
}

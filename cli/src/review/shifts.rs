//! Users of a tenant who get another version of a service.

use graylane_decide::choice::keyed::Units;
use graylane_decide::choice::sticky::Seed;
use serde::Serialize;

use crate::mesh::{Mesh, Rollout, Route, Service};
use crate::simulate::{self, Layout};

/// One tenant at one service, or at one of its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shift {
    /// The service.
    pub service: String,
    /// Its route; none: all requests of no route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The tenant.
    pub tenant: String,
    /// Which share of them had which subset, in hundredths of a percent.
    pub before: Vec<(String, u32)>,
    /// Which share of them gets which.
    pub after: Vec<(String, u32)>,
    /// Users counted.
    pub users: u64,
    /// Of these: who gets another version.
    pub moved: u64,
    /// Of these: who leaves a canary whose weight does not fall.
    pub moved_back: u64,
}

/// What a tenant gets: a layout, and the salts by which its users are laid out.
#[derive(PartialEq, Eq)]
struct Places {
    layout: Layout,
    units: Units,
    rollout: Seed,
}

impl Places {
    fn of(mesh: &Mesh, route: &Route, tenant: &str) -> Self {
        let takes_part = |rollout: &&Rollout| rollout.tenants.iter().any(|name| name == tenant);
        let pin = route.pins.get(tenant);
        let rollout = if pin.is_some() { None } else { route.rollout.as_ref().filter(takes_part) };
        let weights = rollout.map(|rollout| &rollout.weights[..]).unwrap_or_default();
        Self {
            layout: Layout::of(pin.unwrap_or(&route.baseline), weights),
            units: mesh.units_of_made_up(),
            rollout: Seed::of(rollout.map(|rollout| &*rollout.salt).unwrap_or_default()),
        }
    }

    fn bucket(&self, key: &[u8]) -> u16 {
        self.units.of(key).bucket(self.rollout)
    }

    fn shares(&self) -> Vec<(String, u32)> {
        let share = |subset: &String| (subset.clone(), self.layout.share(subset));
        self.layout.subsets.iter().map(share).filter(|(_, share)| *share > 0).collect()
    }
}

/// Users who move. Of services with external weights nothing is known here.
pub fn between(before: &Mesh, after: &Mesh, users: u64) -> Vec<Shift> {
    let mut shifts = Vec::new();
    for service in after.services.iter().filter(|service| !service.external) {
        let Some(was) = before.service(&service.name).filter(|was| !was.external) else { continue };
        for route in &service.routes {
            let Some(old) = was.routes.iter().find(|old| old.name == route.name) else { continue };
            for tenant in after.tenants.iter().filter(|tenant| before.tenants.contains(tenant)) {
                let places = [Places::of(before, old, tenant), Places::of(after, route, tenant)];
                shifts.extend(shift((service, route), tenant, &places, users));
            }
        }
    }
    shifts
}

fn shift(
    (service, route): (&Service, &Route),
    tenant: &str,
    [before, after]: &[Places; 2],
    users: u64,
) -> Option<Shift> {
    // Most services of a file are as they were, and nobody has to be counted there.
    if before == after {
        return None;
    }
    let mut key = Vec::with_capacity(32);
    let buckets = (0..users).map(|number| {
        simulate::write_key(&mut key, number);
        ([before.bucket(&key), after.bucket(&key)], 1)
    });
    let moves = simulate::moves_of(&before.layout, &after.layout, buckets);
    let shift = Shift {
        service: service.name.clone(),
        route: route.name.clone(),
        tenant: tenant.to_owned(),
        before: before.shares(),
        after: after.shares(),
        users,
        moved: moves.moved,
        moved_back: moves.moved_back,
    };
    (shift.moved > 0 || shift.before != shift.after).then_some(shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn mesh(service: &str) -> Mesh {
        let text = format!(
            "version: 1\nmesh: {{name: shop, namespace: shop}}\ntenants: {{green: {{default: true}}, gray: {{}}}}\n\
             services:\n  api:\n    subsets: {{stable: {{v: a}}, canary: {{v: b}}}}\n    baseline: stable\n{service}"
        );
        Mesh::of(&crate::check::open(document::load_text("a.yaml", &text).unwrap()).checked().unwrap())
    }

    fn shifts(before: &str, after: &str) -> Vec<(String, u64, u64)> {
        let all = between(&mesh(before), &mesh(after), 10_000);
        all.into_iter().map(|shift| (shift.tenant, shift.moved, shift.moved_back)).collect()
    }

    #[test]
    fn users_move_by_weights_pins_and_salts() {
        let rollout = |canary: u8, salt: &str| {
            format!("    rollout: {{weights: {{canary: {canary}}}, salt: {salt}}}\n")
        };
        let moved = shifts(&rollout(1, "a"), &rollout(25, "a"));
        assert!(matches!(&moved[..], [(tenant, 2300..2500, 0)] if tenant == "green"), "{moved:?}");
        // Those of the 25 % before leave the canary, and others come.
        let drawn = shifts(&rollout(25, "a"), &rollout(25, "b"));
        assert!(matches!(&drawn[..], [(_, 3500..4000, 1700..2100)]), "{drawn:?}");
        assert_eq!(shifts(&rollout(25, "a"), &rollout(25, "a")), []);
        let pinned = shifts("", "    pins: {gray: canary}\n");
        assert_eq!(pinned, [("gray".to_owned(), 10_000, 0)]);
        let over = shifts(&rollout(100, "a"), "    pins: {green: canary}\n");
        assert_eq!(over, [], "a rollout that is done becomes a pin: nobody moves");
    }
}

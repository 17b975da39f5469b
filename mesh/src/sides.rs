//! Unit, bucket and subset of a user, by the filter's own functions and configuration.

use anyhow::Result;
use graylane_decide::choice::keyed::Units;
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_decide::config::{Rollout, Service};
use serde::Serialize;

use crate::lower;
use crate::mesh::Mesh;
use crate::percent;
use crate::simulate::Layout;

/// Where a user is, by one text of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    /// The sticky value.
    pub unit: String,
    /// One for each rollout, in the order of the services.
    pub all: Vec<Side>,
}

/// Where a user is in one rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The service.
    pub service: String,
    /// The route, if it has a rollout of its own.
    pub route: Option<String>,
    /// Whose users take part.
    pub tenants: Vec<String>,
    /// The salt that places users.
    #[serde(skip)]
    pub salt: String,
    /// The bucket, 0 to 9999.
    pub bucket: u16,
    /// The subset. None: another controller sets the weights.
    pub subset: Option<String>,
    /// The share of the subset.
    pub percent: Option<f64>,
}

/// The rollouts of a file, with all that does not depend on the user worked out.
#[derive(Clone, Debug)]
pub struct Rollouts {
    units: Units,
    all: Vec<Prepared>,
}

/// A rollout, and which subset each bucket belongs to.
#[derive(Clone, Debug)]
struct Prepared {
    service: String,
    route: Option<String>,
    tenants: Vec<String>,
    salt: String,
    /// Weights of others are not in the file.
    layout: Option<Layout>,
}

impl Rollouts {
    /// The rollouts of services, and of routes that have one of their own.
    ///
    /// # Errors
    /// When units are keyed, and the mesh does not have the key.
    pub fn of(mesh: &Mesh) -> Result<Self> {
        let services = lower::services(mesh);
        let all = services.iter().flat_map(|service| {
            let own = service.rollout.as_ref();
            let whole = own.map(|rollout| prepared(service, None, rollout));
            // A route without a rollout of its own has the service's.
            let routes = service.routes.iter().filter(move |route| route.rollout.as_ref() != own);
            let routes = routes
                .filter_map(move |route| Some(prepared(service, Some(&route.name), route.rollout.as_ref()?)));
            whole.into_iter().chain(routes)
        });
        Ok(Self { units: mesh.units()?, all: all.collect() })
    }

    /// Where the user with this key is.
    #[must_use]
    pub fn sides(&self, key: &[u8]) -> Sides {
        let unit = self.units.of(key);
        Sides { unit: unit.to_string(), all: self.all.iter().map(|rollout| side(rollout, unit)).collect() }
    }
}

impl Sides {
    /// Where the user with this key is.
    ///
    /// # Errors
    /// When units are keyed, and the mesh does not have the key.
    pub fn of(mesh: &Mesh, key: &[u8]) -> Result<Self> {
        Ok(Rollouts::of(mesh)?.sides(key))
    }

    /// The same rollout in these.
    #[must_use]
    pub fn same(&self, other: &Side) -> Option<&Side> {
        self.all.iter().find(|side| side.service == other.service && side.route == other.route)
    }
}

fn prepared(service: &Service, route: Option<&str>, rollout: &Rollout) -> Prepared {
    Prepared {
        service: service.name.clone(),
        route: route.map(ToOwned::to_owned),
        tenants: rollout.tenants.clone(),
        salt: rollout.salt.clone(),
        layout: (!service.baseline.is_empty()).then(|| Layout::of(&service.baseline, &rollout.weights)),
    }
}

fn side(rollout: &Prepared, unit: Unit) -> Side {
    let bucket = unit.bucket(Seed::of(&rollout.salt));
    let subset = rollout.layout.as_ref().map(|layout| layout.owner(bucket).to_owned());
    let share = rollout.layout.as_ref().zip(subset.as_deref()).map(|(layout, subset)| layout.share(subset));
    Side {
        service: rollout.service.clone(),
        route: rollout.route.clone(),
        tenants: rollout.tenants.clone(),
        salt: rollout.salt.clone(),
        bucket,
        subset,
        percent: share.map(percent::of),
    }
}

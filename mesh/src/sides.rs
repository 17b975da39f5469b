//! Unit, bucket and subset of a user, by the filter's own functions and configuration.

use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_decide::config::{Rollout, Service};
use serde::Serialize;

use crate::lower;
use crate::mesh::Mesh;
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

impl Sides {
    /// Where the user with this key is.
    #[must_use]
    pub fn of(mesh: &Mesh, key: &[u8]) -> Self {
        let unit = Unit::of(key, Seed::of(&mesh.salt));
        let services = lower::services(mesh);
        let all = services.iter().flat_map(|service| {
            let own = service.rollout.as_ref();
            let whole = own.map(|rollout| side(service, None, rollout, unit));
            // A route without a rollout of its own has the service's.
            let routes = service.routes.iter().filter(move |route| route.rollout.as_ref() != own);
            let routes = routes.filter_map(move |route| {
                Some(side(service, Some(&route.name), route.rollout.as_ref()?, unit))
            });
            whole.into_iter().chain(routes)
        });
        Self { unit: unit.to_string(), all: all.collect() }
    }

    /// The same rollout in these.
    #[must_use]
    pub fn same(&self, other: &Side) -> Option<&Side> {
        self.all.iter().find(|side| side.service == other.service && side.route == other.route)
    }
}

fn side(service: &Service, route: Option<&str>, rollout: &Rollout, unit: Unit) -> Side {
    let bucket = unit.bucket(Seed::of(&rollout.salt));
    // Weights of others are not in the file.
    let layout = (!service.baseline.is_empty()).then(|| Layout::of(&service.baseline, &rollout.weights));
    let subset = layout.as_ref().map(|layout| layout.owner(bucket).to_owned());
    let share = layout.as_ref().zip(subset.as_deref()).map(|(layout, subset)| layout.share(subset));
    Side {
        service: service.name.clone(),
        route: route.map(ToOwned::to_owned),
        tenants: rollout.tenants.clone(),
        salt: rollout.salt.clone(),
        bucket,
        subset,
        percent: share.map(|buckets| f64::from(buckets) / 100.0),
    }
}

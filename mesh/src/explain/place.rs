//! Which line of the file decided.

use graylane_decide::why::{Reason, Rejection};

use super::proxy::Outcome;
use crate::document::Project;
use crate::document::source::Span;
use crate::mesh::{self, Ingress, Service};

/// The line that decided about a hop: the pin, the canary's weight (the key `weights` for who is on none of them), the
/// baseline, or the policy that turned the request away.
pub fn of(
    project: &Project,
    service: Option<&Service>,
    route: Option<&str>,
    outcome: &Outcome,
) -> Option<Span> {
    if let Some(rejection) = outcome.rejection {
        let policy = match rejection {
            Rejection::Missing => "missing",
            Rejection::Unknown => "unknown",
            Rejection::Conflict => "conflict",
        };
        return project.span(&["policy", policy]);
    }
    let service = service?;
    let path = ["services", &*service.name];
    let own = route.and_then(|route| {
        let routes = &project.document.services.get(&service.name)?.routes;
        let index =
            routes.iter().enumerate().position(|(index, known)| mesh::route_name(index, known) == route)?;
        Some((index.to_string(), &routes[index]))
    });
    // A route without pins or a rollout of its own has the service's.
    let under = |is_own: fn(&crate::document::model::Route) -> bool| match &own {
        Some((index, route)) if is_own(route) => [&path[..], &["routes", index]].concat(),
        _ => path.to_vec(),
    };
    let subset = outcome.subset.as_deref()?;
    match outcome.reason? {
        Reason::Pin => {
            let at = [&under(|route| route.pins.is_some())[..], &["pins", &outcome.tenant]].concat();
            project.key(&at)
        }
        Reason::Rollout => {
            let weights = [&under(|route| route.rollout.is_some())[..], &["rollout", "weights"]].concat();
            match project.tree.at(&[&weights[..], &[subset]].concat()) {
                Some(_) => project.key(&[&weights[..], &[subset]].concat()),
                None => project.key(&weights),
            }
        }
        Reason::Baseline => match project.tree.at(&[&path[..], &["baseline"]].concat()) {
            Some(_) => project.key(&[&path[..], &["baseline"]].concat()),
            None => project.key(&[&path[..], &["subsets", subset]].concat()),
        },
    }
}

/// The line of a rule of a gateway.
pub fn rule(project: &Project, ingress: &Ingress<'_>, index: u16) -> Option<Span> {
    project.span(&ingress.path(&["rules", &index.to_string()]))
}

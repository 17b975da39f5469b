//! Where a request goes by external routes.

use std::collections::BTreeMap;

use graylane_decide::names::POINT_HEADER;

use super::request::Headers;
use super::{Hop, Line};
use crate::adopt::weights;
use crate::mesh::{Ingress, Mesh, Service};
use crate::traffic::{Answer, At, MESH, Request, Rule, Target, World};

/// The routes that are there.
pub struct Against<'a> {
    /// All of them.
    pub world: &'a World,
    /// Where a rule was written.
    pub place: &'a dyn Fn(At) -> Option<Line>,
}

impl Against<'_> {
    /// The public host by which a gateway leads to a service, and the gateway.
    pub(super) fn public(&self, ingress: &Ingress<'_>, service: &Service) -> Option<(String, String)> {
        // In a file without a gateway any may be meant.
        let leads = |(place, host): &(String, String)| {
            let rules = self.world.rules(place, host).unwrap_or_default();
            let ours = ingress.gateway.is_none() || ingress.serves(place);
            ours && place != MESH
                && rules.iter().any(|(rule, _)| rule.destinations.iter().any(|to| to.host == service.host))
        };
        self.world.places().into_iter().find(leads)
    }

    /// Finds where the request of a hop goes by external routes.
    pub(super) fn fill(
        &self,
        mesh: &Mesh,
        (service, ingress): (&Service, Option<&Ingress<'_>>),
        headers: &Headers,
        hop: &mut Hop,
    ) {
        let public = ingress.and_then(|ingress| self.public(ingress, service));
        let (place, host) = public.unwrap_or_else(|| (MESH.to_owned(), service.host.clone()));
        let mut request = Request::new(&place, &host);
        request.port = service.port.unwrap_or(80);
        request.headers = texts(headers);
        if let Some(path) = request.headers.remove(":path") {
            request.path = path.split('?').next().unwrap_or_default().to_owned();
        }
        if let Some(method) = request.headers.remove(":method") {
            request.method = method;
        }
        let rules = self.world.rules(&place, &host);
        let answer = self.world.answer(&request, rules.as_ref());
        let rule =
            rules.iter().flatten().find(|(rule, _)| Some(rule.at) == answer.rule).map(|(rule, _)| *rule);
        hop.subset = Some(self.text(mesh, service, &answer, rule, &request));
        hop.reason = Some(if answer.rule.is_some() { "route" } else { "no route" });
        let line = answer.rule.and_then(|at| (self.place)(at));
        hop.file = line.as_ref().map(|line| line.file.clone());
        hop.line = line.map(|line| line.line);
    }

    fn text(
        &self,
        mesh: &Mesh,
        service: &Service,
        answer: &Answer,
        rule: Option<&Rule>,
        request: &Request,
    ) -> String {
        let point = request.headers.get(POINT_HEADER).and_then(|point| point.parse().ok());
        let route = weights::services(mesh).find(|(own, _)| own.name == service.name).map(|(_, route)| route);
        if let (Some(point), Some(route), Some(rule)) = (point, route, rule)
            && let Some(to) = weights::chosen(rule, route, point)
        {
            return named(&to.host, to.subset.as_deref(), &service.host);
        }
        let of = |target: &Target| named(&target.host, target.subset.as_deref(), &service.host);
        match &answer.targets[..] {
            [] => answer.to_string(),
            [(only, _)] => of(only),
            several => {
                let share = |(target, share): &(Target, u64)| {
                    format!("{} % {}", crate::percent::of(*share), of(target))
                };
                several.iter().map(share).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// A subset of the service by its name; another host in full.
fn named(host: &str, subset: Option<&str>, own: &str) -> String {
    match subset {
        Some(subset) if host == own => subset.to_owned(),
        Some(subset) => format!("{host}/{subset}"),
        None => host.to_owned(),
    }
}

fn texts(headers: &Headers) -> BTreeMap<String, String> {
    headers.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())).collect()
}

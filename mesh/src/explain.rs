//! The lane of one request, hop by hop, natively and offline: the functions that decide here are the filter's own,
//! and so are the configurations that they decide by.
//!
//! | part | its subject |
//! |-|-|
//! | `request` | what is asked: the way, the headers, what applications drop |
//! | `proxy` | one proxy: its plans and its memory |
//! | `mode` | whether it does what it decides, and what says so |
//! | `place` | which line of the file decided |
//! | `table` | what is printed |
//! | `notes` | what a reader may wonder about |
//! | `token` | whether a lane token counts |
//! | `theirs` | where external routes lead |

mod mode;
mod notes;
mod place;
mod proxy;
mod request;
mod table;
mod theirs;
pub mod token;

use anyhow::{Result, bail, ensure};
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_decide::names::{self, route_name};
use graylane_decide::why::{Reason, Rejection};
use serde::Serialize;

use crate::document::Project;
use crate::document::model::{FullTopic, Key};
use crate::document::source::{SourceFiles, Span};
use crate::mesh::{Ingress, Mesh, Service};
use crate::resources::DataPlane;
use crate::workers::{in_kubernetes, subscribed, topic_of};

pub use mode::ModeOf;
use mode::Where;
pub use notes::notes;
use proxy::Outcome;
pub use proxy::{Proxy, Target};
pub use request::{Drops, GATEWAY, Headers, Request, header, stop, unknown};
pub use table::render;
pub use theirs::Against;

/// Who decides before a service where the mesh has no sidecars.
pub const WAYPOINT: &str = "waypoint";

/// One call, and what was decided about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// The service that is called.
    pub service: String,
    /// Who decided: `gateway` (of several `gateway:NAME`), a service (its sidecar), `pod` (some pod of the mesh), or `waypoint`: the
    /// one before the service that is called.
    pub by: String,
    /// Whose request it is. None: the filter leaves the request alone.
    pub tenant: Option<String>,
    /// The mode of who decided, where the file has more than one or it is not `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeOf>,
    /// Where the tenant came from.
    pub source: Option<&'static str>,
    /// The user's sticky value, as on the wire.
    pub unit: Option<String>,
    /// Where the unit came from.
    pub unit_source: Option<&'static str>,
    /// The sticky key that the unit is of, at a gateway: its index in that gateway's `keys`, or in `sticky.keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_key: Option<usize>,
    /// The bucket that decided.
    pub bucket: Option<u16>,
    /// Where the request goes. None: it leaves the mesh, or goes to a service that the file does not list.
    pub subset: Option<String>,
    /// Why it goes there.
    pub reason: Option<&'static str>,
    /// The routes are external: without them it is not known where the request goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_external: bool,
    /// The caller's plugin does not know the service, since it is not `visibleTo` the caller's namespace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_hidden: bool,
    /// It goes no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// File of the line that decided.
    pub file: Option<String>,
    /// The line that decided, from 1.
    pub line: Option<usize>,
    /// The rule of the edge that gave the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Line>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// A request that is turned away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// HTTP status.
    pub status: u32,
    /// `missing`, `unknown` or `conflict`.
    pub reason: &'static str,
}

/// What machines get.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The calls, in order.
    pub hops: &'a [Hop],
}

/// Follows a request through the mesh.
///
/// # Errors
/// When it asks for what the file does not have.
pub fn explain(
    project: &Project,
    sources: &SourceFiles,
    mesh: &Mesh,
    request: &Request,
    against: Option<&Against<'_>>,
) -> Result<Vec<Hop>> {
    let (ingress, services) = request.check(mesh)?;
    let headers = request.headers.clone();
    let mut way = Way { project, sources, mesh, request, against, headers, hops: Vec::new() };
    let ambient = request.data_plane == DataPlane::Ambient;
    let mut from: Option<&Service> = None;
    let (mut caller, mut by) = match (&request.worker, &ingress) {
        (Some((worker, tenant)), _) => {
            let (proxy, pod) = message(project, sources, mesh, (worker, tenant), &mut way.hops)?;
            if is_alone(mesh, request) {
                let unit = Unit::of(b"any", Seed::of(&mesh.salt));
                let member = format!("{}={unit}", names::UNIT_MEMBER).into_bytes();
                way.headers.push(("baggage".to_owned(), member));
            }
            (proxy, pod)
        }
        (None, Some(at)) => {
            (Proxy::gateway(mesh, at, request.properties(at), request.now)?, request::stop(at))
        }
        (None, None) => (Proxy::sidecar(mesh, None, 0)?, "pod".to_owned()),
    };
    for to in services {
        let service = mesh.service(to);
        let at = ingress.as_ref().filter(|_| way.hops.is_empty());
        if !ambient || at.is_some() {
            let place = at.map_or(Where::Pod(from), Where::Gateway);
            if way.call(&mut caller, &by, place, to) {
                break;
            }
        }
        let Some(service) = service else { break };
        if ambient {
            // The gateway's route has taken its choice off, and so does the waypoint's.
            way.headers.retain(|(name, _)| name != names::SUBSET_HEADER);
            let mut waypoint = Proxy::waypoint(mesh, service, way.hops.len())?;
            if way.call(&mut waypoint, WAYPOINT, Where::Waypoint(service), to) {
                break;
            }
            way.headers.retain(|(name, _)| name != names::SUBSET_HEADER && name != ":authority");
        } else {
            let mut pod = Proxy::sidecar(mesh, Some(service), way.hops.len())?;
            if let Some(rejection) = pod.receive(&mut way.headers)
                && let Some(last) = way.hops.last_mut()
            {
                last.rejected = Some(rejected(rejection));
                break;
            }
            caller = pod;
        }
        if let Some(drops) = request.drops.get(to) {
            drops.forget(&mut way.headers, &mesh.header);
        }
        (by, from) = (to.clone(), Some(service));
    }
    // Without the key a gateway makes units of ids alone, which is not what gateways do that have it.
    if ingress.is_some() && way.hops.iter().any(|hop| hop.unit.is_some()) {
        mesh.units()?;
    }
    Ok(way.hops)
}

/// A request on its way.
struct Way<'w> {
    project: &'w Project,
    sources: &'w SourceFiles,
    mesh: &'w Mesh,
    request: &'w Request,
    against: Option<&'w Against<'w>>,
    headers: Headers,
    hops: Vec<Hop>,
}

impl Way<'_> {
    /// What a proxy decides about a call. True: the request goes no further.
    fn call(&mut self, proxy: &mut Proxy, by: &str, at: Where<'_>, to: &str) -> bool {
        let Self { project, sources, mesh, request, against, .. } = *self;
        let service = mesh.service(to);
        let route = request.routes.get(to).map(String::as_str);
        let mut target = target(to, service, route);
        let gateway = at.gateway();
        if let (Some(against), Some(service), Some(gateway)) =
            (against, service.filter(|one| one.external), gateway)
            && let Some((_, host)) = against.public(gateway, service)
        {
            target.public = Some(host);
        }
        let outcome = proxy.send(&target, &mut self.headers);
        let place = outcome.as_ref().and_then(|outcome| place::of(project, service, route, outcome));
        let rejection = outcome.as_ref().and_then(|outcome| outcome.rejection);
        let rule = outcome.as_ref().and_then(|outcome| place::rule(project, gateway?, outcome.rule?));
        let rule = rule.map(|span| Line { file: sources.name(span.file).to_owned(), line: span.line });
        let is_external = service.is_some_and(|service| service.external);
        let is_hidden = service.is_some_and(|service| proxy.hides(service));
        let place = if is_hidden { project.key(&["services", to, "visibleTo"]) } else { place };
        let mode = ModeOf::of(project, sources, mesh, at);
        let key = outcome.as_ref().and_then(|outcome| outcome.key);
        let unit_key = key.and_then(|key| place_of_key(mesh, gateway?, key));
        let mut hop =
            Hop { rule, is_external, is_hidden, mode, unit_key, ..hop(to, by, outcome, place, sources) };
        if let (Some(service), None, true, Some(against)) = (service, rejection, is_external, against) {
            against.fill(mesh, (service, gateway), &self.headers, &mut hop);
        }
        self.hops.push(hop);
        rejection.is_some()
    }
}

/// Does a worker make the first call, and each of its calls get a unit of its own because it comes without one?
fn is_alone(mesh: &Mesh, request: &Request) -> bool {
    let Some((name, _)) = &request.worker else { return false };
    let has_unit = request.headers.iter().any(|(name, value)| {
        name == "baggage" && String::from_utf8_lossy(value).contains(names::UNIT_MEMBER)
    });
    !has_unit && mesh.workers.iter().any(|worker| worker.name == *name && mesh.gives_units(worker))
}

/// The asynchronous hop: a message goes through the tenant's topics to the worker's deployment that consumes them.
fn message(
    project: &Project,
    sources: &SourceFiles,
    mesh: &Mesh,
    (name, tenant): (&str, &str),
    hops: &mut Vec<Hop>,
) -> Result<(Proxy, String)> {
    let Some(worker) = mesh.workers.iter().find(|worker| worker.name == name) else {
        let names: Vec<&str> = mesh.workers.iter().map(|worker| &*worker.name).collect();
        bail!("--worker: unknown worker `{name}`, expected one of {}", names.join(", "));
    };
    ensure!(
        mesh.tenants.iter().any(|known| known == tenant),
        "--tenant: unknown tenant `{tenant}`, expected one of {}",
        mesh.tenants.join(", ")
    );
    let own = worker.tenants.iter().any(|known| known == tenant).then_some(tenant);
    let subscribes =
        |topic: &FullTopic| subscribed(&mesh.document, name, &topic.name).any(|known| known == tenant);
    let topic = |topic: &FullTopic| match own.is_some() || subscribes(topic) {
        true => topic_of(&mesh.document.kafka, &topic.name, tenant),
        false => topic.name.clone(),
    };
    let pod = own.map_or_else(|| name.to_owned(), |tenant| format!("{name}-{}", in_kubernetes(tenant)));
    let key = match (own, worker.topics.iter().any(subscribes)) {
        (Some(_), _) => "tenants",
        (None, true) => "subscribes",
        (None, false) => "topics",
    };
    let place = project.key(&["workers", name, key]);
    if worker.topics.is_empty() {
        return Ok((Proxy::worker(mesh, worker, own)?, pod));
    }
    hops.push(Hop {
        service: pod.clone(),
        by: worker.topics.iter().map(topic).collect::<Vec<_>>().join(", "),
        tenant: Some(tenant.to_owned()),
        source: Some("topic"),
        reason: Some("worker"),
        file: place.map(|place| sources.name(place.file).to_owned()),
        line: place.map(|place| place.line),
        ..Hop::default()
    });
    Ok((Proxy::worker(mesh, worker, own)?, pod))
}

fn target(to: &str, service: Option<&Service>, route: Option<&str>) -> Target {
    match service {
        Some(service) => Target {
            authority: service.port.map_or(service.host.clone(), |port| format!("{}:{port}", service.host)),
            public: service.expose.hosts.first().cloned(),
            cluster: format!("outbound|{}||{}", service.port.unwrap_or(80), service.host),
            route: route.map(|route| route_name(&service.name, Some(route), "rule")),
        },
        // A host that the file does not list is outside, as Istio calls it.
        None => Target {
            authority: to.to_owned(),
            public: None,
            cluster: "PassthroughCluster".to_owned(),
            route: None,
        },
    }
}

fn hop(to: &str, by: &str, outcome: Option<Outcome>, place: Option<Span>, sources: &SourceFiles) -> Hop {
    let file = place.map(|place| sources.name(place.file).to_owned());
    let line = place.map(|place| place.line);
    let (service, by) = (to.to_owned(), by.to_owned());
    match outcome {
        None => Hop { service, by, file, line, ..Hop::default() },
        Some(outcome) => Hop {
            service,
            by,
            tenant: Some(outcome.tenant),
            source: Some(outcome.source.name()),
            unit: outcome.unit.map(|unit| unit.to_string()),
            unit_source: outcome.unit.map(|_| outcome.unit_source.name()),
            unit_key: None,
            bucket: outcome.bucket,
            subset: outcome.subset,
            mode: None,
            reason: outcome.reason.map(Reason::name),
            rejected: outcome.rejection.map(rejected),
            file,
            line,
            rule: None,
            is_external: false,
            is_hidden: false,
        },
    }
}

/// Where a key of the gateway's configuration stands in the file: it looks for all of them, in an order that
/// `sticky.identity` may change.
fn place_of_key(mesh: &Mesh, ingress: &Ingress<'_>, key: usize) -> Option<usize> {
    let key: *const Key = *mesh.document.sticky.in_order(ingress.keys).get(key)?;
    ingress.keys.iter().position(|one| std::ptr::eq(one, key))
}

fn rejected(rejection: Rejection) -> Rejected {
    Rejected { status: rejection.status(), reason: rejection.reason() }
}

#[cfg(test)]
mod tests;

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
//! | `theirs` | where external routes lead |

mod mode;
mod notes;
mod place;
mod proxy;
mod request;
mod table;
mod theirs;

use anyhow::{Result, bail, ensure};
use graylane_decide::names::route_name;
use graylane_decide::why::{Reason, Rejection};
use serde::Serialize;

use crate::document::Project;
use crate::document::model::FullTopic;
use crate::document::source::{SourceFiles, Span};
use crate::mesh::{Mesh, Service};
use crate::workers::{in_kubernetes, topic_of};

pub use mode::ModeOf;
pub use notes::notes;
use proxy::Outcome;
pub use proxy::{Proxy, Target};
pub use request::{Drops, GATEWAY, Headers, Request, header, unknown};
pub use table::render;
pub use theirs::Against;

/// One outbound call, and what was decided about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// The service that is called.
    pub service: String,
    /// Who decided: `gateway`, a service (its sidecar), or `pod`: some pod of the mesh.
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
    /// The bucket that decided.
    pub bucket: Option<u16>,
    /// Where the request goes. None: it leaves the mesh, or goes to a service that the file does not list.
    pub subset: Option<String>,
    /// Why it goes there.
    pub reason: Option<&'static str>,
    /// The routes are external: without them it is not known where the request goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_external: bool,
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
    let (from_outside, services) = request.check(mesh)?;
    let mut headers = request.headers.clone();
    let mut hops: Vec<Hop> = Vec::new();
    let mut from: Option<&Service> = None;
    let (mut caller, mut by) = match &request.worker {
        Some((worker, tenant)) => {
            let (proxy, pod) = message(project, sources, mesh, (worker, tenant), &mut hops)?;
            (proxy, pod)
        }
        None if from_outside => (Proxy::gateway(mesh, request.properties(mesh))?, GATEWAY.to_owned()),
        None => (Proxy::sidecar(mesh, None, 0)?, "pod".to_owned()),
    };
    for to in services {
        let service = mesh.service(to);
        let route = request.routes.get(to).map(String::as_str);
        let mut target = target(to, service, route);
        if let (Some(against), Some(service)) = (against, service.filter(|one| one.external))
            && let Some((_, host)) = against.public(mesh, service)
        {
            target.public = Some(host);
        }
        let outcome = caller.send(&target, &mut headers);
        let place = outcome.as_ref().and_then(|outcome| place::of(project, service, route, outcome));
        let rejection = outcome.as_ref().and_then(|outcome| outcome.rejection);
        let rule = outcome.as_ref().and_then(|outcome| place::rule(project, outcome.rule?));
        let rule = rule.map(|span| Line { file: sources.name(span.file).to_owned(), line: span.line });
        let is_external = service.is_some_and(|service| service.external);
        let mode = ModeOf::of(project, sources, mesh, from, from_outside && hops.is_empty());
        hops.push(Hop { rule, is_external, mode, ..hop(to, &by, outcome, place, sources) });
        let (Some(service), None) = (service, rejection) else { break };
        if let (true, Some(against), Some(last)) = (service.external, against, hops.last_mut()) {
            against.fill(mesh, service, &headers, last);
        }
        let mut pod = Proxy::sidecar(mesh, Some(service), hops.len())?;
        if let Some(rejection) = pod.receive(&mut headers)
            && let Some(last) = hops.last_mut()
        {
            last.rejected = Some(rejected(rejection));
            break;
        }
        if let Some(drops) = request.drops.get(to) {
            drops.forget(&mut headers, &mesh.header);
        }
        (caller, by, from) = (pod, to.clone(), Some(service));
    }
    Ok(hops)
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
    let topic = |topic: &FullTopic| match own {
        Some(tenant) => topic_of(&mesh.document.kafka, &topic.name, tenant),
        None => topic.name.clone(),
    };
    let pod = own.map_or_else(|| name.to_owned(), |tenant| format!("{name}-{}", in_kubernetes(tenant)));
    let key = if own.is_some() { "tenants" } else { "topics" };
    let place = project.key(&["workers", name, key]);
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
            bucket: outcome.bucket,
            subset: outcome.subset,
            mode: None,
            reason: outcome.reason.map(Reason::name),
            rejected: outcome.rejection.map(rejected),
            file,
            line,
            rule: None,
            is_external: false,
        },
    }
}

fn rejected(rejection: Rejection) -> Rejected {
    Rejected { status: rejection.status(), reason: rejection.reason() }
}

#[cfg(test)]
mod tests;

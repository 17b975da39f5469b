//! Each call of a request, what the file says about it, and where reality left the file.

use anyhow::{Result, ensure};
use graylane_decide::config::Mode;
use graylane_decide::names::{UNIT_MEMBER, route_in};
use graylane_decide::why::{Reason, Source};
use serde::Serialize;

use super::join::By;
use super::line::Line;
use crate::document::Checked;
use crate::document::source::SourceFiles;
use crate::explain::{self, Request};
use crate::mesh::{Mesh, OR_BASELINE, Service};
use crate::simulate::Layout;

/// A request's way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// Its id.
    pub id: String,
    /// Its calls, callers before what they call.
    pub hops: Vec<Hop>,
    /// Where reality left the file first. None: nowhere.
    pub left: Option<Left>,
    /// Lines that are not of an access log.
    pub skipped: usize,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// When it began, RFC 3339.
    pub time: String,
    /// Who called: a service of the file, else the pod.
    pub from: String,
    /// What was called: a service of the file, else the host.
    pub to: String,
    /// Whose request it was.
    pub tenant: Option<String>,
    /// Where it went.
    pub subset: Option<String>,
    /// Where the tenant came from.
    pub source: Option<String>,
    /// Why it goes there, by the file.
    pub reason: Option<&'static str>,
    /// Where the file sends it; several where the user's key decides and is not known; empty: the file does not say.
    pub file_says: Vec<String>,
    /// The line of the file that says so.
    pub line: Option<String>,
    /// Is it known by its time only, since it has none of the request's ids?
    pub by_time: bool,
    /// What is not as the file says.
    pub differs: Option<String>,
}

/// Where reality left the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Left {
    /// The place of the hop, from 0.
    pub hop: usize,
    /// What is not as the file says.
    pub why: String,
    /// What to do.
    pub help: String,
}

/// The file that calls are compared with.
pub struct Compared<'a> {
    /// The file.
    pub file: &'a Checked,
    /// Its texts.
    pub sources: &'a SourceFiles,
    /// What it means.
    pub mesh: &'a Mesh,
    /// The user's key.
    pub key: Option<&'a str>,
}

impl Trace {
    /// The way that these lines tell.
    ///
    /// # Errors
    /// When they tell none.
    pub fn of(compared: &Compared<'_>, id: &str, lines: &[(&Line, By)], skipped: usize) -> Result<Self> {
        let calls: Vec<&(&Line, By)> = lines.iter().filter(|(line, _)| !line.is_inbound()).collect();
        ensure!(
            !calls.is_empty(),
            "the lines of `{id}` are all of proxies that were called: the logs of the callers and of the gateway are missing"
        );
        ensure!(
            calls.iter().any(|(line, _)| line.has_fields),
            "the access log has none of graylane's fields: add those that `graylane render --mesh-config` prints (with `telemetry.tracing: true`)"
        );
        let mut hops = Vec::new();
        let mut left = None;
        for (call, by) in in_order(compared.mesh, &calls) {
            let (hop, why) = compared.hop(&hops, call, by)?;
            if let (Some((why, help)), None) = (why, &left) {
                left = Some(Left { hop: hops.len(), why, help });
            }
            hops.push(hop);
        }
        Ok(Self { id: id.to_owned(), hops, left, skipped })
    }
}

/// Callers before what they call, else by time: clocks of nodes differ.
fn in_order<'l>(mesh: &Mesh, calls: &[&(&'l Line, By)]) -> Vec<(&'l Line, By)> {
    let mut rest: Vec<(&Line, By)> = calls.iter().map(|call| **call).collect();
    rest.sort_by_key(|(line, _)| line.time);
    let mut ordered: Vec<(&Line, By)> = Vec::new();
    while !rest.is_empty() {
        // One whose caller another one of the rest calls comes later.
        let waits = |(line, _): &(&Line, By)| {
            let from = from(mesh, line);
            rest.iter().any(|(other, _)| {
                other != line && from.is_some() && to(mesh, other).map(|service| &*service.name) == from
            })
        };
        let next = rest.iter().position(|call| !waits(call)).unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}

/// The parts of the name of a cluster: subset and host.
fn parts(cluster: &str) -> Option<(Option<u16>, &str, &str)> {
    let mut parts = cluster.strip_prefix("outbound|")?.splitn(3, '|');
    Some((parts.next()?.parse().ok(), parts.next()?, parts.next()?))
}

/// The service that was called.
fn to<'m>(mesh: &'m Mesh, line: &Line) -> Option<&'m Service> {
    let (port, _, host) = parts(&line.cluster)?;
    let fits = |service: &&Service| {
        let elsewhere = service.versions.values().any(|version| version.host.as_deref() == Some(host));
        service.host == host || elsewhere
    };
    let mut all = mesh.services.iter().filter(fits);
    all.clone().find(|service| service.port.is_some() && service.port == port).or_else(|| all.next())
}

/// The service whose pod called.
fn from<'m>(mesh: &'m Mesh, line: &Line) -> Option<&'m str> {
    let pod = line.pod.as_deref()?;
    let fits =
        |service: &&Service| pod.strip_prefix(service.short_host()).is_some_and(|rest| rest.starts_with('-'));
    let service = mesh.services.iter().filter(fits).max_by_key(|service| service.short_host().len())?;
    Some(&service.name)
}

/// The version that a call reached. None: the cluster does not tell versions apart.
fn reached(service: &Service, line: &Line) -> Option<String> {
    let (_, subset, host) = parts(&line.cluster)?;
    let subset = subset.strip_suffix(OR_BASELINE).unwrap_or(subset);
    if !subset.is_empty() {
        return Some(subset.to_owned());
    }
    let is_it = |name: &&String| {
        let own = service.version(name).and_then(|version| version.host.as_deref());
        (service.by_services || service.is_plain(name)) && own.unwrap_or(&service.host) == host
    };
    service.subsets.keys().find(is_it).cloned()
}

/// What is wrong, and what to do.
type Wrong = Option<(String, String)>;

impl Compared<'_> {
    fn hop(&self, before: &[Hop], line: &Line, by: By) -> Result<(Hop, Wrong)> {
        let mesh = self.mesh;
        let service = to(mesh, line);
        let last = before.last();
        let from = from(mesh, line).or(line.pod.as_deref());
        let from = from.map_or_else(|| last.map_or("outside", |hop| &hop.to).to_owned(), ToOwned::to_owned);
        let caller = before.iter().rev().find(|hop| hop.to == from);
        // Without a filter it is still the caller's request.
        let tenant = line.tenant.as_ref().or(caller.and_then(|hop| hop.tenant.as_ref()));
        let tenant = tenant.unwrap_or(&mesh.default).clone();
        let mut hop = Hop {
            time: time(line.time),
            to: service.map_or_else(|| line.authority.clone(), |service| service.name.clone()),
            tenant: line.tenant.clone(),
            subset: service.and_then(|service| reached(service, line)).or_else(|| line.subset.clone()),
            source: line
                .tenant
                .as_ref()
                .map(|_| line.source.clone().unwrap_or_else(|| Source::Header.name().to_owned())),
            by_time: by == By::Time,
            from,
            ..Hop::default()
        };
        if let Some(service) = service.filter(|service| !service.external && mesh.tenants.contains(&tenant)) {
            self.file_says(&mut hop, service, line, &tenant)?;
        }
        let wrong = match self.mode(&hop.from) {
            Mode::Enforce => self.wrong(&hop, caller, line, service.is_some()),
            // What is only counted, or left alone, is routed by the headers as they arrived.
            Mode::Observe | Mode::Off => None,
        };
        hop.differs = wrong.as_ref().map(|(why, _)| why.clone());
        Ok((hop, wrong))
    }

    /// Of the proxy that made a call. A pod's own label is not in the log, nor whether an unlisted pod is a gateway's.
    fn mode(&self, from: &str) -> Mode {
        match self.mesh.service(from) {
            Some(service) => self.mesh.pod_mode(&service.namespace, Some(service.short_host())).0,
            None if self.mesh.gateways_enforce() => self.mesh.mode,
            None => Mode::Observe,
        }
    }

    /// What `explain` says about the call.
    fn file_says(&self, hop: &mut Hop, service: &Service, line: &Line, tenant: &str) -> Result<()> {
        let mut request = Request { path: vec![service.name.clone()], ..Request::default() };
        request.headers.push((self.mesh.header.clone(), tenant.as_bytes().to_vec()));
        if let Some(key) = self.key {
            let unit = self.mesh.units()?.of(key.as_bytes());
            request.headers.push(("baggage".to_owned(), format!("{UNIT_MEMBER}={unit}").into_bytes()));
        }
        let route = route_in(line.route.as_bytes()).and_then(|route| std::str::from_utf8(route).ok());
        let named = |name: &&str| service.routes.iter().any(|route| route.name.as_deref() == Some(name));
        let route = route.filter(named);
        request.routes.extend(route.map(|route| (service.name.clone(), route.to_owned())));
        let said = explain::explain(self.file, self.sources, self.mesh, &request, None)?;
        let Some(said) = said.into_iter().next() else { return Ok(()) };
        hop.reason = said.reason;
        hop.line = said.file.zip(said.line).map(|(file, line)| format!("{file}:{line}"));
        let plain = said.subset.map(|subset| subset.strip_suffix(OR_BASELINE).unwrap_or(&subset).to_owned());
        hop.file_says = plain.into_iter().collect();
        if said.bucket.is_some() && self.key.is_none() {
            let own = service.routes.iter().find(|one| one.name.as_deref() == route);
            let route = own.unwrap_or_else(|| service.rest());
            let weights = route.rollout.as_ref().map_or(&[][..], |rollout| &rollout.weights);
            let layout = Layout::of(&route.baseline, weights);
            let all = layout.subsets.iter().skip(1).chain(layout.subsets.first());
            hop.file_says = all.filter(|one| layout.share(one) > 0).cloned().collect();
            hop.reason = Some(Reason::Rollout.name());
        }
        Ok(())
    }

    fn wrong(&self, hop: &Hop, caller: Option<&Hop>, line: &Line, is_listed: bool) -> Wrong {
        let Hop { from, to, .. } = hop;
        let say = |why: String, help: String| Some((why, help));
        let Some(tenant) = &hop.tenant else {
            // Where a call leaves the mesh nothing has to be decided.
            return is_listed.then(|| {
                let why = if line.has_fields { "no filter decided about this call" } else { "the log of this proxy has no field `tenant`" };
                let help = format!(
                    "see with `graylane status` whether the pods of {from} run the filter, and with `graylane explain` whether \
                     the path is exempt or the mode is off"
                );
                (why.to_owned(), help)
            });
        };
        let was = caller.and_then(|caller| caller.tenant.as_ref());
        if let Some(was) = was.filter(|was| *was != tenant) {
            if hop.source.as_deref() == Some(Source::Default.name()) {
                let why = format!(
                    "the tenant was lost: {from} was called for `{was}`, and its call carries nothing of that"
                );
                let help = format!(
                    "let {from} forward one of the headers `{}`, `baggage`, `x-request-id` or `traceparent`; then the next \
                     sidecar restores the tenant (`graylane explain --drops {from}`)",
                    self.mesh.header
                );
                return say(why, help);
            }
            let why = format!("another tenant: {from} was called for `{was}` and called for `{tenant}`");
            return say(why, format!("find out why {from} sends another `{}` header", self.mesh.header));
        }
        let reached = hop.subset.as_ref()?;
        if hop.file_says.is_empty() || hop.file_says.contains(reached) {
            return None;
        }
        let why =
            format!("another version: {to} {reached}, and the file says {}", hop.file_says.join(" or "));
        let help = if line.subset.as_ref().is_some_and(|chosen| hop.file_says.contains(chosen)) {
            "the filter chose what the file says, and the route led elsewhere: compare with `graylane diff --against`"
        } else {
            "the filter ran another text of the file: see `graylane status`, and `graylane user KEY --at TIME` for its history"
        };
        say(why, help.to_owned())
    }
}

/// Milliseconds since 1970 as RFC 3339.
fn time(at: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

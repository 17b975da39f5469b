//! Requests to a mesh, each compared with what graylane's core says about it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use graylane::mesh::{Route, Service};
use graylane_decide::Role;
use graylane_decide::config::Mode;
use graylane_decide::names::SUBSET_HEADER;
use graylane_tests::istio::{Answer, Call, INTERNAL, LEAKED, Mesh};
use graylane_tests::level::native::Native;
use graylane_tests::level::{Level as _, Outcome, Request};

use crate::example::{CALLER, Door, Example};

/// How many differences are shown.
const SHOWN: usize = 8;

/// Where a request is sent: a service, and one of its routes.
pub struct ServiceRoute<'a> {
    /// The service.
    pub service: &'a Service,
    /// The route, which the path and the method lead to.
    pub route: &'a Route,
    path: String,
    method: String,
}

/// One user's request.
struct User<'a> {
    number: usize,
    tenant: Option<&'a str>,
}

impl User<'_> {
    fn headers(&self, header: &str) -> Vec<(String, String)> {
        let number = self.number;
        let id = format!("{number:08x}-1111-4111-8111-{number:012x}");
        let mut headers =
            vec![("x-request-id".to_owned(), id), ("x-user-id".to_owned(), format!("user-{number}"))];
        headers.extend(self.tenant.map(|tenant| (header.to_owned(), tenant.to_owned())));
        headers
    }
}

/// A way into the mesh.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// As the caller's application, through its sidecar.
    Caller,
    /// As a stranger, through a gateway, to this public host.
    Gateway(&'a Door<'a>, &'a str),
}

impl<'a> Way<'a> {
    fn door(self) -> Option<&'a Door<'a>> {
        match self {
            Self::Caller => None,
            Self::Gateway(door, _) => Some(door),
        }
    }
}

/// All places of an example that a path and a method can lead to.
pub fn places(example: &Example) -> Vec<ServiceRoute<'_>> {
    let of = |service| {
        let service: &Service = service;
        let place = move |route| {
            let (method, path) = request_for(route)?;
            Some(ServiceRoute { service, route, path, method })
        };
        service.routes.iter().filter_map(place)
    };
    example.meaning.services.iter().flat_map(of).collect()
}

/// The places of one service.
pub fn place<'a>(example: &'a Example, service: &str) -> Result<ServiceRoute<'a>> {
    let found =
        places(example).into_iter().find(|place| place.service.name == service && place.route.name.is_none());
    found.with_context(|| format!("{} has no service `{service}`", example.name))
}

/// Method and path of a request that a route is about; none if it takes more than those.
fn request_for(route: &Route) -> Option<(String, String)> {
    let Some(first) = route.matches.first() else { return Some(("GET".to_owned(), "/".to_owned())) };
    if first.keys().any(|key| key != "uri" && key != "method") {
        return None;
    }
    let uri = &first["uri"];
    let path = uri["prefix"].as_str().or_else(|| uri["exact"].as_str())?;
    let method = first.get("method").map_or(Some("GET"), |method| method["exact"].as_str())?;
    Some((method.to_owned(), path.to_owned()))
}

/// Sends requests of so many users, of every tenant and of none, and compares each with what the core says: who
/// answers, and what the application got. How many there were.
pub async fn with_core(
    example: &Example,
    mesh: &Mesh<'_>,
    place: &ServiceRoute<'_>,
    way: Way<'_>,
    users: usize,
) -> Result<usize> {
    let header = &example.meaning.header;
    let mut core = Native::new(&example.suite(way.door()))?;
    let (mut sent, mut differences) = (0, Vec::new());
    for tenant in tenants(example) {
        for number in 0..users {
            let user = User { number, tenant };
            let mut headers = user.headers(header);
            headers.extend(own_keys(way, number));
            let answer = call(example, mesh, place, way, &headers).send().await?;
            sent += 1;
            let (who, want_header) = decided(example, place, &mut core, way, &headers)?;
            let got = (answer.who(), answer.seen(header).map(str::to_owned));
            let leaks =
                answer.headers.iter().any(|(name, value)| LEAKED.contains(&&**name) && value == INTERNAL);
            let ought = way.door().is_none();
            ensure!(answer.status != 200 || leaks == ought, "internal headers of an answer: {answer:?}");
            if !who.contains(&got.0) || want_header != got.1 || answer.seen(SUBSET_HEADER).is_some() {
                differences.push(format!(
                    "{headers:?}: the core says {who:?}, tenant {want_header:?}; it is {answer:?}"
                ));
            }
        }
    }
    let what = format!("{}: {}{}", example.name, place.service.name, place.path);
    ensure!(
        differences.is_empty(),
        "{what}: {} of {sent} requests are not as the core says:\n{}",
        differences.len(),
        differences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n")
    );
    Ok(sent)
}

/// What identifies a user at a gateway with keys of its own: without it the gateway's id of the request would, which is made there.
fn own_keys(way: Way<'_>, number: usize) -> Vec<(String, String)> {
    let Some(door) = way.door().filter(|door| door.ingress.has_own_keys) else { return Vec::new() };
    let names = door.ingress.keys.iter().filter_map(|key| key.header.clone());
    names.map(|name| (name, format!("user-{number}"))).collect()
}

/// As [`with_core`], with nothing in the way but Istio: tenants go by header, weights split as they like.
pub async fn with_routes_alone(
    example: &Example,
    mesh: &Mesh<'_>,
    place: &ServiceRoute<'_>,
    way: Way<'_>,
    users: usize,
) -> Result<()> {
    for tenant in tenants(example) {
        let allowed: BTreeSet<String> = subsets(example, place, tenant)
            .into_iter()
            .map(|subset| example.pod_of(place.service, subset))
            .collect::<Result<_>>()?;
        for number in 0..users {
            let headers = User { number, tenant }.headers(&example.meaning.header);
            let answer = call(example, mesh, place, way, &headers).send().await?;
            let what = || format!("{}{}, tenant {tenant:?}", place.service.name, place.path);
            ensure!(allowed.contains(&answer.who()), "{}: not one of {allowed:?}: {answer:?}", what());
        }
    }
    Ok(())
}

/// The subsets that a tenant may get of plain Istio.
pub fn subsets<'a>(example: &Example, place: &ServiceRoute<'a>, tenant: Option<&str>) -> Vec<&'a str> {
    if let Some(pinned) = tenant.and_then(|tenant| place.route.pins.get(tenant)) {
        return vec![pinned];
    }
    let baseline = place.service.baseline.as_str();
    let is_declared = |tenant: &str| example.meaning.tenants.iter().any(|is| is == tenant);
    match &place.route.rollout {
        Some(rollout)
            if !tenant
                .is_some_and(|is| is_declared(is) && !rollout.tenants.iter().any(|part| part == is)) =>
        {
            let canaries = rollout.weights.iter().filter(|weight| weight.buckets > 0);
            canaries.map(|weight| weight.subset.as_str()).chain([baseline]).collect()
        }
        _ => vec![baseline],
    }
}

/// None, and every tenant of the file.
fn tenants(example: &Example) -> impl Iterator<Item = Option<&str>> {
    [None].into_iter().chain(example.meaning.tenants.iter().map(|tenant| Some(tenant.as_str())))
}

fn call(
    example: &Example,
    mesh: &Mesh<'_>,
    place: &ServiceRoute<'_>,
    way: Way<'_>,
    headers: &[(String, String)],
) -> Call {
    let call = match way {
        Way::Caller => {
            let authority = format!("{}:{}", place.service.host, example.port(place.service));
            mesh.pod(CALLER).call(&authority)
        }
        Way::Gateway(door, host) => mesh.pod(&door.pod).receive(door.port, host),
    };
    let path = match place.service.expose.paths.first() {
        Some(prefix) if way.door().is_some() && place.path == "/" => prefix,
        _ => &place.path,
    };
    let call = call.method(&place.method).path(path);
    headers.iter().fold(call, |call, (name, value)| call.header(name, value))
}

/// The subset that the core chooses for each of so many users without tenant, who come in this way.
pub fn chosen(
    example: &Example,
    place: &ServiceRoute<'_>,
    way: Way<'_>,
    users: usize,
) -> Result<Vec<String>> {
    let mut core = Native::new(&example.suite(way.door()))?;
    let chosen = (0..users).map(|number| {
        let headers = User { number, tenant: None }.headers(&example.meaning.header);
        let outcome = outcome(example, place, &mut core, way, &headers)?;
        let [_, _, subset] = outcome.lane.context("the core decides nothing")?;
        Ok(subset)
    });
    chosen.collect()
}

/// The headers by which a user without tenant is known, by number; as [`chosen`] knows them.
pub fn user(number: usize) -> Vec<(String, String)> {
    User { number, tenant: None }.headers("")
}

/// The pods that may answer, and the tenant that the application is to see.
fn decided(
    example: &Example,
    place: &ServiceRoute<'_>,
    core: &mut Native,
    way: Way<'_>,
    headers: &[(String, String)],
) -> Result<(BTreeSet<String>, Option<String>)> {
    let service = place.service;
    let outcome = outcome(example, place, core, way, headers)?;
    if let Some((status, _)) = outcome.reply {
        return Ok((BTreeSet::from([status.to_string()]), None));
    }
    let header = outcome.headers.iter().find(|(name, _)| *name == example.meaning.header);
    let header = header.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let Some([_, _, subset]) = outcome.lane else { bail!("the core decides nothing about {headers:?}") };
    // Who only observes changes no route; nor does who has nothing to draw a bucket from. A stranger's cookie is drawn.
    let free = example.meaning.mode == Mode::Observe || subset.is_empty() || outcome.cookie.is_some();
    let subsets = if free { subsets(example, place, header.as_deref()) } else { vec![subset.as_str()] };
    let pods = subsets.into_iter().map(|subset| example.pod_of(service, subset));
    Ok((pods.collect::<Result<_>>()?, header))
}

/// What the core makes of a request.
fn outcome(
    example: &Example,
    place: &ServiceRoute<'_>,
    core: &mut Native,
    way: Way<'_>,
    headers: &[(String, String)],
) -> Result<Outcome> {
    let service = place.service;
    let (role, authority) = match way {
        Way::Caller => (Role::Outbound, service.host.as_str()),
        Way::Gateway(_, host) => (Role::Gateway, host),
    };
    let pairs = [(":authority", authority), (":method", &place.method), (":path", &place.path)];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pairs = pairs.iter().chain(headers).map(|(name, value)| (name.clone(), value.clone().into_bytes()));
    let cluster = format!("outbound|{}||{}", example.port(service), service.host);
    let route = place.route.name.as_ref().map_or(String::new(), |name| format!("{name}:"));
    let route = format!("{}:{route}rest", service.name);
    core.send(&Request { route: Some(&route), ..Request::new(role, pairs.collect(), Some(&cluster)) })
}

/// Fails unless it is this pod that answered.
pub fn ensure_who(answer: &Answer, who: &str, what: &str) -> Result<()> {
    ensure!(answer.who() == who, "{what}: {answer:?}");
    Ok(())
}

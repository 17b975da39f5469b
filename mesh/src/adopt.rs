//! What the filter changes for external routes: the same request, as it is sent and as the filter leaves
//! it, by the model of what is there.

pub mod gateway_api;
pub mod headless;
pub mod other_files;
pub mod patches;
pub mod unlisted;
pub mod weights;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use graylane_decide::names::OWN_PREFIX;

use crate::explain::{Proxy, Target};
use crate::mesh::Mesh;
use crate::traffic::{At, Difference, MESH, Report, Request, World, requests};

/// Requests that would be treated differently with the filter, although they lost nothing; none to hosts whose
/// routes graylane writes.
///
/// # Errors
/// When the filter would refuse its configuration.
pub fn differences(mesh: &Mesh, world: &World) -> Result<Report> {
    let mut report = Report::default();
    let mut known: BTreeMap<(String, Option<At>, Option<At>, bool), usize> = BTreeMap::new();
    let mut sidecar = Proxy::sidecar(mesh, None, 0)?;
    let mut gateways = mesh
        .gateways()
        .map(|(ingress, _)| Ok((Proxy::gateway(mesh, &ingress, BTreeMap::new(), 0)?, ingress)))
        .collect::<Result<Vec<_>>>()?;
    let own = own_hosts(mesh);
    for (place, host) in world.places() {
        if own.contains(host.as_str()) {
            continue;
        }
        let proxy = match place.as_str() {
            MESH => &mut sidecar,
            // No filter sees requests elsewhere.
            _ => match gateways.iter_mut().find(|(_, ingress)| ingress.serves(&place)) {
                Some((proxy, _)) => proxy,
                None => continue,
            },
        };
        let rules = world.rules(&place, &host);
        for request in requests(&place, &host, [rules.as_ref(), None]) {
            if request.headers.keys().any(|name| name.starts_with(OWN_PREFIX)) {
                continue;
            }
            report.tried += 1;
            let before = world.answer(&request, rules.as_ref());
            let to = before.targets.first().map_or(&request.host, |(target, _)| &target.host);
            let Some(changed) = filtered(proxy, &request, to) else { continue };
            let after = world.answer(&changed, rules.as_ref());
            if before.is_same(&after) {
                continue;
            }
            let key = (format!("{place} {host}"), before.rule, after.rule, before.goes_the_same_way(&after));
            let next = report.differences.len();
            match known.get(&key) {
                Some(place) => report.differences[*place].count += 1,
                None => {
                    known.insert(key, next);
                    report.differences.push(Difference { request, before, after, count: 1 });
                }
            }
        }
    }
    Ok(report)
}

/// Hosts whose routes graylane writes, inside the mesh and outside.
fn own_hosts(mesh: &Mesh) -> BTreeSet<&str> {
    let mut hosts = BTreeSet::new();
    for service in mesh.routed() {
        hosts.insert(service.host.as_str());
        hosts.extend(service.expose.hosts.iter().map(String::as_str));
    }
    hosts
}

/// A request as the filter leaves it; none if it is turned away, which nothing in the routes can be about. `to`: the host
/// that its route leads to.
fn filtered(proxy: &mut Proxy, request: &Request, to: &str) -> Option<Request> {
    let target = Target {
        authority: format!("{}:{}", request.host, request.port),
        public: Some(request.host.clone()),
        cluster: format!("outbound|{}||{to}", request.port),
        route: None,
    };
    // Claims are not headers.
    let (claims, headers): (Vec<_>, Vec<_>) =
        request.headers.iter().partition(|(name, _)| name.starts_with('@'));
    let mut lines: Vec<(String, Vec<u8>)> =
        headers.into_iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    lines.push((":path".to_owned(), request.path.clone().into_bytes()));
    lines.push((":method".to_owned(), request.method.clone().into_bytes()));
    let outcome = proxy.send(&target, &mut lines);
    if outcome.is_some_and(|outcome| outcome.rejection.is_some()) {
        return None;
    }
    let had_id = request.headers.contains_key("x-request-id");
    let kept = |name: &str| !name.starts_with(':') && (had_id || name != "x-request-id");
    let mut changed = Request { headers: BTreeMap::new(), ..request.clone() };
    for (name, value) in lines.into_iter().filter(|(name, _)| kept(name)) {
        changed.headers.insert(name, String::from_utf8_lossy(&value).into_owned());
    }
    changed.headers.extend(claims.into_iter().map(|(name, value)| (name.clone(), value.clone())));
    Some(changed)
}

#[cfg(test)]
mod tests;

//! The built module in a proxy of a real Istio, which gets it from istiod.
//!
//! Where a request goes is Istio's own choice here, by its authority: a case's cluster says no more than the port. Nor
//! are there routes of graylane's, so that the application sees every header that the filter leaves.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use graylane_decide::Role;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{Level, Outcome, Request};
use crate::echo;
use crate::istio::{Look, PodHandle, until};
use crate::token;

/// How long a line of an access log may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The port of a request that names none.
const PORT: u16 = 8080;
/// Headers that proxies of a mesh add.
const ISTIOS_OWN: [&str; 2] = ["x-forwarded-for", "x-envoy-external-address"];

/// A pod whose proxy has the plugins of a suite.
pub struct InMesh<'a> {
    /// The pod.
    pub pod: &'a PodHandle,
    /// The port on which it, or the gateway, is asked from outside.
    pub port: u16,
}

impl InMesh<'_> {
    fn address(&self, request: &Request<'_>) -> SocketAddr {
        if request.role != Role::Outbound {
            return (IpAddr::from(self.pod.address), self.port).into();
        }
        let authority = request.headers.iter().find(|(name, _)| name == ":authority");
        let authority = authority.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let of_cluster = || request.cluster?.split('|').nth(1)?.parse().ok();
        (IpAddr::from(self.pod.outbound()), port.or_else(of_cluster).unwrap_or(PORT)).into()
    }

    /// Tenant, source and subset of the next line of the access log.
    fn lane(&self, lines: usize) -> Result<[String; 3]> {
        let proxy = self.pod.proxy().context("a pod without proxy")?;
        let next = until("the request is in the access log", LIMIT, async || {
            Ok(Look::at(proxy.access_log().get(lines).cloned(), || proxy.log_end()))
        });
        let line = block_in_place(|| Handle::current().block_on(next))?;
        let field = |name: &str| {
            let value = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            value.filter(|value| *value != "-").unwrap_or_default().to_owned()
        };
        Ok(["tenant", "source", "subset"].map(field))
    }
}

impl Level for InMesh<'_> {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let lines = self.pod.proxy().context("a pod without proxy")?.access_log().len();
        let token = request.token.map(|(claims, flaw)| token::authorization(claims, flaw));
        let head = request.head(&token.into_iter().collect::<Vec<_>>());
        let answer = block_in_place(|| echo::send(self.address(request), &head))?;
        let lane = self.lane(lines)?;
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Ok(Outcome { reply: Some((answer.status, body)), ..Outcome::default() });
        }
        let mut headers = echo::headers(&answer.body)?;
        headers.retain(|(name, _)| !ISTIOS_OWN.contains(&name.as_str()));
        // Proxies give an id to a request that has none, mark the one that it has, and do not believe a stranger's.
        let is_id = |name: &str| name.eq_ignore_ascii_case("x-request-id");
        headers.retain(|(name, _)| !is_id(name));
        headers.extend(request.headers.iter().filter(|(name, _)| is_id(name)).cloned());
        let lane = Some(lane).filter(|[tenant, ..]| !tenant.is_empty());
        Ok(Outcome { headers, lane, ..Outcome::default() })
    }
}

//! At which ports a host is called.

use std::collections::BTreeSet;

use crate::mesh::Service;
use crate::routes::HostRoutes;

/// The port of a service, where the file says none: that of HTTP.
pub(super) fn of_service(service: &Service) -> u16 {
    service.port.unwrap_or(80)
}

/// The ports at which a host is called: those of its services, then others that a route is about.
pub(super) fn of_host(host: &HostRoutes<'_>) -> Vec<u16> {
    let own: BTreeSet<u16> = host.blocks.iter().map(|block| of_service(block.service)).collect();
    let matched = host.blocks.iter().flat_map(|block| &block.matches).filter_map(|one| one.port);
    let matched: BTreeSet<u16> = matched.filter_map(|port| port.try_into().ok()).collect();
    own.iter().copied().chain(matched.difference(&own).copied()).collect()
}

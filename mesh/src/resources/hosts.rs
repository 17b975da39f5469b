//! Services by host: Istio takes one DestinationRule and one VirtualService for a host, however many services of the
//! file share it.

use std::collections::BTreeMap;

use crate::mesh::{Mesh, Service};

/// A host and the services that are it: one, or several that differ in their port.
pub struct Host<'a> {
    /// The full host name.
    pub name: &'a str,
    /// Its services, in order of their ports.
    pub services: Vec<&'a Service>,
}

impl<'a> Host<'a> {
    /// What its resources are called: the only service, or else the host.
    pub fn title(&self) -> &'a str {
        match self.services[..] {
            [only] => &only.name,
            _ => self.services[0].short_host(),
        }
    }

    /// The name that its VirtualService has in any case.
    pub fn virtual_service(&self) -> Option<&'a str> {
        self.services.iter().find_map(|service| service.names.virtual_service.as_deref())
    }

    /// The name that its DestinationRule has in any case.
    pub fn destination_rule(&self) -> Option<&'a str> {
        self.services.iter().find_map(|service| service.names.destination_rule.as_deref())
    }

    /// Its namespace.
    pub fn namespace(&self) -> &'a str {
        &self.services[0].namespace
    }

    /// Is there more than one service, so that rules have to say the port?
    pub fn is_shared(&self) -> bool {
        self.services.len() > 1
    }
}

/// All hosts whose routes are ours, in byte order.
pub fn all(mesh: &Mesh) -> Vec<Host<'_>> {
    let mut hosts: BTreeMap<&str, Vec<&Service>> = BTreeMap::new();
    for service in mesh.routed() {
        hosts.entry(&service.host).or_default().push(service);
    }
    hosts.values_mut().for_each(|services| services.sort_by_key(|service| service.port));
    hosts.into_iter().map(|(name, services)| Host { name, services }).collect()
}

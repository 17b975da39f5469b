//! `source`: the client's address, as Envoy resolved it.

use crate::edge::facts::{Facts, Properties};
use crate::edge::network::{self, Network};
use crate::names;
use crate::world::World;

/// Compiled: an index of [`Properties`], and the networks.
#[derive(Clone, Debug)]
pub struct ClientAddress(usize, Vec<Network>);

impl ClientAddress {
    pub fn new(networks: &[String], properties: &mut Properties) -> Option<Self> {
        let networks = networks.iter().map(|network| Network::parse(network)).collect::<Option<_>>()?;
        Some(Self(properties.ask(names::SOURCE_ADDRESS), networks))
    }

    pub fn holds<W: World>(&self, facts: &mut Facts<'_, W>) -> bool {
        let address = facts.get(self.0).and_then(network::address);
        address.is_some_and(|address| self.1.iter().any(|network| network.contains(address)))
    }
}

//! Envoy's cluster names as Istio writes them: `outbound|8080|v1|api.shop.svc.cluster.local`
//! (`BuildSubsetKey` in istio/pilot/pkg/model/service.go).

use crate::request::authority::decimal;

/// What a cluster name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster<'a> {
    /// The service's full host name.
    pub host: &'a [u8],
    /// The service's port.
    pub port: Option<u16>,
}

impl<'a> Cluster<'a> {
    /// Reads `outbound|…`, and a waypoint's `inbound-vip|…`; every other name (`PassthroughCluster`,
    /// `BlackHoleCluster`, `inbound|8080||`, a name of plain Envoy) belongs to no service.
    #[must_use]
    pub fn parse(name: &'a [u8]) -> Option<Self> {
        let mut parts = name.split(|byte| *byte == b'|');
        let direction = parts.next()?;
        let (port, _subset, host) = (parts.next()?, parts.next()?, parts.next()?);
        let known = direction == b"outbound" || direction == b"inbound-vip";
        (known && parts.next().is_none() && !host.is_empty()).then(|| Self { host, port: decimal(port) })
    }

    /// Is this host under the cluster's domain?
    #[must_use]
    pub fn is_under(&self, domain: &[u8]) -> bool {
        self.host.strip_suffix(domain).is_some_and(|rest| rest.ends_with(b"."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clusters_of_services_are_read() {
        let api = Cluster { host: b"api.shop.svc.cluster.local", port: Some(8080) };
        assert_eq!(Cluster::parse(b"outbound|8080|v1|api.shop.svc.cluster.local"), Some(api));
        assert_eq!(Cluster::parse(b"inbound-vip|8080|http|api.shop.svc.cluster.local"), Some(api));
        assert!(api.is_under(b"cluster.local"));
        assert!(!api.is_under(b"local.cluster"));
        assert!(!Cluster { host: b"evilcluster.local", port: None }.is_under(b"cluster.local"));
        for other in
            ["", "PassthroughCluster", "inbound|8080||", "outbound|80||", "outbound|80", "outbound|8|v|h|x"]
        {
            assert_eq!(Cluster::parse(other.as_bytes()), None, "{other}");
        }
    }
}

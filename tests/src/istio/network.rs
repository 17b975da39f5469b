//! The network namespace that a run has to itself.
//!
//! Its loopback answers for all of 10.0.0.0/8, as it does for 127.0.0.0/8 everywhere: a pod's address needs no
//! set-up of its own. It has to be 10.x, because Kubernetes refuses loopback addresses in EndpointSlices.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, ensure};

/// Fails outside of a network namespace of its own, as `.ci/in-own-network` makes it.
///
/// # Errors
/// Then.
pub fn require_own_network() -> Result<()> {
    let devices = std::fs::read_to_string("/proc/net/dev").context("/proc is not there")?;
    let names = devices.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim);
    let others: Vec<&str> = names.filter(|name| *name != "lo").collect();
    let how = "use `make e2e-istio`";
    ensure!(others.is_empty(), "this is not a network of its own, it has {}: {how}", others.join(", "));
    TcpListener::bind((pod_address(1), 0))
        .with_context(|| format!("loopback does not answer for 10.0.0.0/8: {how}"))?;
    Ok(())
}

/// The address of a pod.
#[must_use]
pub fn pod_address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 1, high, low)
}

/// Where the sidecar of a pod takes what its application sends. In a real pod iptables lead all its connections to the
/// sidecar; here the application has to be told. Not the pod's own address: the ports of services and those of
/// pods would get into each other's way.
#[must_use]
pub fn outbound_address(pod: Ipv4Addr) -> Ipv4Addr {
    let [_, _, high, low] = pod.octets();
    Ipv4Addr::new(10, 2, high, low)
}

//! `source`: networks of the client's address.

use std::net::IpAddr;

use graylane_decide::config;
use graylane_decide::edge::network::Network;

use super::{Report, at};

/// Says what is wrong with it.
pub fn check(networks: &[String], report: &mut dyn Report, path: &[String]) {
    for (index, one) in networks.iter().enumerate() {
        network(one, report, &at(path, &[&index.to_string()]));
    }
}

/// What the filter reads.
pub fn lower(networks: &[String]) -> config::Condition {
    config::Condition::Source(networks.to_vec())
}

fn network(network: &str, report: &mut dyn Report, path: &[&str]) {
    if Network::parse(network).is_some() {
        return;
    }
    let help = match nearest_network(network) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            "write networks or addresses, as in `10.0.0.0/8`, `2001:db8::/32` or `203.0.113.9`".to_owned()
        }
    };
    report.error(path, format!("invalid network `{network}`")).help(help);
}

/// The network that an address with a prefix lies in: `10.1.2.3/8` is `10.0.0.0/8`.
fn nearest_network(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    Some(match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32u32.checked_sub(bits)?).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv4Addr::from_bits(four.to_bits() & mask))
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128u32.checked_sub(bits)?).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv6Addr::from_bits(six.to_bits() & mask))
        }
    })
}

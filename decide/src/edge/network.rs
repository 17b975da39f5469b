//! Networks of addresses, and where a client's address lies among them.

use std::net::{IpAddr, Ipv6Addr};

/// A network, in CIDR notation (RFC 4632, RFC 4291 section 2.3). IPv4 is kept as IPv4-mapped IPv6, so that the two
/// spellings of one address are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    /// Of 128, those that count.
    mask: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. None for anything else, and where bits behind the
    /// prefix are set: that is a typing error, or an address given as a network.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= width)?
            }
            Some(_) => return None,
        };
        let mask = u128::MAX.checked_shl(width - bits).unwrap_or(0);
        // What stands before an IPv4 address in its mapped form counts too.
        let mask = if address.is_ipv4() { mask | (u128::MAX << 32) } else { mask };
        let first = number(address);
        (first & !mask == 0).then_some(Self { first, mask })
    }

    /// Does this address lie in it?
    #[must_use]
    pub fn contains(&self, address: u128) -> bool {
        address & self.mask == self.first
    }

    /// Does all of the other lie in it?
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.contains(other.first) && self.mask & other.mask == self.mask
    }
}

fn number(address: IpAddr) -> u128 {
    let six: Ipv6Addr = match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    };
    u128::from_be_bytes(six.octets())
}

/// The address in Envoy's `source.address`: `203.0.113.9:443` or `[2001:db8::1]:443`, without its port.
#[must_use]
pub fn without_port(peer: &[u8]) -> Option<&[u8]> {
    let colon = peer.iter().rposition(|byte| *byte == b':')?;
    let address = peer.get(..colon)?;
    Some(address.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(address))
}

/// The same, to be looked up in networks.
#[must_use]
pub fn address(peer: &[u8]) -> Option<u128> {
    let text = std::str::from_utf8(without_port(peer)?).ok()?;
    text.parse().ok().map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks_in_either_spelling() {
        for (network, peer, lies) in [
            ("10.0.0.0/8", "10.255.1.2:80", true),
            ("10.0.0.0/8", "11.0.0.1:80", false),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:80", true),
            ("10.0.0.0/8", "[::10.1.2.3]:80", false),
            ("0.0.0.0/0", "203.0.113.9:1", true),
            ("0.0.0.0/0", "[2001:db8::1]:1", false),
            ("::/0", "[2001:db8::1]:1", true),
            ("2001:db8::/32", "[2001:db8:ffff::1]:1", true),
            ("2001:db8::/32", "[2001:db9::1]:1", false),
            ("192.0.2.7", "192.0.2.7:9", true),
            ("192.0.2.7", "192.0.2.8:9", false),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address(peer.as_bytes()).unwrap()), lies, "{network:?} {peer}");
        }
        for nobody in ["", "10.0.0.1", "@pipe", "/tmp/x.sock", "10.0.0:1", "[::1:80", "\u{ff}:1"] {
            assert_eq!(address(nobody.as_bytes()), None, "{nobody}");
        }
    }

    #[test]
    fn an_invalid_network_is_refused() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08x",
            "10.0.0/8",
            "10.0.0.1/8",
            "::1/64",
            "::/129",
            "a",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_network_covers_smaller_ones() {
        let network = |text| Network::parse(text).unwrap();
        assert!(network("10.0.0.0/8").covers(&network("10.1.0.0/16")));
        assert!(network("10.0.0.0/8").covers(&network("10.0.0.0/8")));
        assert!(!network("10.1.0.0/16").covers(&network("10.0.0.0/8")));
        assert!(network("::/0").covers(&network("0.0.0.0/0")));
        assert!(!network("0.0.0.0/0").covers(&network("::/0")));
    }
}

//! From the `:authority` of a request to the service that is meant.
//!
//! Istio gives a service four names, with and without port: `api`, `api.shop`, `api.shop.svc` and
//! `api.shop.svc.cluster.local` (`generateAltVirtualHosts` in istio/pilot/pkg/networking/core/httproute.go). All of
//! them, folded in case and without a trailing dot, lead to one canonical key, so the table needs one entry a service.

/// Longest host name (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;
/// Room for a host and a namespace behind it.
const SPACE: usize = MAX_HOST + 1 + 63 + 1;

/// Splits an authority into host and port. IPv6 literals keep their brackets; `None` without a port, or with one that
/// is not a number.
#[must_use]
pub fn split(authority: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = authority.iter().rposition(|byte| *byte == b':') else { return (authority, None) };
    let (host, port) = authority.split_at(colon);
    let port = port.get(1..).and_then(decimal);
    match port {
        // `[::1]` has colons but no port.
        None if host.contains(&b':') || authority.ends_with(b"]") => (authority, None),
        port => (host, port),
    }
}

/// A port or a slot number.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    digits.iter().try_fold(0u16, |sum, digit| {
        let value = (*digit as char).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(value as u16)
    })
}

/// The names of a host under which a table may have it, written into a space of its own.
pub struct Names {
    space: [u8; SPACE],
    host: usize,
    canonical: Option<(usize, usize)>,
}

impl Names {
    /// Reads a host. `domain` is the cluster's, lower case; `namespace` completes a name without dots. None for what
    /// is not a host name.
    #[must_use]
    pub fn of(host: &[u8], domain: &[u8], namespace: Option<&[u8]>) -> Option<Self> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.is_empty() || host.len() > MAX_HOST {
            return None;
        }
        let mut names = Self { space: [0; SPACE], host: host.len(), canonical: None };
        for (to, from) in names.space.iter_mut().zip(host) {
            *to = from.to_ascii_lowercase();
        }
        let length = names.service_length(domain);
        let dots = names.space.get(..length)?.iter().filter(|byte| **byte == b'.').count();
        names.canonical = match (dots, namespace) {
            (1, _) => Some((0, length)),
            // A bare `api` was cut from nothing: `api.svc` does not name a service.
            (0, Some(namespace)) if length == host.len() && namespace.len() <= 63 => {
                let end = length + 1 + namespace.len();
                *names.space.get_mut(length)? = b'.';
                names.space.get_mut(length + 1..end)?.copy_from_slice(namespace);
                Some((0, end))
            }
            _ => None,
        };
        Some(names)
    }

    /// How much of the host is `name.namespace`, if it has one of the service's longer forms.
    fn service_length(&self, domain: &[u8]) -> usize {
        let host = self.space.get(..self.host).unwrap_or_default();
        let without_domain = host
            .strip_suffix(domain)
            .and_then(|rest| rest.strip_suffix(b"."))
            .filter(|rest| rest.ends_with(b".svc"))
            .unwrap_or(host);
        without_domain.strip_suffix(b".svc").unwrap_or(without_domain).len()
    }

    /// `name.namespace`, if the host can be a service of the cluster.
    #[must_use]
    pub fn service(&self) -> Option<&[u8]> {
        self.canonical.and_then(|(start, end)| self.space.get(start..end))
    }

    /// The host itself, lower case: as hosts outside the cluster's naming are listed. For a name that a namespace
    /// completed this is the bare name, under which nothing is listed.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.space.get(..self.host).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_split_off_and_addresses_left_whole() {
        let cases: [(&str, &str, Option<u16>); 8] = [
            ("api", "api", None),
            ("api:8080", "api", Some(8080)),
            ("api:", "api", None),
            ("api:x", "api", None),
            ("api:99999", "api", None),
            ("[::1]:80", "[::1]", Some(80)),
            ("[::1]", "[::1]", None),
            ("", "", None),
        ];
        for (authority, host, port) in cases {
            assert_eq!(split(authority.as_bytes()), (host.as_bytes(), port), "{authority}");
        }
    }

    #[test]
    fn every_name_of_a_service_leads_to_one_key() {
        let key = |host: &str, namespace: Option<&str>| {
            let names = Names::of(host.as_bytes(), b"cluster.local", namespace.map(str::as_bytes))?;
            names.service().map(|key| String::from_utf8(key.to_vec()).unwrap())
        };
        let shop = Some("shop");
        for host in [
            "api",
            "API.",
            "api.shop",
            "api.shop.svc",
            "api.shop.svc.cluster.local",
            "Api.Shop.Svc.Cluster.Local.",
        ] {
            assert_eq!(key(host, shop).as_deref(), Some("api.shop"), "{host}");
        }
        assert_eq!(key("api", None), None);
        assert_eq!(key("api.shop", None).as_deref(), Some("api.shop"));
        for other in [
            "api.svc",
            "api.shop.svc.other.domain",
            "pod-0.api.shop.svc.cluster.local",
            "a.b.c",
            "",
            ".",
            "10.0.0.1",
        ] {
            assert_eq!(key(other, shop), None, "{other}");
        }
        assert_eq!(key(&"x".repeat(254), shop), None);
        assert_eq!(key(&"x".repeat(253), Some(&"n".repeat(63))).map(|key| key.len()), Some(253 + 1 + 63));
    }
}

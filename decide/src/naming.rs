//! What names look like: of tenants, subsets and salts, and of headers that may be the tenant header.

use crate::names::OWN_PREFIX;

/// What a name looks like, in words.
pub const NAME_RULE: &str = "1 to 63 letters, digits, `.`, `_` and `-`, with a letter or digit at both ends";

/// Is this a name that a tenant, subset or salt may have: `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`, a
/// Kubernetes label value?
#[must_use]
pub fn is_name(name: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// Can this be the tenant header: a field name (RFC 9110, section 5.1) of at most 63 bytes that nothing else uses?
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    const TAKEN: [&str; 12] = [
        "baggage",
        "traceparent",
        "tracestate",
        "b3",
        "x-b3-traceid",
        "x-request-id",
        "cookie",
        "host",
        "authorization",
        "content-type",
        "content-length",
        "transfer-encoding",
    ];
    let lower = name.to_ascii_lowercase();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && !TAKEN.contains(&&*lower)
        && !lower.starts_with(OWN_PREFIX)
}

/// Does Envoy, or a proxy before or behind it, write this header itself, so that it cannot be the tenant header? `check` refuses
/// it; a filter that is given it anyway runs, and warns. Pseudo headers, hop-by-hop headers (RFC 9110, section
/// 7.6.1), and those that Envoy's connection manager and router set
/// (docs/root/configuration/http/http_conn_man/headers.rst).
#[must_use]
pub fn is_written_by_proxies(name: &str) -> bool {
    const EXACT: [&str; 17] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "date",
        "forwarded",
        "keep-alive",
        "range",
        "referer",
        "server",
        "set-cookie",
        "te",
        "trailer",
        "upgrade",
        "user-agent",
        "via",
        "x-ot-span-context",
        "x-real-ip",
    ];
    const PREFIXES: [&str; 9] =
        [":", "x-forwarded-", "x-envoy-", "x-b3-", "x-datadog-", "x-amzn-", "sec-", "proxy-", "grpc-"];
    let lower = name.to_ascii_lowercase();
    EXACT.contains(&&*lower)
        || PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
        || (!is_header_name(name) && !lower.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_proxies_write_is_known() {
        for taken in [
            "te",
            "Host",
            "X-Forwarded-For",
            "x-envoy-upstream-rq-timeout-ms",
            "user-agent",
            ":path",
            "baggage",
        ] {
            assert!(is_written_by_proxies(taken), "{taken}");
        }
        for fine in ["tenant", "x-tenant", "x_lane", "end-user", "x-env"] {
            assert!(!is_written_by_proxies(fine), "{fine}");
        }
    }
}

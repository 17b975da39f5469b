//! What the schema of the API allows of names and values (config/crd/standard/gateway.networking.k8s.io_httproutes.yaml, Gateway API 1.6).

/// The longest value of a header, of a parameter, and of a path.
pub const LONGEST: [usize; 3] = [4096, 1024, 1024];
/// The most conditions on headers or parameters of a match, and the most headers of one kind that a filter changes.
pub const MOST: usize = 16;
/// Codes of a redirect.
pub const CODES: [u64; 5] = [301, 302, 303, 307, 308];

/// The name of a header or parameter.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= 256 && name.bytes().all(fits)
}

/// A path of the kinds Exact and PathPrefix.
pub fn is_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    let fits = |(at, byte): (usize, u8)| match byte {
        b'%' => is_escape(at),
        byte => byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte),
    };
    let refused = ["//", "/./", "/../", "%2f", "%2F"];
    path.starts_with('/')
        && path.len() <= LONGEST[2]
        && !refused.iter().any(|part| path.contains(part))
        && !path.ends_with("/..")
        && !path.ends_with("/.")
        && path.bytes().enumerate().all(fits)
}

/// A host without a port.
pub fn is_host(host: &str) -> bool {
    let is_edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        is_edge(bytes.first())
            && is_edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_allows() {
        assert!(is_path("/a/b-c_~%41") && is_name("x-user.id") && is_host("a.example"));
        for path in ["a", "/a b", "/items/{id}", "/a%2", "/a//b", "/../a", "/a/..", "/a%2Fb", ""] {
            assert!(!is_path(path), "{path}");
        }
        assert!(!is_name(":scheme") && !is_name("filter[x]") && !is_name(""));
        assert!(!is_host("a.example:8443") && !is_host("A.example") && !is_host(""));
    }
}

//! What the API does not have, and what its schema allows of names and values (config/crd/standard/gateway.networking.k8s.io_httproutes.yaml, Gateway API 1.6).

/// What is wrong with what the API does not have, and what to do.
pub const UNSUPPORTED: &str = "is not supported by the Gateway API";
/// See [`UNSUPPORTED`].
pub const INSTEAD: &str = "remove it, or write `routes: virtual-service` under `mesh`";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_allows() {
        assert!(is_path("/a/b-c_~%41") && is_name("x-user.id"));
        for path in ["a", "/a b", "/items/{id}", "/a%2", "/a//b", "/../a", "/a/..", "/a%2Fb", ""] {
            assert!(!is_path(path), "{path}");
        }
        assert!(!is_name(":scheme") && !is_name("filter[x]") && !is_name(""));
    }
}

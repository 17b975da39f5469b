//! What headers and cookies may be called.

/// A token of HTTP (RFC 9110, section 5.6.2): what a header may be called.
#[must_use]
pub fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// What a cookie may be called as far as it can be read back; browsers are less strict than RFC 6265.
#[must_use]
pub fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && !"=;,\"\\".contains(c))
}

//! Names that Kubernetes and DNS allow.

use super::Checker;
use graylane_decide::naming::{NAME_RULE, is_name};

/// A DNS label (RFC 1123): what a namespace or a service of Kubernetes may be called.
pub fn is_dns_label(name: &str) -> bool {
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

/// A DNS name: labels with dots between them.
pub fn is_dns_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// The key of a Kubernetes label: a name, with or without a DNS name and `/` before it.
pub fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_name(name),
        None => is_name(key),
    }
}

impl Checker<'_> {
    /// A tenant's, subset's or salt's name at the key of a path.
    pub fn check_name(&mut self, what: &str, name: &str, path: &[&str]) {
        if !is_name(name) {
            self.error_at_key(path, format!("`{name}` cannot be the name of a {what}"))
                .help(format!("a name has {NAME_RULE}"));
        }
    }

    /// A namespace's or a service's name at a path.
    pub fn check_dns_label(&mut self, what: &str, name: &str, path: &[&str]) {
        if !is_dns_label(name) {
            self.error(path, format!("`{name}` cannot be {what}"))
                .help("write 1 to 63 lowercase letters, digits and `-`, with a letter or digit at both ends");
        }
    }
}

//! The addresses that get the headers: scheme, host and port, as browsers write an origin (RFC 6454, section 6.2).

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};

use crate::mesh::Mesh;

/// An origin in its one spelling: `https://shop.example.com`, `http://localhost:8080`, or `https://*.shop.example.com`
/// for all names under it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Origin {
    /// Reads a host, with a port if it is another one than HTTPS's, and with `http://` before it for plain HTTP.
    ///
    /// # Errors
    /// When it is something else, or stands for every host.
    pub fn parse(text: &str) -> Result<Self> {
        const EXPECTED: &str = "expected a host, as in `shop.example.com`, `shop.example.com:8443`, `*.shop.example.com` or \
                                `http://localhost:8080`";
        let (scheme, usual, rest) = match text.strip_prefix("http://") {
            Some(rest) => ("http", 80, rest),
            None => ("https", 443, text.strip_prefix("https://").unwrap_or(text)),
        };
        let (name, port) = match rest.split_once(':') {
            Some((name, port)) => {
                (name, port.parse::<u16>().ok().filter(|port| *port > 0).context(EXPECTED)?)
            }
            None => (rest, usual),
        };
        let name = name.to_ascii_lowercase();
        if name == "*" {
            bail!("`{text}` would send the headers to every host: name those of your own with --host");
        }
        let labels = name.strip_prefix("*.").unwrap_or(&name);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        ensure!(name.len() <= 253 && labels.split('.').all(is_label), "invalid host `{text}`: {EXPECTED}");
        ensure!(
            labels == name || labels.contains('.'),
            "`{text}` is every host of a top-level domain: name those of your own with --host"
        );
        let port = if port == usual { String::new() } else { format!(":{port}") };
        Ok(Self(format!("{scheme}://{name}{port}")))
    }
}

/// Where the headers go: to the hosts that are given, else to those that the file exposes.
///
/// # Errors
/// When there is none, or one that the headers must not go to.
pub fn origins(mesh: &Mesh, given: &[String]) -> Result<BTreeSet<Origin>> {
    let exposed = mesh.services.iter().flat_map(|service| {
        let outside = service.outside.iter().flat_map(|outside| &outside.hosts);
        service.expose.hosts.iter().chain(outside)
    });
    let hosts: Vec<&String> = if given.is_empty() { exposed.collect() } else { given.iter().collect() };
    ensure!(
        !hosts.is_empty(),
        "missing hosts: no service of the file has `expose.hosts`. Name those that the application calls, as in \
         `--host shop.example.com`"
    );
    hosts.into_iter().map(|host| Origin::parse(host)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, origin) in [
            ("Shop.Example.com", "https://shop.example.com"),
            ("shop.example.com:443", "https://shop.example.com"),
            ("https://shop.example.com:8443", "https://shop.example.com:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("*.shop.example.com", "https://*.shop.example.com"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), origin);
        }
    }

    #[test]
    fn what_is_no_host_of_ones_own_is_refused() {
        for (text, said) in [
            ("*", "every host"),
            ("*.com", "every host of a top-level domain"),
            ("", "invalid host ``"),
            ("shop.example.com.", "invalid host"),
            ("shop.example.com/path", "invalid host"),
            ("user@shop.example.com", "invalid host"),
            ("a.*.example.com", "invalid host"),
            ("ftp://shop.example.com", "expected a host"),
            ("shop.example.com:0", "expected a host"),
            ("shop.example.com:x", "expected a host"),
            ("größe.example.com", "invalid host"),
            ("a\"b.example.com", "invalid host"),
        ] {
            let error = Origin::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

//! The one way to an HTTP client, so that every one of them knows its cryptography and its limits.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

/// Names the implementation of TLS's cryptography, once for the process; without it a client cannot be built.
pub fn use_ring() {
    // Fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for what runs on this machine or in the mesh: `HTTP_PROXY` and the like do not count.
pub fn direct() -> ClientBuilder {
    use_ring();
    Client::builder().no_proxy()
}

/// How long a call may take, and how much it may answer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the first byte of the answer.
    pub first_byte: Duration,
    /// All of it.
    pub whole: Duration,
    /// The largest answer, in bytes.
    pub bytes: u64,
}

impl Limits {
    /// Applies what a client can do by itself. Redirects are not followed: our credentials are meant for this host alone.
    pub fn client(&self, builder: ClientBuilder) -> ClientBuilder {
        builder.connect_timeout(self.connect).timeout(self.whole).redirect(Policy::none())
    }

    /// Sends a request, and waits for the first byte of an answer.
    ///
    /// # Errors
    /// When there is none in time; says why, without the URL, which may hold a password.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, String> {
        match tokio::time::timeout(self.first_byte, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.reason(&error)),
            Err(_) => Err(format!("does not answer within {}", said(self.first_byte))),
        }
    }

    /// The body of an answer.
    ///
    /// # Errors
    /// When it is too large, or does not come in time.
    pub async fn body(&self, mut response: Response) -> Result<Vec<u8>, String> {
        let too_large =
            |size: u64| format!("answers with {size} bytes or more, and at most {} are read", self.bytes);
        if let Some(size) = response.content_length().filter(|size| *size > self.bytes) {
            return Err(too_large(size));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.reason(&error))? {
            let size = (body.len() + part.len()) as u64;
            if size > self.bytes {
                return Err(too_large(size));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return if error.is_connect() {
                format!("cannot be reached within {}", said(self.connect))
            } else {
                format!("does not answer within {}", said(self.whole))
            };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        format!("cannot be reached: {cause}")
    }
}

/// A duration as people write it.
fn said(span: Duration) -> String {
    if span.subsec_millis() > 0 {
        format!("{} ms", span.as_millis())
    } else {
        format!("{} s", span.as_secs())
    }
}

/// An address without user and password, for messages.
#[must_use]
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // With a password that has a slash in it, what looks like the path begins in it.
    let (authority, path) = match (authority.rfind('@'), path.rfind('@')) {
        (_, Some(at)) => (&path[at + 1..], ""),
        (Some(at), None) => (&authority[at + 1..], path),
        (None, None) => (authority, path),
    };
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{authority}{path}")
}

/// A text of a program without the users and passwords of the addresses in it. Of `ssh` a user alone is no secret.
#[must_use]
pub fn without_passwords(text: &str) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        said += head;
        let end = tail.find(|c: char| c.is_whitespace() || "/?#'\"`<>".contains(c)).unwrap_or(tail.len());
        let (authority, _) = tail.split_at(end);
        let secret = authority.rfind('@').filter(|at| {
            !head.ends_with("ssh://") || authority.get(..*at).is_some_and(|user| user.contains(':'))
        });
        rest = secret.and_then(|at| tail.get(at + 1..)).unwrap_or(tail);
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_said() {
        for (url, said) in [
            ("http://host:9090/a@b", "http://b"),
            ("http://me:secret@host:9090/a", "http://host:9090/a"),
            ("me:secret@host/a", "host/a"),
            ("http://me:sec/ret@host", "http://host"),
            ("http://me:s@cret@host", "http://host"),
            ("host:9090", "host:9090"),
        ] {
            assert_eq!(without_password(url), said, "{url}");
        }
    }

    #[test]
    fn passwords_in_what_programs_say_are_not_said() {
        for (text, said) in [
            (
                "fatal: repository 'https://me:secret@host/a.git/' not found",
                "fatal: repository 'https://host/a.git/' not found",
            ),
            ("a https://secret@host b\nhttp://u:s@h:1/x@y c", "a https://host b\nhttp://h:1/x@y c"),
            ("ssh://git@host/x ssh://git:secret@host/x", "ssh://git@host/x ssh://host/x"),
            ("git@host:x, a@b ://", "git@host:x, a@b ://"),
            ("grün https://ä:ü@host", "grün https://host"),
        ] {
            assert_eq!(without_passwords(text), said);
        }
    }
}

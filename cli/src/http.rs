//! The one way to an HTTP client, so that every one of them knows its cryptography.

use reqwest::{Client, ClientBuilder};

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

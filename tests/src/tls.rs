//! Mutual TLS: the certificates of a gateway and of its clients, made here by an authority of the tests' own.

use std::net::TcpStream;
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value as Json, json};

/// The gateway's name.
const GATEWAY: &str = "gateway.test";

static AUTHORITY: LazyLock<CertifiedIssuer<'static, KeyPair>> = LazyLock::new(|| {
    let mut params = named("the tests' authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()).expect("parameters that are in order")
});

/// A certificate whose issuer has its own name would be taken for one that signed itself.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("random bits")
}

/// A certificate with this subject alternative name, and its key.
fn issue(san: SanType) -> Result<(rcgen::Certificate, KeyPair)> {
    let mut params = named("one of the tests");
    params.subject_alt_names.push(san);
    let key = key();
    Ok((params.signed_by(&key, &AUTHORITY)?, key))
}

/// A certificate with its key and its issuer, each as PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority that issued it, the same for all of this process.
    pub root: String,
}

/// The identity of a workload with this URI as subject alternative name (as SPIFFE ids are).
///
/// # Errors
/// When the URI is none.
pub fn identity(uri: &str) -> Result<Identity> {
    let (certificate, key) = issue(SanType::URI(uri.try_into().context("a URI")?))?;
    Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem(), root: AUTHORITY.pem() })
}

/// The transport socket of a listener that takes clients with a certificate of the authority only.
///
/// # Errors
/// When the certificate cannot be made.
pub fn transport_socket() -> Result<Json> {
    let (certificate, key) = issue(SanType::DnsName(GATEWAY.try_into()?))?;
    Ok(json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": certificate.pem()},
                    "private_key": {"inline_string": key.serialize_pem()},
                }],
                "validation_context": {"trusted_ca": {"inline_string": AUTHORITY.pem()}},
            },
        },
    }))
}

/// Speaks TLS as a client whose certificate has this URI as subject alternative name (as SPIFFE ids are).
///
/// # Errors
/// When the URI is none.
pub fn connect(stream: TcpStream, uri: &str) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    graylane::http::use_ring();
    let (certificate, key) = issue(SanType::URI(uri.try_into().context("a URI")?))?;
    let mut roots = RootCertStore::empty();
    roots.add(AUTHORITY.der().clone())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key)?;
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(GATEWAY)?)?;
    Ok(StreamOwned::new(connection, stream))
}

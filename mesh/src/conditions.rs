//! What a rule of the edge asks of a request: each condition in a file of its own, with its errors and what the
//! filter reads for it. A new one is a file here, a field of [`Condition`] and a variant of [`Part`]; whatever goes through
//! conditions goes through [`Condition::parts`], which does not compile if a field is left out.

mod certificate;
mod claim;
mod combined;
mod cookie;
mod header;
mod host;
mod method;
mod path;
mod query;
mod source;
mod text;

use graylane_decide::config;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::finding::Finding;

pub use claim::{Claim, ClaimName};
pub use text::Text;

/// What a request must match: all of the given conditions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// A header.
    pub header: Option<Named>,
    /// A cookie.
    pub cookie: Option<Named>,
    /// A query parameter.
    pub query: Option<Named>,
    /// The requested host, in lower case and without the port.
    pub host: Option<Text>,
    /// The path without its query, as Envoy sees it (Istio's gateways normalize it).
    pub path: Option<Text>,
    /// The method, in upper case.
    pub method: Option<Text>,
    /// A claim of a token that Istio verified; if it is a list, one matching element is enough.
    pub claim: Option<Claim>,
    /// The identity in a client certificate that the gateway verified: its first URI SAN (a SPIFFE id) or its first
    /// DNS SAN.
    pub certificate: Option<Text>,
    /// Networks that contain the client's address, as in `10.0.0.0/8`. The address is the one that Envoy trusts: with
    /// proxies in front of the gateway, set Istio's `numTrustedProxies` to their number.
    pub source: Vec<String>,
    /// All of these must match.
    pub all: Option<Vec<Condition>>,
    /// One of these must match.
    pub any: Option<Vec<Condition>>,
    /// This must not match.
    pub not: Option<Box<Condition>>,
}

/// A name, and the condition on the value. If a request has several different values, only `present` matches.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it has to be.
    #[serde(flatten)]
    pub is: Text,
}

/// One thing that a condition asks.
#[derive(Clone, Copy, Debug)]
pub enum Part<'c> {
    /// See [`Condition::header`].
    Header(&'c Named),
    /// See [`Condition::cookie`].
    Cookie(&'c Named),
    /// See [`Condition::query`].
    Query(&'c Named),
    /// See [`Condition::host`].
    Host(&'c Text),
    /// See [`Condition::path`].
    Path(&'c Text),
    /// See [`Condition::method`].
    Method(&'c Text),
    /// See [`Condition::claim`].
    Claim(&'c Claim),
    /// See [`Condition::certificate`].
    Certificate(&'c Text),
    /// See [`Condition::source`].
    Source(&'c [String]),
    /// See [`Condition::all`].
    All(&'c [Condition]),
    /// See [`Condition::any`].
    Any(&'c [Condition]),
    /// See [`Condition::not`].
    Not(&'c Condition),
}

/// Who can make a part hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proof<'c> {
    /// Whoever can prove it: a token, a certificate, an address. With the test that the proof has to pass, if it is a text.
    Needed(Option<&'c Text>),
    /// Anybody can type it.
    Typed,
    /// It distinguishes traffic, not callers.
    None,
}

/// A path of keys and indices.
pub type Path = Vec<String>;

/// A path and what comes below.
#[must_use]
pub fn at<'p>(path: &'p [String], more: &[&'p str]) -> Vec<&'p str> {
    path.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// Where what is wrong with a condition is put.
pub trait Report {
    /// Something is wrong at the value of a path.
    fn error(&mut self, path: &[&str], message: String) -> &mut Finding;
    /// The name of the tenant header.
    fn tenant_header(&self) -> &str;
}

/// How deep conditions may stand in each other.
const MAX_DEPTH: usize = 8;

impl Condition {
    /// All that it asks, in order.
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'_>> {
        let Self { header, cookie, query, host, path, method, claim, certificate, source, all, any, not } =
            self;
        let mut parts = Vec::new();
        parts.extend(header.as_ref().map(Part::Header));
        parts.extend(cookie.as_ref().map(Part::Cookie));
        parts.extend(query.as_ref().map(Part::Query));
        parts.extend(host.as_ref().map(Part::Host));
        parts.extend(path.as_ref().map(Part::Path));
        parts.extend(method.as_ref().map(Part::Method));
        parts.extend(claim.as_ref().map(Part::Claim));
        parts.extend(certificate.as_ref().map(Part::Certificate));
        parts.extend((!source.is_empty()).then_some(Part::Source(source)));
        parts.extend(all.as_deref().map(Part::All));
        parts.extend(any.as_deref().map(Part::Any));
        parts.extend(not.as_deref().map(Part::Not));
        parts
    }

    /// Says what is wrong with it.
    pub fn check(&self, report: &mut dyn Report, path: &[String], depth: usize) {
        if depth > MAX_DEPTH {
            report
                .error(&at(path, &[]), format!("conditions are nested more than {MAX_DEPTH} deep"))
                .help("write several rules instead");
            return;
        }
        let parts = self.parts();
        if parts.is_empty() {
            report.error(&at(path, &[]), "an empty condition".to_owned()).help("remove it");
        }
        for part in parts {
            let below: Path = path.iter().cloned().chain([part.key().to_owned()]).collect();
            part.check(report, &below, depth);
        }
    }

    /// What the filter reads; none if [`Condition::check`] finds an error in it.
    #[must_use]
    pub fn lower(&self) -> Option<config::Condition> {
        let parts = self.parts().iter().map(Part::lower).collect::<Option<Vec<_>>>()?;
        Some(combined::one_or(parts, config::Condition::All))
    }

    /// Does any part in it fit?
    #[must_use]
    pub fn has(&self, fits: &dyn Fn(&Part<'_>) -> bool) -> bool {
        self.parts().iter().any(|part| {
            fits(part)
                || match part {
                    Part::All(list) | Part::Any(list) => list.iter().any(|inner| inner.has(fits)),
                    Part::Not(inner) => inner.has(fits),
                    Part::Header(_)
                    | Part::Cookie(_)
                    | Part::Query(_)
                    | Part::Host(_)
                    | Part::Path(_)
                    | Part::Method(_)
                    | Part::Claim(_)
                    | Part::Certificate(_)
                    | Part::Source(_) => false,
                }
        })
    }
}

impl Part<'_> {
    /// Its key in the file.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Cookie(_) => "cookie",
            Self::Query(_) => "query",
            Self::Host(_) => "host",
            Self::Path(_) => "path",
            Self::Method(_) => "method",
            Self::Claim(_) => "claim",
            Self::Certificate(_) => "certificate",
            Self::Source(_) => "source",
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::Not(_) => "not",
        }
    }

    fn check(&self, report: &mut dyn Report, path: &[String], depth: usize) {
        match self {
            Self::Header(named) => header::check(named, report, path),
            Self::Cookie(named) => cookie::check(named, report, path),
            Self::Query(named) => query::check(named, report, path),
            Self::Host(text) => host::check(text, report, path),
            Self::Path(text) => path::check(text, report, path),
            Self::Method(text) => method::check(text, report, path),
            Self::Claim(claim) => claim.check(report, path),
            Self::Certificate(text) => certificate::check(text, report, path),
            Self::Source(list) => source::check(list, report, path),
            Self::All(list) | Self::Any(list) => combined::check(self.key(), list, report, path, depth),
            Self::Not(inner) => inner.check(report, path, depth + 1),
        }
    }

    fn lower(&self) -> Option<config::Condition> {
        match self {
            Self::Header(named) => header::lower(named),
            Self::Cookie(named) => cookie::lower(named),
            Self::Query(named) => query::lower(named),
            Self::Host(text) => host::lower(text),
            Self::Path(text) => path::lower(text),
            Self::Method(text) => method::lower(text),
            Self::Claim(claim) => claim.lower(),
            Self::Certificate(text) => certificate::lower(text),
            Self::Source(list) => Some(source::lower(list)),
            Self::All(list) => combined::all(list),
            Self::Any(list) => combined::any(list),
            Self::Not(inner) => combined::not(inner),
        }
    }

    /// Who can satisfy it, if it is not a combination of others.
    #[must_use]
    pub fn proof(&self) -> Proof<'_> {
        match self {
            Self::Header(_) | Self::Cookie(_) | Self::Query(_) => Proof::Typed,
            Self::Claim(claim) => Proof::Needed(Some(&claim.is)),
            Self::Certificate(text) => Proof::Needed(Some(text)),
            Self::Source(_) => Proof::Needed(None),
            Self::Host(_) | Self::Path(_) | Self::Method(_) | Self::All(_) | Self::Any(_) | Self::Not(_) => {
                Proof::None
            }
        }
    }
}

fn named(named: &Named, name: String) -> Option<config::Named> {
    Some(config::Named { name, is: named.is.lower(false)? })
}

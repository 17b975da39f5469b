//! What has to hold of a request for a rule of the edge: each condition in a file of its own, with how it is read,
//! compiled and tested. A new one is a file here and a variant in both enums below; none is ever left to a default arm.

mod certificate;
mod claim;
mod combined;
mod cookie;
mod header;
mod host;
mod path;
mod query;
mod source;

use serde::Serialize;

use super::facts::{Facts, Properties};
use super::text::Test;
use crate::read::{Read, Reader, fields, variants};
use crate::request::headers::{Interest, Seen};
use crate::world::World;

pub use claim::Claim;

/// What has to hold of a request, in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A header, or a pseudo header.
    Header(Named),
    /// A cookie.
    Cookie(Named),
    /// A parameter of the query, decoded.
    Query(Named),
    /// The host that was asked for: lower case, without port and final dot.
    Host(Test),
    /// The path, without its query.
    Path(Test),
    /// A claim of a token that was verified.
    Claim(Claim),
    /// The identity in the client's certificate: its first URI SAN or its first DNS SAN.
    Certificate(Test),
    /// The client's address, as networks: `10.0.0.0/8`.
    Source(Vec<String>),
}

/// Something that has a name, and what it has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it has to be.
    pub is: Test,
}

variants!(Condition {
    All: "all",
    Any: "any",
    Not: "not",
    Header: "header",
    Cookie: "cookie",
    Query: "query",
    Host: "host",
    Path: "path",
    Claim: "claim",
    Certificate: "certificate",
    Source: "source",
});
fields!(Named { name: "name", is: "is" });

impl Condition {
    /// Does it look at a claim anywhere?
    #[must_use]
    pub fn names_claim(&self) -> bool {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().any(Self::names_claim),
            Self::Not(inner) => inner.names_claim(),
            Self::Claim(_) => true,
            Self::Header(_)
            | Self::Cookie(_)
            | Self::Query(_)
            | Self::Host(_)
            | Self::Path(_)
            | Self::Certificate(_)
            | Self::Source(_) => false,
        }
    }

    /// Compiles it, and registers what it needs to see and ask. None if a table or network is invalid.
    pub(super) fn compile(&self, interest: &mut Interest, properties: &mut Properties) -> Option<Compiled> {
        Some(match self {
            Self::All(list) => Compiled::Combined(combined::Combined::all(list, interest, properties)?),
            Self::Any(list) => Compiled::Combined(combined::Combined::any(list, interest, properties)?),
            Self::Not(inner) => Compiled::Combined(combined::Combined::not(inner, interest, properties)?),
            Self::Header(named) => Compiled::Header(header::Header::new(named, interest)?),
            Self::Cookie(named) => Compiled::Cookie(cookie::Cookie::new(named, interest)?),
            Self::Query(named) => Compiled::Query(query::Query::new(named)?),
            Self::Host(test) => Compiled::Host(host::Host::new(test)?),
            Self::Path(test) => Compiled::Path(path::Path::new(test)?),
            Self::Claim(claim) => Compiled::Claim(claim::Compiled::new(claim, properties)?),
            Self::Certificate(test) => {
                Compiled::Certificate(certificate::Certificate::new(test, properties)?)
            }
            Self::Source(list) => Compiled::Source(source::ClientAddress::new(list, properties)?),
        })
    }
}

/// A condition, compiled.
#[derive(Clone, Debug)]
pub(super) enum Compiled {
    Combined(combined::Combined),
    Header(header::Header),
    Cookie(cookie::Cookie),
    Query(query::Query),
    Host(host::Host),
    Path(path::Path),
    Claim(claim::Compiled),
    Certificate(certificate::Certificate),
    Source(source::ClientAddress),
}

impl Compiled {
    pub(super) fn holds<W: World>(&self, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> bool {
        match self {
            Self::Combined(combined) => combined.holds(seen, facts),
            Self::Header(header) => header.holds(seen),
            Self::Cookie(cookie) => cookie.holds(seen),
            Self::Query(query) => query.holds(seen),
            Self::Host(host) => host.holds(seen),
            Self::Path(path) => path.holds(seen),
            Self::Claim(claim) => claim.holds(facts),
            Self::Certificate(certificate) => certificate.holds(facts),
            Self::Source(source) => source.holds(facts),
        }
    }
}

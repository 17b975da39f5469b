//! The edge's part of the document: who may choose a tenant.
//!
//! Fewer words than people have: the command line turns `exact` into a list of one, `absent` into `present: false`,
//! and a regular expression into a table.

use serde::Serialize;
use serde_json::Value;

use super::read::{Read, Reader, fields, words};

/// Who may choose a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// May a caller outside send the header itself?
    pub accept: Accept,
    /// The only issuer whose claims count; without one every token that was verified counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Further headers that no stranger may send.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// The first one that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// May a caller outside send the tenant header?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Accept {
    /// No: it is removed.
    #[default]
    Never,
    /// Yes: it counts as in a sidecar.
    Always,
}

/// A rule: either gives a tenant, or lets the header count if it names one of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The tenant that it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The tenants that the caller may name in the tenant header.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may_choose: Vec<String>,
    /// What has to hold.
    pub when: Condition,
}

/// What has to hold of a request.
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
    Host(Text),
    /// The path, without its query.
    Path(Text),
    /// A claim of a token that was verified.
    Claim(Claim),
    /// The identity in the client's certificate: its first URI SAN or its first DNS SAN.
    Certificate(Text),
    /// The client's address, as networks: `10.0.0.0/8`.
    Source(Vec<String>),
}

/// Something that has a name, and what it has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it has to be.
    pub is: Text,
}

/// A claim, and what it has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The way to it: one name, or several for a claim in a claim.
    pub path: Vec<String>,
    /// What it, or one element of a list, has to be.
    pub is: Text,
}

/// What a text has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Text {
    /// One of these.
    In(Vec<String>),
    /// A claim that is this number.
    Number(f64),
    /// A claim that is true, or false.
    Truth(bool),
    /// Starts so.
    Prefix(String),
    /// Ends so.
    Suffix(String),
    /// Matches as a whole.
    Regex(Regex),
    /// There at all, or not.
    Present(bool),
}

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regex {
    /// As it was written; for people only.
    pub pattern: String,
    /// What is run; see `edge::dfa`.
    pub table: String,
}

words!(Accept { Never: "never", Always: "always" });

fields!(Edge {
    accept: "accept" = Accept::default,
    issuer: "issuer" = || None,
    remove: "remove" = Vec::new,
    rules: "rules" = Vec::new,
});
fields!(Rule { tenant: "tenant" = || None, may_choose: "mayChoose" = Vec::new, when: "when" });
fields!(Named { name: "name", is: "is" });
fields!(Claim { path: "path", is: "is" });
fields!(Regex { pattern: "pattern", table: "table" });

impl Read for Condition {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        const KEYS: [&str; 11] = [
            "all",
            "any",
            "not",
            "header",
            "cookie",
            "query",
            "host",
            "path",
            "claim",
            "certificate",
            "source",
        ];
        let key = reader.variant(value, &KEYS)?;
        Some(match key {
            "all" => Self::All(reader.field(value, key, None)?),
            "any" => Self::Any(reader.field(value, key, None)?),
            "not" => Self::Not(reader.field(value, key, None)?),
            "header" => Self::Header(reader.field(value, key, None)?),
            "cookie" => Self::Cookie(reader.field(value, key, None)?),
            "query" => Self::Query(reader.field(value, key, None)?),
            "host" => Self::Host(reader.field(value, key, None)?),
            "path" => Self::Path(reader.field(value, key, None)?),
            "claim" => Self::Claim(reader.field(value, key, None)?),
            "certificate" => Self::Certificate(reader.field(value, key, None)?),
            _ => Self::Source(reader.field(value, key, None)?),
        })
    }
}

impl Read for Text {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        const KEYS: [&str; 7] = ["in", "number", "truth", "prefix", "suffix", "regex", "present"];
        let key = reader.variant(value, &KEYS)?;
        Some(match key {
            "in" => Self::In(reader.field(value, key, None)?),
            "number" => Self::Number(reader.field(value, key, None)?),
            "truth" => Self::Truth(reader.field(value, key, None)?),
            "prefix" => Self::Prefix(reader.field(value, key, None)?),
            "suffix" => Self::Suffix(reader.field(value, key, None)?),
            "regex" => Self::Regex(reader.field(value, key, None)?),
            _ => Self::Present(reader.field(value, key, None)?),
        })
    }
}

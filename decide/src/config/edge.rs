//! The edge's part of the document: who may choose a tenant.
//!
//! Fewer words than people have: the command line turns `exact` into a list of one, `absent` into `present: false`,
//! and a regular expression into a table.

use serde::Serialize;

use crate::edge::conditions::Condition;
use crate::read::{Read, Reader, fields, words};

/// Who may choose a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// May a caller outside send the header itself?
    pub accept: Accept,
    /// The only issuer whose claims count; without one every token that was verified counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Further headers that outside callers must not send.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// The first one that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Variables of the gateway's environment with the keys of lane tokens: a token of any of them counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Who gets the debug header: the callers that any of these fits. `mayChoose` are the tenants that a request has to have
    /// been given by then, and `tenant` means nothing: a shape of its own would be a reader more in the module.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub debug: Vec<Rule>,
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

words!(Accept { Never: "never", Always: "always" });

fields!(Edge {
    accept: "accept" = Accept::default,
    issuer: "issuer" = || None,
    remove: "remove" = Vec::new,
    rules: "rules" = Vec::new,
    tokens: "tokens" = Vec::new,
    debug: "debug" = Vec::new,
});
fields!(Rule { tenant: "tenant" = || None, may_choose: "mayChoose" = Vec::new, when: "when" });

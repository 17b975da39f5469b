//! Lines of the table that the demo prints.

use serde::Serialize;

use crate::demo::journey::Arrival;

/// One line of the demo's table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it shows.
    pub name: String,
    /// What was sent.
    pub sent: String,
    /// Where it went.
    pub hops: Vec<Stop>,
    /// Where each hop had the tenant from, or what was counted.
    pub source: String,
    /// Did it become what it should?
    pub ok: bool,
    /// If not: why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A hop of a row: of one request, or of many users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The service.
    pub service: String,
    /// The subset.
    pub subset: String,
    /// Whose lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Where the tenant came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many users went there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
}

impl Row {
    /// A row of one journey.
    pub fn of(name: &str, sent: String, hops: Vec<Stop>, problem: Option<String>) -> Self {
        let sources: Vec<&str> = hops.iter().filter_map(|stop| stop.source.as_deref()).collect();
        Self { name: name.to_owned(), sent, source: sources.join(", "), hops, ok: problem.is_none(), problem }
    }
}

impl Stop {
    /// Where a request arrived.
    pub fn of(hop: &Arrival) -> Self {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self {
            service: hop.service.clone(),
            subset: hop.subset.clone(),
            tenant: some(&hop.tenant),
            source: some(&hop.source),
            users: None,
        }
    }
}

//! What is said about an import: what is not carried over, and notes.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{HTTP_ROUTE, Resource};
use crate::document::finding::Findings;
use crate::document::source::Span;
use crate::traffic::At;

/// One thing.
#[derive(Clone, Debug)]
struct Entry {
    place: Option<Span>,
    text: String,
    help: Option<String>,
    is_loss: bool,
    host: Option<String>,
}

/// All of it, in the order that it was found.
#[derive(Clone, Debug, Default)]
pub struct Said {
    list: Vec<Entry>,
    rules: BTreeSet<At>,
}

impl Said {
    /// Something that is not carried over.
    pub fn loss(&mut self, place: Option<Span>, host: Option<&str>, text: impl Into<String>, help: &str) {
        let host = host.map(ToOwned::to_owned);
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        self.list.push(Entry { place, text: text.into(), help, is_loss: true, host });
    }

    /// Something of a rule that is not carried over.
    pub fn rule_loss(
        &mut self,
        resources: &[Resource],
        at: At,
        host: Option<&str>,
        text: impl Into<String>,
        help: &str,
    ) {
        self.rules.insert(at);
        self.loss(Some(place(resources, at)), host, text, help);
    }

    /// A note.
    pub fn hint(&mut self, place: Option<Span>, text: impl Into<String>, help: &str) {
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        self.list.push(Entry { place, text: text.into(), help, is_loss: false, host: None });
    }

    /// Was something of this rule said to be lost?
    #[must_use]
    pub fn has_loss_of(&self, at: Option<At>) -> bool {
        at.is_some_and(|at| self.rules.contains(&at))
    }

    /// As findings: errors are what is not carried over.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for entry in &self.list {
            let finding = if entry.is_loss {
                findings.error(entry.place, format!("not carried over: {}", entry.text))
            } else {
                findings.note(entry.place, &*entry.text)
            };
            finding.help.clone_from(&entry.help);
        }
        findings.sort();
        findings
    }

    /// A file's text with a comment at each service that loses something, and at its head what is of none.
    /// `names`: services by host. `source`: the name of a file.
    #[must_use]
    pub fn comment(
        &self,
        text: &str,
        names: &BTreeMap<String, String>,
        source: &dyn Fn(Span) -> String,
    ) -> String {
        let mut at_head = Vec::new();
        let mut at_service: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for entry in self.list.iter().filter(|entry| entry.is_loss) {
            let place = entry.place.map(|place| format!(" ({})", source(place))).unwrap_or_default();
            let line = format!("# not carried over: {}{place}", entry.text.replace('\n', " "));
            match entry.host.as_ref().and_then(|host| names.get(host)) {
                Some(name) => at_service.entry(name).or_default().push(line),
                None => at_head.push(line),
            }
        }
        let mut commented = at_head.iter().map(|line| format!("{line}\n")).collect::<String>();
        let mut in_services = false;
        for line in text.lines() {
            in_services = in_services && line.starts_with(' ') || line == "services:";
            let key = line.strip_prefix("  ").filter(|rest| in_services && !rest.starts_with(' '));
            let key = key.and_then(|key| key.strip_suffix(':')).map(|key| key.trim_matches(['"', '\'']));
            for comment in key.and_then(|key| at_service.remove(key)).into_iter().flatten() {
                commented.push_str(&format!("  {comment}\n"));
            }
            commented.push_str(line);
            commented.push('\n');
        }
        commented
    }
}

/// Where a rule was written.
#[must_use]
pub fn place(resources: &[Resource], at: At) -> Span {
    let index = at.rule.to_string();
    let none = Span { file: 0, start: 0, end: 0, line: 1, column: 1 };
    let place = |resource: &Resource| {
        let rules = if resource.kind == HTTP_ROUTE { "rules" } else { "http" };
        resource.place(&["spec", rules, &index])
    };
    resources.get(at.resource).map_or(none, place)
}

/// What to call a rule.
#[must_use]
pub fn title(resources: &[Resource], at: At) -> String {
    let resource = resources.get(at.resource).map(Resource::title).unwrap_or_default();
    format!("{resource}, rule {}", at.rule + 1)
}

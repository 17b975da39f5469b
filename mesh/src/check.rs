//! Does the file make sense? Everything that its shape cannot say, all at once.

mod alerts;
mod edge;
mod guards;
mod istio;
mod names;
mod policy;
mod rules;
mod services;
mod sticky;
mod tenants;
mod workers;
mod workloads;

use crate::document::Project;
use crate::document::finding::{Finding, Findings};

/// Everything that is wrong with a document whose shape is right.
pub fn check(project: &Project, findings: &mut Findings) {
    let mut checker = Checker { project, findings };
    tenants::check(&mut checker);
    policy::check(&mut checker);
    services::check(&mut checker);
    sticky::check(&mut checker);
    edge::check(&mut checker);
    rules::check(&mut checker);
    istio::check(&mut checker);
    workers::check(&mut checker);
    alerts::check(&mut checker);
}

/// Compares the workers of a document with workloads that there are.
pub fn check_workloads(project: &Project, found: &[crate::manifest::Resource], findings: &mut Findings) {
    workloads::check(&mut Checker { project, findings }, found);
}

/// A document, and where to put what is found in it.
struct Checker<'a> {
    project: &'a Project,
    findings: &'a mut Findings,
}

impl<'a> Checker<'a> {
    fn document(&self) -> &'a crate::document::model::Document {
        &self.project.document
    }

    /// At the value of a path.
    fn error(&mut self, path: &[&str], message: impl Into<String>) -> &mut Finding {
        self.findings.error(self.project.span(path), message)
    }

    /// At the key of a path.
    fn error_at_key(&mut self, path: &[&str], message: impl Into<String>) -> &mut Finding {
        self.findings.error(self.project.key(path), message)
    }

    fn warning(&mut self, path: &[&str], message: impl Into<String>) -> &mut Finding {
        self.findings.warning(self.project.span(path), message)
    }
}

/// Words in a row: `a`, `b` and `c` in code quotes.
fn listed<'s>(words: impl IntoIterator<Item = &'s str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Help for a word that is none of these: the nearest, or all.
fn instead<'s>(word: &str, candidates: impl IntoIterator<Item = &'s str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match crate::document::shape::nearest(word, &candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "there is none yet".to_owned(),
        None => format!("write one of {}", listed(candidates)),
    }
}

#[cfg(test)]
mod tests;

//! Does the file make sense? Everything that its shape cannot say, all at once.

mod alerts;
mod carriers;
mod clusters;
mod debug;
mod edge;
mod external;
mod gateway_api;
mod gateways;
mod guards;
mod hash;
mod istio;
mod modes;
mod names;
mod owners;
mod policy;
mod rollout;
mod rules;
mod services;
mod sticky;
mod telemetry;
mod tenants;
mod tokens;
mod workers;
mod workloads;

use anyhow::{Context, Result, bail};

use crate::document::finding::{self, Finding, Findings};
use crate::document::source::SourceFiles;
use crate::document::{Checked, Loaded, Project};

/// Files that were read and checked.
#[derive(Debug, Default)]
pub struct Opened {
    /// The files.
    pub sources: SourceFiles,
    /// Everything that was found, in the order of the files.
    pub findings: Findings,
    /// The document; none while there are errors.
    pub file: Option<Checked>,
}

/// Checks what was read: the one way to a document that can be worked with.
#[must_use]
pub fn open(loaded: Loaded) -> Opened {
    let Loaded { sources, mut findings, project, .. } = loaded;
    if let Some(project) = &project {
        check(project, &mut findings);
    }
    let mut file = if findings.has_errors() { None } else { project.map(Checked::trusted) };
    if let Some(checked) = &file {
        gateway_api::check(checked, &mut findings);
    }
    findings.sort();
    if findings.has_errors() {
        file = None;
    }
    Opened { sources, findings, file }
}

impl Opened {
    /// The document.
    ///
    /// # Errors
    /// With everything that was found, if there is an error in it.
    pub fn checked(self) -> Result<Checked> {
        if self.findings.has_errors() {
            bail!("{}", finding::render(&self.findings, &self.sources));
        }
        self.file.context("there is no document")
    }
}

/// Everything that is wrong with a document whose shape is right.
pub fn check(project: &Project, findings: &mut Findings) {
    let mut checker = Checker { project, findings };
    owners::check(&mut checker);
    tenants::check(&mut checker);
    policy::check(&mut checker);
    carriers::check(&mut checker);
    services::check(&mut checker);
    sticky::check(&mut checker);
    hash::check(&mut checker);
    edge::check(&mut checker);
    tokens::check(&mut checker);
    gateways::check(&mut checker);
    external::check(&mut checker);
    modes::check(&mut checker);
    clusters::check(&mut checker);
    rules::check(&mut checker);
    debug::check(&mut checker);
    istio::check(&mut checker);
    workers::check(&mut checker);
    alerts::check(&mut checker);
    telemetry::check(&mut checker);
    if !checker.findings.has_errors() {
        telemetry::budget(&mut checker);
    }
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

    fn note(&mut self, path: &[&str], message: impl Into<String>) -> &mut Finding {
        self.findings.note(self.project.span(path), message)
    }

    fn warning(&mut self, path: &[&str], message: impl Into<String>) -> &mut Finding {
        self.findings.warning(self.project.span(path), message)
    }
}

/// Words in a row: `a`, `b` and `c` in code quotes.
fn listed<'s>(words: impl IntoIterator<Item = &'s str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// So many names are shown of those that there are.
const SHOWN: usize = 20;

/// Help for a word that is none of these: the nearest, or all.
fn instead<'s>(word: &str, candidates: impl IntoIterator<Item = &'s str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match crate::document::shape::nearest(word, &candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "none is declared yet".to_owned(),
        None => {
            let (some, more) = candidates.split_at(candidates.len().min(SHOWN));
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            format!("write one of {}{more}", listed(some.iter().copied()))
        }
    }
}

#[cfg(test)]
mod tests;

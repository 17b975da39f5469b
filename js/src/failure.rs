//! Why something cannot be done.

use graylane_mesh::document::finding::{self, FindingRow, Findings};
use graylane_mesh::document::source::SourceFiles;
use serde::Serialize;
use serde_json::Value as Json;

/// A finding: a row of `check --output json`, and where its place ends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(flatten)]
    row: FindingRow<'a>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

/// Findings as values.
#[must_use]
pub fn rows(findings: &Findings, sources: &SourceFiles) -> Json {
    let rows = findings.iter().zip(finding::rows(findings, sources)).map(|(finding, row)| {
        let (end_line, end_column) = finding.span.map(|span| sources.end(span)).unzip();
        Row { row, end_line, end_column }
    });
    graylane_mesh::serialise::json(&rows.collect::<Vec<_>>())
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// For people, with the lines that it is about.
    pub message: String,
    /// What is wrong with the file; null, if the file is not what is wrong.
    pub findings: Json,
}

impl Failure {
    /// An argument is wrong.
    #[must_use]
    pub fn of(message: impl Into<String>) -> Self {
        Self { message: message.into(), findings: Json::Null }
    }

    /// A file has errors. Notes are among the findings only.
    #[must_use]
    pub fn of_file(findings: &Findings, sources: &SourceFiles) -> Self {
        let message = finding::render_plain(&findings.without_notes(), sources).trim_end().to_owned();
        Self { message, findings: rows(findings, sources) }
    }
}

/// What the library says of options of the command line goes for the values of the same names.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let message = format!("{error:#}");
        Self::of(message.strip_prefix("--").unwrap_or(&message))
    }
}

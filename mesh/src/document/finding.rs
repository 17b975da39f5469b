//! What is wrong with a file: where, what, and what to write instead.

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};
use serde::Serialize;

use crate::document::source::{Sources, Span};

/// How bad it is. Only errors change an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot be used so.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, if there is a place.
    pub span: Option<Span>,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that have to do with it.
    pub related: Vec<(Span, String)>,
}

impl Finding {
    /// With a place.
    #[must_use]
    pub fn new(severity: Severity, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), span, help: None, related: Vec::new() }
    }

    /// Says what to write instead.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Names another place.
    pub fn related(&mut self, span: Option<Span>, label: impl Into<String>) -> &mut Self {
        self.related.extend(span.map(|span| (span, label.into())));
        self
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    /// Adds an error.
    pub fn error(&mut self, span: Option<Span>, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(Severity::Error, span, message))
    }

    /// Adds a warning.
    pub fn warning(&mut self, span: Option<Span>, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(Severity::Warning, span, message))
    }

    /// Adds a note.
    pub fn note(&mut self, span: Option<Span>, message: impl Into<String>) -> &mut Finding {
        self.add(Finding::new(Severity::Note, span, message))
    }

    fn add(&mut self, finding: Finding) -> &mut Finding {
        self.list.push(finding);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// In the order of the files, top to bottom; what has no place comes last.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|finding| {
            let place = finding.span.map(|span| (span.file, span.start));
            (place.is_none(), place, finding.severity)
        });
        self.list.dedup();
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }

    /// How many of this severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Is there an error among them?
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }
}

/// A finding as `--output json` shows it.
#[derive(Serialize)]
pub struct FindingRow<'a> {
    severity: Severity,
    message: &'a str,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    help: Option<&'a str>,
}

/// Findings as rows for machines.
#[must_use]
pub fn rows<'a>(findings: &'a Findings, sources: &'a Sources) -> Vec<FindingRow<'a>> {
    findings
        .iter()
        .map(|finding| FindingRow {
            severity: finding.severity,
            message: &finding.message,
            file: finding.span.map(|span| sources.name(span.file)),
            line: finding.span.map(|span| span.line),
            column: finding.span.map(|span| span.column),
            help: finding.help.as_deref(),
        })
        .collect()
}

/// Findings for people, with the lines they are about. Colours are stripped by the stream they go to.
#[must_use]
pub fn render(findings: &Findings, sources: &Sources) -> String {
    let renderer = Renderer::styled();
    let mut text = String::new();
    for finding in findings.iter() {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = level.primary_title(&*finding.message).elements(Vec::<Element<'_>>::new());
        if let Some(span) = finding.span {
            let own = finding.related.iter().filter(|(other, _)| other.file == span.file);
            let snippet =
                Snippet::source(sources.text(span.file))
                    .path(sources.name(span.file))
                    .annotation(AnnotationKind::Primary.span(span.start..span.end))
                    .annotations(own.map(|(span, label)| {
                        AnnotationKind::Context.span(span.start..span.end).label(&**label)
                    }));
            group = group.element(snippet);
            for (other, label) in finding.related.iter().filter(|(other, _)| other.file != span.file) {
                let annotation = AnnotationKind::Context.span(other.start..other.end).label(&**label);
                let snippet = Snippet::source(sources.text(other.file))
                    .path(sources.name(other.file))
                    .annotation(annotation);
                group = group.element(snippet);
            }
        }
        if let Some(help) = &finding.help {
            group = group.element(Level::HELP.message(&**help));
        }
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}

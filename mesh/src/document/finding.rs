//! What is wrong with a file: where, what, and what to write instead.

use annotate_snippets::{AnnotationKind, Element, Level, Renderer, Snippet};
use serde::Serialize;

use crate::document::source::{SourceFiles, Span};
use crate::plain;

/// How bad it is. Only errors change an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot be used so.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
    /// A note.
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

    /// Adds one that was found elsewhere.
    pub fn push(&mut self, finding: Finding) {
        self.list.push(finding);
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

    /// Without notes: only `check` prints them.
    #[must_use]
    pub fn without_notes(&self) -> Self {
        let list = self.list.iter().filter(|finding| finding.severity != Severity::Note);
        Self { list: list.cloned().collect() }
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
pub fn rows<'a>(findings: &'a Findings, sources: &'a SourceFiles) -> Vec<FindingRow<'a>> {
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
pub fn render(findings: &Findings, sources: &SourceFiles) -> String {
    render_by(&Renderer::styled(), findings, sources)
}

/// As [`render`], without colours.
#[must_use]
pub fn render_plain(findings: &Findings, sources: &SourceFiles) -> String {
    render_by(&Renderer::plain(), findings, sources)
}

fn render_by(renderer: &Renderer, findings: &Findings, sources: &SourceFiles) -> String {
    let lines: Vec<Vec<usize>> = (0..sources.len()).map(|file| starts(sources.text(file))).collect();
    let mut text = String::new();
    for finding in findings.iter() {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = plain::lines(&finding.message);
        let labels: Vec<_> = finding.related.iter().map(|(_, label)| plain::lines(label)).collect();
        let related = || finding.related.iter().map(|(span, _)| *span).zip(&labels);
        let mut group = level.primary_title(&*title).elements(Vec::<Element<'_>>::new());
        if let Some(span) = finding.span {
            let near = |other: &Span| other.file == span.file && other.line.abs_diff(span.line) < FAR;
            let own: Vec<_> = related().filter(|(other, _)| near(other)).collect();
            let spans: Vec<Span> = own.iter().map(|(span, _)| *span).chain([span]).collect();
            let part = Part::around(&spans, sources, &lines);
            let snippet =
                part.snippet(sources).annotation(AnnotationKind::Primary.span(part.range(span))).annotations(
                    own.iter().map(|(span, label)| {
                        AnnotationKind::Context.span(part.range(*span)).label(&***label)
                    }),
                );
            group = group.element(snippet);
            for (other, label) in related().filter(|(other, _)| !near(other)) {
                let part = Part::around(&[other], sources, &lines);
                let annotation = AnnotationKind::Context.span(part.range(other)).label(&**label);
                group = group.element(part.snippet(sources).annotation(annotation));
            }
        }
        let help = finding.help.as_deref().map(plain::lines);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(&**help));
        }
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}

/// Places that are so many lines apart are shown as those of two files are.
const FAR: usize = 500;

/// Where each line of a text begins.
fn starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// The lines of a file that a finding is about: the renderer looks at every line that it is given, and files are long.
struct Part<'s> {
    file: usize,
    start: usize,
    text: &'s str,
    line: usize,
}

impl<'s> Part<'s> {
    /// The lines from the first of these places to the last, all in one file.
    fn around(spans: &[Span], sources: &'s SourceFiles, lines: &[Vec<usize>]) -> Self {
        let file = spans.first().map_or(0, |span| span.file);
        let (text, starts) = (sources.text(file), lines.get(file).map(Vec::as_slice).unwrap_or_default());
        let from = spans.iter().map(|span| span.start).min().unwrap_or(0);
        let to = spans.iter().map(|span| span.end).max().unwrap_or(from).max(from);
        let line = starts.partition_point(|start| *start <= from).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        // A place that ends with its line's end ends there, and not on the next one.
        let last = to.max(start + 1);
        let behind = starts.partition_point(|begin| *begin < last);
        let end = starts.get(behind).copied().unwrap_or(text.len());
        Self { file, start, text: text.get(start..end).unwrap_or_default(), line }
    }

    fn snippet<A: Clone>(&self, sources: &'s SourceFiles) -> Snippet<'s, A> {
        Snippet::source(self.text).line_start(self.line).path(sources.name(self.file))
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let at = |place: usize| place.saturating_sub(self.start).min(self.text.len());
        at(span.start)..at(span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_renderer_is_given_the_lines_of_the_place_and_no_more() {
        let mut sources = SourceFiles::default();
        let file = sources.add("f", "one\ntwo\nthree\nfour\n");
        let lines = vec![starts(sources.text(file))];
        let span = |start, end, line| Span { file, start, end, line, column: 1 };
        let part = |spans: &[Span]| {
            let part = Part::around(spans, &sources, &lines);
            (part.line, part.text.to_owned(), part.range(spans[0]))
        };
        assert_eq!(part(&[span(4, 7, 2)]), (2, "two\n".to_owned(), 0..3));
        assert_eq!(part(&[span(4, 8, 2)]), (2, "two\n".to_owned(), 0..4));
        assert_eq!(part(&[span(9, 9, 3)]), (3, "three\n".to_owned(), 1..1));
        assert_eq!(part(&[span(8, 13, 3), span(4, 7, 2)]), (2, "two\nthree\n".to_owned(), 4..9));
        assert_eq!(part(&[span(19, 19, 5)]), (5, String::new(), 0..0));
    }
}

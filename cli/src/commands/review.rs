//! `graylane review`: what a change of the file does, as a comment under a pull request.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::args::{Review as Args, Shown};
use crate::check::Opened;
use crate::document;
use crate::document::finding::{self, FindingRow, Findings, Severity};
use crate::document::source::SourceFiles;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};
use crate::review::{self, Review};

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    findings: Vec<FindingRow<'a>>,
    #[serde(flatten)]
    review: &'a Review,
}

/// Runs it.
pub fn run(args: &Args, printer: Printer) -> Result<Outcome> {
    let options = super::render::options(&args.render, printer)?;
    let Opened { sources, mut findings, file } = document::open(&args.render.files.file)?;
    let was = args.was.as_deref().map(|path| before(path, printer)).transpose()?.flatten();
    let mut review = Review::default();
    if let Some(file) = &file {
        let mesh = Mesh::of(file);
        if let Some(was) = &was {
            crate::ramp::against(was, file, &mesh, &mut findings);
            review::unread(was, file, &mesh, &mut findings);
        }
        review = Review::of(was.as_ref(), &mesh, &options, args.users);
    }
    findings.sort();
    print(args, &review, &findings, &sources, printer)?;
    Ok(if findings.has_errors() { Outcome::Findings } else { Outcome::Ok })
}

/// The file as it was. None: it has errors, so that there is nothing to compare with, and everything is new.
fn before(path: &Path, printer: Printer) -> Result<Option<Mesh>> {
    let opened = document::open(std::slice::from_ref(&path.to_owned()))?;
    if opened.file.is_none() {
        printer.say(&format!("warning: `{}` has errors: all of the file counts as new", path.display()));
    }
    Ok(opened.file.map(|file| Mesh::of(&file)))
}

fn print(
    args: &Args,
    review: &Review,
    findings: &Findings,
    sources: &SourceFiles,
    printer: Printer,
) -> Result<()> {
    match args.output {
        Shown::Json => printer.json(&Report { findings: finding::rows(findings, sources), review }),
        Shown::Text => {
            printer.findings(&findings.without_notes(), sources);
            printer.data(&review::text(review))?;
            let summary = summary(findings);
            printer.say(if summary.is_empty() { "no findings" } else { &summary });
            Ok(())
        }
        Shown::Markdown => {
            let said = finding::render(&findings.without_notes(), sources);
            let said = anstream::adapter::strip_str(&said).to_string();
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            printer.data(&review::markdown(review, &said, errors))
        }
    }
}

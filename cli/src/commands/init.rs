//! `graylane init`: a first file, from what runs.

use anyhow::Result;

use crate::args::Init;
use crate::document::finding::Findings;
use crate::document::source::SourceFiles;
use crate::import::{self, Choices};
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Init, printer: Printer) -> Result<Outcome> {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&args.files, &mut sources, &mut findings)?;
    printer.findings(&findings, &sources);
    if findings.has_errors() {
        printer.say(&summary(&findings));
        return Ok(Outcome::Failure);
    }
    let choices =
        Choices { default_tenant: args.default.clone(), mesh: args.mesh.clone(), ..Choices::default() };
    let (file, notes) = import::init(&found, &choices);
    if file.is_empty() {
        printer.say(
            "error: no HTTP Service with a workload\nhelp: pipe in the existing resources, as in `kubectl \
            get deploy,sts,ds,svc -n shop -o yaml | graylane init`",
        );
        return Ok(Outcome::Failure);
    }
    printer.exact(&file.yaml())?;
    notes.iter().for_each(|note| printer.say(&format!("note: {note}")));
    Ok(Outcome::Ok)
}

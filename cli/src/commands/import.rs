//! `graylane import`: a graylane file from VirtualServices and DestinationRules that exist.

use anyhow::Result;

use crate::args::Import;
use crate::document::finding::Findings;
use crate::document::source::Sources;
use crate::import::{self, Choices, Found};
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Import, printer: Printer) -> Result<Outcome> {
    let (mut sources, mut findings) = (Sources::default(), Findings::default());
    let resources = import::read(&args.files, &mut sources, &mut findings)?;
    let found = Found::of(resources);
    if found.virtual_services.is_empty() && found.destination_rules.is_empty() && !findings.has_errors() {
        findings.error(None, "there is no VirtualService and no DestinationRule in it").help(
            "pass some, as in `kubectl get virtualservices,destinationrules -o yaml | graylane import -`",
        );
    }
    printer.findings(&findings, &sources);
    if findings.has_errors() {
        printer.say(&summary(&findings));
        return Ok(Outcome::Findings);
    }
    let choices = Choices {
        header: args.header.clone(),
        default_tenant: args.default.clone(),
        mesh: args.mesh.clone(),
    };
    let (file, notes) = import::import(&found, &choices);
    printer.data(&file.yaml()?)?;
    for note in &notes {
        printer.say(&format!("not carried over: {note}"));
    }
    Ok(Outcome::Ok)
}

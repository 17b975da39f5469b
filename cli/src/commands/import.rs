//! `graylane import`: a graylane file from VirtualServices and DestinationRules, or HTTPRoutes, that exist.

use anyhow::Result;

use crate::args::Import;
use crate::document::finding::{Findings, Severity};
use crate::document::source::SourceFiles;
use crate::import::{self, Choices, Found};
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Import, printer: Printer) -> Result<Outcome> {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let resources = import::read(&args.files, &mut sources, &mut findings)?;
    let found = Found::of(resources);
    if found.is_empty() && !findings.has_errors() {
        for (kind, count) in &found.others {
            findings.note(None, format!("{count} of kind {kind}"));
        }
        findings.error(None, "no VirtualService, DestinationRule or HTTPRoute found").help(
            "pass some, as in `kubectl get virtualservices,destinationrules -o yaml | graylane import -`; for HTTPRoutes `kubectl get httproutes,services,destinationrules -o yaml`",
        );
    }
    if findings.has_errors() {
        printer.findings(&findings, &sources);
        printer.say(&summary(&findings));
        return Ok(Outcome::Failure);
    }
    let choices = Choices {
        header: args.header.clone(),
        default_tenant: args.default.clone(),
        mesh: args.mesh.clone(),
        keep_names: args.keep_names,
    };
    let imported = import::import(&found, &choices, &sources)?;
    printer.findings(&imported.findings, &sources);
    match &imported.text {
        Some(_) if args.plan => printer.data(&imported.plan.text())?,
        Some(text) => printer.exact(text)?,
        None => printer.say("nothing is written"),
    }
    let lost = imported.findings.count(Severity::Error);
    printer.say(&match lost {
        0 => format!("equal: {} requests are routed as before", imported.tried),
        1 => format!("1 thing is not carried over; {} requests were tried", imported.tried),
        many => format!("{many} things are not carried over; {} requests were tried", imported.tried),
    });
    Ok(if lost == 0 { Outcome::Ok } else { Outcome::Findings })
}

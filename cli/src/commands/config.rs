//! `graylane config`: the merged file, and where each value came from.

use anyhow::Result;

use crate::args::{Config, Format};
use crate::document::{self, origin};
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Config, printer: Printer) -> Result<Outcome> {
    let (mut loaded, tree) = document::merged(&args.files.file)?;
    loaded.findings.sort();
    printer.findings(&loaded.findings, &loaded.sources);
    let tree = match tree {
        Some(tree) if !loaded.findings.has_errors() => tree,
        _ => {
            printer.say(&summary(&loaded.findings));
            return Ok(Outcome::Failure);
        }
    };
    match args.output {
        Format::Json => printer.json(&origin::rows(&tree, &loaded.sources))?,
        Format::Text => printer.exact(&origin::yaml(&tree, &loaded.sources))?,
    }
    Ok(Outcome::Ok)
}

//! `graylane plugin-config`: the JSON that the filter gets.

use anyhow::Result;

use crate::args::PluginConfig;
use crate::lower;
use crate::printer::{Outcome, Printer};

/// Runs it.
pub fn run(args: &PluginConfig, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    printer.json(&lower::config(&mesh, args.role))?;
    Ok(Outcome::Ok)
}

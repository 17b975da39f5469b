//! `graylane schema`, `completions` and `man`: what the program says about itself.

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::args::{Cli, Completions, Man};
use crate::document::shape::SCHEMA;
use crate::printer::{Outcome, Printer};

/// Prints the JSON schema of the file.
pub fn schema(printer: Printer) -> Result<Outcome> {
    printer.json(&*SCHEMA)?;
    Ok(Outcome::Ok)
}

/// Prints completions for a shell.
pub fn completions(args: &Completions, printer: Printer) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "graylane", &mut script);
    printer.exact(&String::from_utf8(script)?)?;
    Ok(Outcome::Ok)
}

/// Prints the manual page, or writes one for every command.
pub fn man(args: &Man, printer: Printer) -> Result<Outcome> {
    match &args.out {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
            clap_mangen::generate_to(Cli::command(), folder)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            printer.exact(&String::from_utf8(page)?)?;
        }
    }
    Ok(Outcome::Ok)
}

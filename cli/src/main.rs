//! `graylane`: see `graylane --help`.

use std::process::ExitCode;

use clap::Parser as _;
use graylane::args::Cli;
use graylane::commands;
use graylane::printer::{Outcome, Printer};

fn main() -> ExitCode {
    let printer = Printer;
    let outcome = commands::run(Cli::parse().command, printer).unwrap_or_else(|error| {
        printer.say(&format!("error: {error:#}"));
        Outcome::Failure
    });
    ExitCode::from(outcome.code())
}

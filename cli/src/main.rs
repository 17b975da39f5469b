//! `graylane`: see `graylane --help`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use graylane::args::Cli;
use graylane::commands;
use graylane::printer::{Outcome, Printer};

/// kubectl runs a program of this name for `kubectl graylane`.
const PLUGIN: &str = "kubectl-graylane";
/// kustomize runs functions without arguments: a link of this name is one.
const FUNCTION: &str = "graylane-krm";

fn main() -> ExitCode {
    let printer = Printer;
    let outcome = commands::run(arguments().command, printer).unwrap_or_else(|error| {
        printer.say(&format!("error: {error:#}"));
        Outcome::Failure
    });
    ExitCode::from(outcome.code())
}

/// The command line, by the name under which this was started.
fn arguments() -> Cli {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let name = words.first().and_then(|word| Path::new(word).file_stem()).unwrap_or_default().to_owned();
    let mut command = Cli::command();
    if name == PLUGIN {
        command = command.bin_name("kubectl graylane");
    }
    if name == FUNCTION && words.len() == 1 {
        words.push("krm".into());
    }
    let found = command.get_matches_from(words);
    Cli::from_arg_matches(&found).unwrap_or_else(|error| error.exit())
}

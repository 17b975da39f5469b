//! The commands, one file each.

mod about;
mod check;
mod config;
mod demo;
mod diff;
mod image;
mod import;
mod plugin_config;
mod render;

use std::path::PathBuf;

use anyhow::Result;

use crate::args::Command;
use crate::document::{self, Project};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};

/// Runs a command.
///
/// # Errors
/// When it could not do its work: exit code 2.
pub fn run(command: Command, printer: Printer) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(&args, printer),
        Command::Config(args) => config::run(&args, printer),
        Command::Render(args) => render::run(&args, printer),
        Command::Diff(args) => diff::run(&args, printer),
        Command::Import(args) => import::run(&args, printer),
        Command::Package(args) => image::package(&args, printer),
        Command::Push(args) => image::push(&args, printer),
        Command::Inspect(args) => image::inspect(&args, printer),
        Command::Schema => about::schema(printer),
        Command::Completions(args) => about::completions(&args, printer),
        Command::Man(args) => about::man(&args, printer),
        Command::Demo(args) => demo::run(&args, printer),
        Command::PluginConfig(args) => plugin_config::run(&args, printer),
    }
}

/// Says what goes with topics that are no longer rendered.
fn warn_of_topics(gone: &[String], printer: Printer) {
    if !gone.is_empty() {
        printer.say(&format!(
            "warning: gone: {}\nwith `--prune`, or a controller that prunes, their messages go too; to keep them, first annotate the \
             KafkaTopics with strimzi.io/managed=false",
            gone.join(", ")
        ));
    }
}

/// Reads and checks the files of a command that needs them in order. None: they are not, and it was said why.
fn mesh(paths: &[PathBuf], printer: Printer) -> Result<Option<(Project, Mesh)>> {
    let mut loaded = document::load(paths)?;
    if let Some(project) = &loaded.project {
        crate::check::check(project, &mut loaded.findings);
    }
    loaded.findings.sort();
    printer.findings(&loaded.findings, &loaded.sources);
    match loaded.project {
        Some(project) if !loaded.findings.has_errors() => {
            let mesh = Mesh::of(&project);
            Ok(Some((project, mesh)))
        }
        _ => {
            printer.say(&summary(&loaded.findings));
            Ok(None)
        }
    }
}

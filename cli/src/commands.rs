//! The commands, one file each.

mod about;
mod adopted;
mod check;
mod client;
mod config;
mod cost;
mod demo;
mod desk;
mod diff;
mod doctor;
mod explain;
mod history;
mod image;
mod import;
mod init;
mod krm;
mod migrate;
mod native;
mod off;
mod patches;
mod playground;
mod plugin_config;
mod ramp;
mod ramp_forced;
mod ramp_person;
mod ramp_run;
mod ramp_status;
mod render;
mod render_envoy;
mod report;
mod review;
mod rivals;
mod simulate;
mod status;
mod there;
mod token;
mod trace;
mod user;

use std::path::PathBuf;

use anyhow::Result;

use crate::args::{Command, For};
use crate::check::Opened;
use crate::document::finding::Findings;
use crate::document::source::SourceFiles;
use crate::document::{self, Checked};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};

/// Runs a command.
///
/// # Errors
/// When it could not do its work: exit code 2.
pub fn run(command: Command, printer: Printer) -> Result<Outcome> {
    match command {
        Command::Doctor(args) => doctor::run(&args, printer),
        Command::Check(args) => check::run(&args, printer),
        Command::Config(args) => config::run(&args, printer),
        Command::Migrate(args) => migrate::run(&args, printer),
        Command::Explain(args) => explain::run(&args, printer),
        Command::Playground(args) => playground::run(&args, printer),
        Command::Token(args) => token::run(&args, printer),
        Command::Trace(args) => trace::run(&args, printer),
        Command::User(args) => user::run(&args, printer),
        Command::History(args) => history::run(&args, printer),
        Command::Simulate(args) => simulate::run(&args, printer),
        Command::Ramp(args) => ramp::run(&args, printer),
        Command::Status(args) => status::run(&args, printer),
        Command::Render(args) if args.envoy.proxies == For::Envoy => render_envoy::run(&args, printer),
        Command::Render(args) if args.cost => cost::run(&args, printer),
        Command::Render(args) => {
            render_envoy::check_istio(&args).and_then(|()| render::run(&args.render, printer))
        }
        Command::Krm => krm::run(printer),
        Command::Off(args) => off::run(&args, printer),
        Command::Report(args) => report::run(&args, printer),
        Command::Client(args) => client::run(&args, printer),
        Command::Diff(args) => diff::run(&args, printer),
        Command::Review(args) => review::run(&args, printer),
        Command::Init(args) => init::run(&args, printer),
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
            "warning: gone: {}\nwith `--prune`, or a controller that prunes, their messages go too: first see that LAG is 0 for each of them \
             (kafka-consumer-groups --bootstrap-server HOST:9092 --describe --all-groups); to keep them, first annotate the \
             KafkaTopics with strimzi.io/managed=false",
            gone.join(", ")
        ));
    }
}

/// Reads and checks the files of a command that needs them in order. None: they are not, and it was said why.
fn mesh(paths: &[PathBuf], printer: Printer) -> Result<Option<(Checked, Mesh)>> {
    Ok(checked(paths, printer)?.map(|read| (read.file, read.mesh)))
}

/// Files in order, with what there was to say about them.
struct Read {
    sources: SourceFiles,
    findings: Findings,
    file: Checked,
    mesh: Mesh,
}

/// As [`mesh`], for a command that points at places in the texts, or passes the findings on.
fn checked(paths: &[PathBuf], printer: Printer) -> Result<Option<Read>> {
    let Opened { sources, findings, file } = document::open(paths)?;
    printer.findings(&findings.without_notes(), &sources);
    let Some(file) = file else {
        printer.say(&summary(&findings));
        return Ok(None);
    };
    let mesh = Mesh::of(&file);
    Ok(Some(Read { sources, findings, file, mesh }))
}

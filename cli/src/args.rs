//! The command line, and nothing of what it does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use graylane_decide::Role;

/// Gray and live users on their own versions, through Istio.
#[derive(Debug, Parser)]
#[command(name = "graylane", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that is wrong with a file, and what to write instead.
    Check(Check),
    /// Print the configuration that the filter gets.
    PluginConfig(PluginConfig),
    /// Print the JSON schema of the file, for editors.
    Schema,
    /// Print completions for a shell.
    Completions(Completions),
    /// Print the manual page, or write one for every command.
    Man(Man),
    /// Run a file as a real mesh of Envoys on loopback, and show where requests go.
    Demo(Demo),
}

/// The files that a command reads.
#[derive(Debug, Args)]
pub struct Files {
    /// A graylane file, a folder of them, or `-`; later ones override earlier ones.
    #[arg(short, long = "file", value_name = "PATH", default_value = "graylane.yaml")]
    pub file: Vec<PathBuf>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// How to print the findings.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Arguments of `plugin-config`.
#[derive(Debug, Args)]
pub struct PluginConfig {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// Where the plugin stands.
    #[arg(long, value_parser = role, default_value = "outbound")]
    pub role: Role,
}

fn role(name: &str) -> Result<Role, String> {
    let names = || Role::ALL.map(Role::name).join(", ");
    Role::named(name.as_bytes()).ok_or_else(|| format!("write one of {}", names()))
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write `graylane.1`, `graylane-check.1` and so on into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// A graylane file or folder; default: the small bank of examples/bank.
    #[arg(short, long = "file", value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// How to print what happened.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
    /// How many live users to send.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub users: u32,
    /// Leave the mesh up, and print its addresses.
    #[arg(long)]
    pub keep: bool,
    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

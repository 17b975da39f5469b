//! What every command of a rollout begins with: its files, checked, and its log.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::args::Files;
use crate::printer::{Printer, summary};
use crate::ramp::{Desk, Opened};

/// Reads and checks the files of a rollout. None: they are not in order, and it was said why.
pub(super) fn open(files: &Files, printer: Printer) -> Result<Option<Desk>> {
    Ok(match Desk::open(&files.file)? {
        Opened::Desk(desk) => {
            printer.findings(&desk.warnings.without_notes(), &desk.sources);
            Some(*desk)
        }
        Opened::Broken(loaded) => {
            broken(&loaded, printer);
            None
        }
    })
}

/// Prints what is wrong with the files.
pub(super) fn broken(loaded: &crate::check::Opened, printer: Printer) {
    printer.findings(&loaded.findings.without_notes(), &loaded.sources);
    printer.say(&summary(&loaded.findings));
}

/// The log of a service: the one that is named, or the one beside its file.
pub(super) fn log(files: &Files, named: Option<&Path>, service: &str) -> PathBuf {
    named.map_or_else(|| beside(files, service), Path::to_path_buf)
}

fn beside(files: &Files, service: &str) -> PathBuf {
    let last = files.file.last().map_or(Path::new("."), PathBuf::as_path);
    let parent = || last.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if last.is_dir() { last } else { parent() };
    folder.join(format!("graylane-ramp-{service}.jsonl"))
}

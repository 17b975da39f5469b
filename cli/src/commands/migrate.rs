//! `graylane migrate`: a file of an older version, in the newest.

use anyhow::Result;

use crate::args::Migrate;
use crate::check::{self, Opened};
use crate::document;
use crate::printer::{Outcome, Printer, summary};

/// The newest version of the file. A second one comes with a step here that edits the text of a first, comments and order included.
const NEWEST: u64 = 1;

/// Runs it.
pub fn run(args: &Migrate, printer: Printer) -> Result<Outcome> {
    let (mut loaded, tree) = document::merged(&args.files.file)?;
    let version = tree
        .as_ref()
        .and_then(|tree| Some((tree.get("version")?.json().as_u64()?, tree.span_of(&["version"]))));
    if let Some((version, span)) = version
        && version != NEWEST
    {
        loaded.findings.error(Some(span), format!("unknown version {version} of the file: graylane {} reads {NEWEST}", env!("CARGO_PKG_VERSION")))
            .help("use the graylane that the file was written for, or a newer one; if the file uses nothing new, write 1");
        printer.findings(&loaded.findings, &loaded.sources);
        printer.say(&summary(&loaded.findings));
        return Ok(Outcome::Failure);
    }
    // Only a file that `check` accepts is one of that version.
    let Opened { sources, findings, file } = check::open(document::shaped((loaded, tree)));
    printer.findings(&findings.without_notes(), &sources);
    if file.is_none() {
        printer.say(&summary(&findings));
        return Ok(Outcome::Failure);
    }
    printer.say(&format!(
        "nothing to do: version {NEWEST} of the file is the newest that graylane {} reads",
        env!("CARGO_PKG_VERSION")
    ));
    Ok(Outcome::Ok)
}

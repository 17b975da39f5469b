//! `graylane check`: everything that is wrong with a file.

use anyhow::{Context as _, Result};

use crate::args::{Check, Format};
use crate::check::Opened;
use crate::document::{self, finding};
use crate::import;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Check, printer: Printer) -> Result<Outcome> {
    let mut loaded = document::load(&args.files.file)?;
    if let (Some(path), Some(project)) = (&args.workloads, &loaded.project) {
        let found = import::read(std::slice::from_ref(path), &mut loaded.sources, &mut loaded.findings)?;
        crate::check::check_workloads(project, &found, &mut loaded.findings);
        super::native::find(&found, &mut loaded.findings);
    }
    let Opened { mut sources, mut findings, file } = crate::check::open(loaded);
    if let (Some(path), Some(file)) = (&args.against, &file) {
        let mesh = Mesh::of(file);
        let current = super::rivals::find(path, &mesh, &mut sources, &mut findings)?;
        super::rivals::other_files(&current, &mesh, true, &mut findings);
        super::adopted::differences(&current, &mesh, &mut findings)?;
        super::adopted::weights(&current, &mesh, &mut findings);
        super::native::find(&current, &mut findings);
    }
    if let (Some(file), true) = (&file, args.native) {
        super::native::risks(&Mesh::of(file), &mut findings);
    }
    if let (Some(file), Some(was)) = (&file, &args.was) {
        let before = document::open(std::slice::from_ref(was))?;
        let before = before
            .file
            .with_context(|| format!("`{}` has errors: run `graylane check -f {0}`", was.display()))?;
        crate::ramp::against(&Mesh::of(&before), file, &Mesh::of(file), &mut findings);
    }
    findings.sort();
    match args.output {
        Format::Json => printer.json(&finding::rows(&findings, &sources))?,
        Format::Text => {
            printer.findings(&findings, &sources);
            let summary = summary(&findings);
            printer.say(if summary.is_empty() { "no findings" } else { &summary });
        }
    }
    Ok(if findings.has_errors() { Outcome::Findings } else { Outcome::Ok })
}

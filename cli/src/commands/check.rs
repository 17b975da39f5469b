//! `graylane check`: everything that is wrong with a file.

use anyhow::{Result, ensure};

use crate::args::{Check, Format};
use crate::document::{self, finding};
use crate::import;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};

/// Runs it.
pub fn run(args: &Check, printer: Printer) -> Result<Outcome> {
    let mut loaded = document::load(&args.files.file)?;
    if let Some(project) = &loaded.project {
        crate::check::check(project, &mut loaded.findings);
    }
    if let (Some(path), Some(project)) = (&args.workloads, &loaded.project) {
        let found = import::read(std::slice::from_ref(path), &mut loaded.sources, &mut loaded.findings)?;
        crate::check::check_workloads(project, &found, &mut loaded.findings);
    }
    if let (Some(path), Some(project)) = (&args.against, &loaded.project)
        && !loaded.findings.has_errors()
    {
        super::rivals::find(path, &Mesh::of(project), &mut loaded.sources, &mut loaded.findings)?;
    }
    if let (Some(project), Some(was)) = (&loaded.project, &args.was) {
        let before = crate::document::load(std::slice::from_ref(was))?;
        ensure!(
            !before.findings.has_errors(),
            "`{}` is not in order itself: `graylane check -f {0}` says why",
            was.display()
        );
        if let Some(before) = before.project.filter(|_| !loaded.findings.has_errors()) {
            crate::ramp::against(&Mesh::of(&before), project, &Mesh::of(project), &mut loaded.findings);
        }
    }
    loaded.findings.sort();
    match args.output {
        Format::Json => printer.json(&finding::rows(&loaded.findings, &loaded.sources))?,
        Format::Text => {
            printer.findings(&loaded.findings, &loaded.sources);
            let summary = summary(&loaded.findings);
            printer.say(if summary.is_empty() { "nothing to complain about" } else { &summary });
        }
    }
    Ok(if loaded.findings.has_errors() { Outcome::Findings } else { Outcome::Ok })
}

//! `graylane check`: everything that is wrong with a file.

use anyhow::{Context as _, Result};

use crate::args::{self, Check, Format};
use crate::check::Opened;
use crate::clusters;
use crate::document::finding::{self, Findings};
use crate::document::{self, Checked};
use crate::import;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};
use crate::resources::{self, DataPlane, Options};

/// Runs it.
pub fn run(args: &Check, printer: Printer) -> Result<Outcome> {
    let mut loaded = document::load(&args.files.file)?;
    let own = loaded.sources.len();
    let mut workloads = Vec::new();
    if let Some(path) = &args.workloads {
        workloads = import::read(std::slice::from_ref(path), &mut loaded.sources, &mut loaded.findings)?;
        super::native::find(&workloads, &mut loaded.findings);
    }
    let project = loaded.project.clone();
    let Opened { mut sources, mut findings, file } = crate::check::open(loaded);
    if let (Some(project), true) = (&project, args.workloads.is_some()) {
        crate::check::check_workloads(project, &workloads, &mut findings);
    }
    if let Some(file) = &file {
        super::rivals::headless(&workloads, &Mesh::of(file), &mut findings);
    }
    if let Some(file) = &file {
        clusters::check(&args.files.file, file, own, &mut sources, &mut findings);
    }
    if let (Some(path), Some(file)) = (&args.against, &file) {
        let mesh = Mesh::of(file);
        let current = super::rivals::find(path, &mesh, &mut sources, &mut findings)?;
        super::rivals::other_files(&current, &mesh, true, &mut findings);
        super::rivals::unfit(&current, &mesh, &mut findings);
        super::adopted::unlisted_gateways(&current, &mesh, &mut findings);
        super::adopted::differences(&current, &mesh, &mut findings)?;
        super::adopted::weights(&current, &mesh, &mut findings);
        super::native::find(&current, &mut findings);
    }
    if let (Some(file), true) = (&file, args.native) {
        super::native::risks(&Mesh::of(file), &mut findings);
    }
    if let (Some(file), args::DataPlane::Ambient) = (&file, args.data_plane) {
        ambient(file, &mut findings);
    }
    if let (Some(file), Some(was)) = (&file, &args.was) {
        let before = document::open(std::slice::from_ref(was))?;
        let before = before
            .file
            .with_context(|| format!("`{}` has errors: run `graylane check -f {0}`", was.display()))?;
        let (before, after) = (Mesh::of(&before), Mesh::of(file));
        crate::ramp::against(&before, file, &after, &mut findings);
        crate::review::unread(&before, file, &after, &mut findings);
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

/// What has no effect where waypoints decide, and what cannot be rendered for them.
fn ambient(file: &Checked, findings: &mut Findings) {
    let mesh = Mesh::of(file);
    for one in resources::lacking(&mesh) {
        let path: Vec<&str> = one.path.iter().map(String::as_str).collect();
        findings.warning(file.key(&path), one.text).help(one.instead);
    }
    let options = Options { data_plane: DataPlane::Ambient, ..Options::default() };
    if let Err(error) = resources::check_data_plane(&mesh, &options) {
        findings.error(None, error.to_string());
    }
}

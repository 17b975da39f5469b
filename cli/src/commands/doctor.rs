//! `graylane doctor`: is a cluster ready, and what to do first.

use std::path::Path;

use anyhow::{Result, bail};

use crate::args::{Doctor, Format};
use crate::doctor::{self, State};
use crate::document::finding::Findings;
use crate::document::source::SourceFiles;
use crate::import;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer, summary};
use crate::prometheus::Prometheus;
use crate::report::LaneMap;

/// The file that is read where none is named, if it is there.
const FILE: &str = "graylane.yaml";

/// Runs it.
pub fn run(args: &Doctor, printer: Printer) -> Result<Outcome> {
    let Some(against) = &args.against else {
        bail!(
            "missing --against PATH: pass what is there, as in `kubectl get ns,pods,crd,gw,vs,dr,telemetry,wasmplugin -A -o yaml | \
             graylane doctor --against -`"
        )
    };
    let files = match &args.file[..] {
        [] if Path::new(FILE).exists() => vec![FILE.into()],
        files => files.to_vec(),
    };
    let mesh = if files.is_empty() {
        None
    } else {
        let Some((_, mesh)) = super::mesh(&files, printer)? else { return Ok(Outcome::Failure) };
        Some(mesh)
    };
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(std::slice::from_ref(against), &mut sources, &mut findings)?;
    printer.findings(&findings, &sources);
    if findings.has_errors() {
        printer.say(&summary(&findings));
        return Ok(Outcome::Failure);
    }
    let lanes = lanes(args, mesh.as_ref(), printer)?;
    let rows = doctor::examine(&found, mesh.as_ref(), lanes.as_ref());
    match args.output {
        Format::Json => printer.json(&rows)?,
        Format::Text => printer.data(&doctor::text(&rows))?,
    }
    let ready = rows.iter().all(|row| row.state != State::Error);
    Ok(if ready { Outcome::Ok } else { Outcome::Findings })
}

/// What the filter counted.
fn lanes(args: &Doctor, mesh: Option<&Mesh>, printer: Printer) -> Result<Option<LaneMap>> {
    let (Some(asked), Some(mesh)) = (&args.asked, mesh) else { return Ok(None) };
    let window = super::report::window(&args.window)?;
    let prometheus = Prometheus::open(asked)?;
    printer.runtime()?.block_on(super::report::ask(&prometheus, mesh, window)).map(Some)
}

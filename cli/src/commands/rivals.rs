//! What others say of the hosts that are rendered.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value as Json;

use crate::adopt::{self, gateway_api, other_files};
use crate::document::finding::Findings;
use crate::document::source::SourceFiles;
use crate::import::{self, Resource};
use crate::mesh::Mesh;
use crate::printer::Printer;
use crate::resources::{self, Options};
use crate::traffic;

/// Warns of them, in these sources and findings; returns what is there.
pub fn find(
    path: &Path,
    mesh: &Mesh,
    sources: &mut SourceFiles,
    findings: &mut Findings,
) -> Result<Vec<Resource>> {
    let current = import::read(&[path.to_owned()], sources, findings)?;
    let options = Options { without_filter: true, ..Options::default() };
    let rendered = resources::resources(mesh, &options);
    let rendered = rendered.iter().map(resources::Resource::json).collect::<Vec<_>>();
    of(&current, &rendered, findings);
    Ok(current)
}

/// Warns of them, for a command that renders anyway, unless what is there is not fit for what is rendered.
pub fn warn(path: &Path, mesh: &Mesh, printer: Printer) -> Result<()> {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let current = find(path, mesh, &mut sources, &mut findings)?;
    other_files(&current, mesh, false, &mut findings);
    unfit(&current, mesh, &mut findings);
    super::adopted::weights(&current, mesh, &mut findings);
    printer.findings(&findings, &sources);
    ensure!(!findings.has_errors(), "nothing is written: it does not fit what is there");
    Ok(())
}

/// Objects of another file of graylane's that claim the same pods or routes. Errors, unless something is to be rendered anyway, as
/// when a file gets another name.
pub fn other_files(current: &[Resource], mesh: &Mesh, are_errors: bool, findings: &mut Findings) {
    let whole: Vec<&Json> = current.iter().map(|resource| &resource.whole).collect();
    for claim in other_files::claims(mesh, &whole) {
        let place = current.get(claim.resource).map(Resource::name_place);
        let finding =
            if are_errors { findings.error(place, claim.text) } else { findings.warning(place, claim.text) };
        finding.help(claim.help);
    }
}

/// Services with versions that no route can choose.
pub fn headless(current: &[Resource], mesh: &Mesh, findings: &mut Findings) {
    let whole: Vec<&Json> = current.iter().map(|resource| &resource.whole).collect();
    for found in adopt::headless::services(mesh, &whole) {
        let place = current.get(found.resource).map(|resource| resource.place(&["spec", "clusterIP"]));
        findings.error(place, found.text).help(found.help);
    }
}

/// What is there that routes do not fit: such services, and what the Gateway API needs.
pub fn unfit(current: &[Resource], mesh: &Mesh, findings: &mut Findings) {
    headless(current, mesh, findings);
    let whole: Vec<&Json> = current.iter().map(|resource| &resource.whole).collect();
    for found in gateway_api::misfits(mesh, &whole) {
        let place = found.resource.and_then(|resource| current.get(resource)).map(Resource::name_place);
        findings.error(place, found.text).help(found.help);
    }
}

/// Warns of them.
pub fn of(current: &[Resource], rendered: &[Json], findings: &mut Findings) {
    let whole: Vec<&Json> = current.iter().map(|resource| &resource.whole).collect();
    for rival in traffic::rivals(&whole, rendered) {
        let place = current.get(rival.resource).map(Resource::name_place);
        findings.warning(place, rival.text).help(rival.help);
    }
}

/// Says who would go elsewhere, once what is rendered is there. `stays`: which of the others do.
pub fn say_for_whom(current: &[Resource], stays: &[bool], rendered: &[Json], header: &str, printer: Printer) {
    let before: Vec<&Json> = current.iter().map(|resource| &resource.whole).collect();
    let kept: Vec<&Json> =
        before.iter().zip(stays).filter(|(_, stays)| **stays).map(|(json, _)| *json).collect();
    let after = traffic::together(&kept, rendered);
    let after: Vec<&Json> = after.iter().collect();
    let worlds = [traffic::World::of(&before, header), traffic::World::of(&after, header)];
    let report = traffic::compare(&worlds[0], &worlds[1]);
    for difference in &report.differences {
        printer.say(&format!("who is affected: {}", difference.text()));
    }
    for (_, what) in &report.undecided {
        printer.say(&format!("who is affected: unknown, {what}"));
    }
    if report.differences.is_empty() && report.undecided.is_empty() {
        printer.say(&format!(
            "who is affected: nobody; {} requests were tried, and all are routed as before",
            report.tried
        ));
    }
}

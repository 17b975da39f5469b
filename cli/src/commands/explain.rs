//! `graylane explain`: the lane of one request.

use std::path::Path;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::args::{Explain, Format};
use crate::document::finding::Findings;
use crate::document::source::Sources;
use crate::explain::{self, Against, GATEWAY, Hop, Line, Request};
use crate::import::{self, Resource};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::traffic::{At, World};

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    hops: &'a [Hop],
}

/// Runs it.
pub fn run(args: &Explain, printer: Printer) -> Result<Outcome> {
    let Some((sources, file, mesh)) = super::checked(&args.files.file, printer)? else {
        return Ok(Outcome::Failure);
    };
    let mut request = Request { path: args.path.clone(), headers: args.header.clone(), ..Request::default() };
    request.worker = args.worker.clone().zip(args.tenant.clone());
    for text in &args.claim {
        request.claim(text)?;
    }
    for text in &args.drops {
        request.drop(text)?;
    }
    for text in &args.route {
        request.route(text)?;
    }
    let theirs = args.against.as_deref().map(|path| Theirs::read(path, &mesh, printer)).transpose()?;
    let place = |at: At| theirs.as_ref()?.place(at);
    let against = theirs.as_ref().map(|theirs| Against { world: &theirs.world, place: &place });
    let hops = explain::explain(&file, &sources, &mesh, &request, against.as_ref())?;
    match args.output {
        Format::Json => printer.json(&Report { hops: &hops })?,
        Format::Text => printer.data(&explain::render(&hops))?,
    }
    for note in notes(&mesh, &request, &hops) {
        printer.say(&format!("note: {note}"));
    }
    Ok(Outcome::Ok)
}

/// Routes that are there.
struct Theirs {
    sources: Sources,
    resources: Vec<Resource>,
    world: World,
}

impl Theirs {
    fn read(path: &Path, mesh: &Mesh, printer: Printer) -> Result<Self> {
        let (mut sources, mut findings) = (Sources::default(), Findings::default());
        let resources = import::read(&[path.to_owned()], &mut sources, &mut findings)?;
        printer.findings(&findings, &sources);
        ensure!(!findings.has_errors(), "`{}` cannot be read", path.display());
        let whole: Vec<_> = resources.iter().map(|resource| &resource.whole).collect();
        let world = World::of(&whole, &mesh.header);
        Ok(Self { sources, resources, world })
    }

    fn place(&self, at: At) -> Option<Line> {
        let span = self.resources.get(at.resource)?.place(&["spec", "http", &at.rule.to_string()]);
        Some(Line { file: self.sources.name(span.file).to_owned(), line: span.line })
    }
}

/// What a reader may wonder about.
fn notes(mesh: &Mesh, request: &Request, hops: &[Hop]) -> Vec<&'static str> {
    let from_outside = request.path.first().is_some_and(|first| first == GATEWAY);
    let mut notes = Vec::new();
    if from_outside && mesh.document.edge.gateway.is_none() {
        notes.push(
            "the file names no `edge.gateway`, so no gateway runs the filter yet; this is as if one did",
        );
    }
    if hops.iter().any(|hop| hop.unit_source == Some("request")) {
        notes.push(
            "a unit made of the request id is this request's own: the user's next one may go elsewhere",
        );
    }
    let sent = |name: &str| request.headers.iter().any(|(is, _)| is == name);
    let removed = from_outside && hops.first().is_some_and(|hop| hop.source == Some("default"));
    if removed && sent(&mesh.header) {
        notes.push("the gateway does not believe the tenant header of a stranger (`edge.accept`)");
    }
    if hops.iter().any(|hop| hop.is_external && hop.subset.is_none()) {
        notes.push("these routes are somebody else's; --against PATH says where they lead");
    }
    if mesh.mode == graylane_decide::config::Mode::Observe {
        notes
            .push("mode is observe: this is what is counted, while Envoy routes by the headers as they came");
    }
    notes
}

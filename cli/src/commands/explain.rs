//! `graylane explain`: the lane of one request.

use anyhow::Result;

use super::Read;
use super::there::There;
use crate::args::{Explain, Format};
use crate::explain::{self, Against, Line, Report, Request};
use crate::printer::{Outcome, Printer};
use crate::traffic::At;
use crate::{hash_key, time, token_key};

/// Runs it.
pub fn run(args: &Explain, printer: Printer) -> Result<Outcome> {
    let Some(Read { sources, file, .. }) = super::checked(&args.files.file, printer)? else {
        return Ok(Outcome::Failure);
    };
    let mut mesh = hash_key::given(&file, args.hash_key.hash_key_file.as_deref())?;
    token_key::give(&mut mesh, args.token_key.token_key_file.as_deref())?;
    let mut request = Request { path: args.path.clone(), headers: args.header.clone(), ..Request::default() };
    request.data_plane = args.data_plane.into();
    request.now = time::now().saturating_mul(1000);
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
    let there = args.against.as_deref().map(|path| There::read(path, &mesh, printer)).transpose()?;
    let place = |at: At| line(there.as_ref()?, at);
    let against = there.as_ref().map(|there| Against { world: &there.world, place: &place });
    let hops = explain::explain(&file, &sources, &mesh, &request, against.as_ref())?;
    match args.output {
        Format::Json => printer.json(&Report { hops: &hops })?,
        Format::Text => printer.data(&explain::render(&hops))?,
    }
    for note in explain::notes(&mesh, &request, &hops) {
        printer.say(&format!("note: {note}"));
    }
    Ok(Outcome::Ok)
}

/// The line of a rule that is there.
fn line(there: &There, at: At) -> Option<Line> {
    let span = super::there::rule(&there.resources, at)?;
    Some(Line { file: there.sources.name(span.file).to_owned(), line: span.line })
}

//! `graylane off`: the kill switch.

use anyhow::Result;

use crate::args::Off;
use crate::printer::{Outcome, Printer};
use crate::resources::{self, Options, Scope};

/// Runs it.
pub fn run(args: &Off, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let scope = match (&args.namespace, &args.service) {
        (_, Some(name)) => Scope::Service(name.clone()),
        (Some(name), None) => Scope::Namespace(name.clone()),
        (None, None) => Scope::Mesh,
    };
    let all =
        resources::off(&mesh, &Options { extension: args.extension.into(), ..Options::default() }, &scope)?;
    printer.exact(&resources::stream(&all))?;
    let edge = if mesh.document.edge.gateway.is_some() { "the gateway keeps its plugin; " } else { "" };
    printer.say(&format!("{edge}to switch it on again, apply what `graylane render` prints"));
    Ok(Outcome::Ok)
}

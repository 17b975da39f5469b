//! `graylane off`: the kill switch.

use anyhow::Result;

use super::desk;
use crate::args::Off;
use crate::printer::{Outcome, Printer};
use crate::ramp::journal::Journal;
use crate::ramp::{Ahead, Desk, Opened};
use crate::resources::{self, Options, Scope};

/// Runs it.
pub fn run(args: &Off, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let scope = match (&args.namespace, &args.service) {
        (_, Some(name)) => Scope::Service(name.clone()),
        (Some(name), None) => Scope::Namespace(name.clone()),
        (None, None) => Scope::Mesh,
    };
    let options = Options {
        extension: args.extension.into(),
        data_plane: args.data_plane.into(),
        ..Options::default()
    };
    let all = resources::off(&mesh, &options, &scope)?;
    printer.exact(&resources::stream(&all))?;
    beyond(args, &scope, printer);
    let edge = match mesh.gateways().count() {
        0 => "",
        1 => "the gateway keeps its plugin; ",
        _ => "the gateways keep their plugins; ",
    };
    printer.say(&format!("{edge}to switch it on again, apply what `graylane render` prints"));
    Ok(Outcome::Ok)
}

/// Says of which canaries users go back to the baseline though they may have written data that it cannot read.
fn beyond(args: &Off, scope: &Scope, printer: Printer) {
    let Ok(Opened::Desk(read)) = Desk::open(&args.files.file) else { return };
    for service in read.mesh.services.iter().filter(|service| scope.has(service)) {
        let records = Journal::peek(&desk::log(&args.files, None, &service.name), &service.name);
        let records = records.unwrap_or_default();
        for canary in service.rest().rollout.iter().flat_map(|rollout| &rollout.weights) {
            let ahead = Ahead::of(&read, &service.name, canary, &records).filter(|_| canary.buckets > 0);
            if let Some(why) = ahead.and_then(|ahead| ahead.no_way_back()) {
                printer.say(&format!(
                    "warning: `{}`: {why}; without the filter its users get the baseline, which may not be able to read what they wrote",
                    service.name
                ));
            }
        }
    }
}

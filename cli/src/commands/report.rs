//! `graylane report`: the lane map, and where lanes break.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::args::{Format, Report};
use crate::document::duration;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::report::{self, LaneMap};

/// Runs it.
pub fn run(args: &Report, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let window = duration::parse(&args.window).filter(|window| *window >= Duration::from_secs(1));
    let window =
        window.with_context(|| format!("--window: invalid duration `{}`; write it as in 5m", args.window))?;
    let prometheus = Prometheus::open(&args.asked)?;
    let decisions = printer.runtime()?.block_on(report::of_prometheus(
        &prometheus,
        &mesh,
        &format!("{}s", window.as_secs()),
    ))?;
    let map = LaneMap::of(&mesh, &decisions, window.as_secs_f64() / 60.0);
    if let Some(path) = &args.html {
        std::fs::write(path, report::page(&map))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        printer.say(&format!("the page is in {}", path.display()));
    }
    match args.output {
        Format::Json => printer.json(&map)?,
        Format::Text => printer.data(&report::text(&map))?,
    }
    Ok(if map.breaks.is_empty() { Outcome::Ok } else { Outcome::Findings })
}

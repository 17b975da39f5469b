//! `graylane report`: the lane map, and where lanes break.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::args::{Format, Report};
use crate::document::duration;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::report::{self, LaneMap};

/// Runs it.
pub fn run(args: &Report, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let window = window(&args.window)?;
    let watch = Watch { args, mesh, window, prometheus: Prometheus::open(&args.asked)?, printer };
    let left_out: Vec<&str> = watch.mesh.unjudged().collect();
    if !left_out.is_empty() {
        printer.say(&format!("without requests of {} (`judge: false`)", left_out.join(", ")));
    }
    let runtime = printer.runtime()?;
    match args.watch {
        Some(every) => runtime.block_on(watch.follow(every)),
        None => {
            let map = runtime.block_on(watch.look())?;
            match args.output {
                Format::Json => printer.json(&map)?,
                Format::Text => printer.data(&report::text(&map))?,
            }
            Ok(outcome(&map))
        }
    }
}

/// How far back Prometheus is asked.
pub(super) fn window(text: &str) -> Result<Duration> {
    let window = duration::parse(text).filter(|window| *window >= Duration::from_secs(1));
    window.with_context(|| format!("--window: invalid duration `{text}`; write it as in 5m"))
}

/// The map of the time since then.
pub(super) async fn ask(prometheus: &Prometheus, mesh: &Mesh, window: Duration) -> Result<LaneMap> {
    let seconds = format!("{}s", window.as_secs());
    let mut decisions = report::of_prometheus(prometheus, mesh, &seconds).await?;
    let left_out: Vec<&str> = mesh.unjudged().collect();
    decisions.retain(|decision, _| !left_out.contains(&decision.tenant.as_str()));
    let mut map = LaneMap::of(mesh, &decisions, window.as_secs_f64() / 60.0);
    map.unsticky = report::without_user(prometheus, mesh, &seconds).await?;
    Ok(map)
}

/// Does a lane break?
fn outcome(map: &LaneMap) -> Outcome {
    if map.breaks.is_empty() { Outcome::Ok } else { Outcome::Findings }
}

/// What is asked, and of whom.
struct Watch<'a> {
    args: &'a Report,
    mesh: Mesh,
    window: Duration,
    prometheus: Prometheus,
    printer: Printer,
}

impl Watch<'_> {
    /// Asks once; writes the page.
    async fn look(&self) -> Result<LaneMap> {
        let map = ask(&self.prometheus, &self.mesh, self.window).await?;
        if let Some(path) = &self.args.html {
            std::fs::write(path, report::page(&map))
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            if self.args.watch.is_none() {
                self.printer.say(&format!("the page is in {}", path.display()));
            }
        }
        Ok(map)
    }

    /// Asks until it is interrupted. A Prometheus that does not answer is reported, and asked again: it may come back.
    async fn follow(&self, every: Duration) -> Result<Outcome> {
        let mut last = Outcome::Ok;
        // One for all turns: what comes between two of them would find nobody who listens.
        let mut end = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let look = async {
                match (self.look().await, self.args.output) {
                    (Ok(map), Format::Json) => self.printer.json_line(&map).map(|()| outcome(&map)),
                    (Ok(map), Format::Text) => {
                        self.printer.screen(&report::text(&map)).map(|()| outcome(&map))
                    }
                    (Err(problem), _) => {
                        self.printer.say(&format!("{problem:#}"));
                        Ok(Outcome::Failure)
                    }
                }
            };
            // In the middle of a question, too: a server that hangs must not keep anybody here.
            tokio::select! {
                end = &mut end => return Ok(end.map(|()| last)?),
                outcome = look => last = outcome?,
            }
            tokio::select! {
                end = &mut end => return Ok(end.map(|()| last)?),
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

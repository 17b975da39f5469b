//! `e2e-kind [--all] [--list] [--programs] [NAME…]`: scenarios in a real cluster, one for all. Run by `make e2e-kind` and `make
//! e2e-kind-all`, inside `tests/kind/cluster with`; see `tests/kind/README.md`. `--programs` prints which programs of Go modules
//! they run.

mod ambient;
mod ask;
mod bank;
mod cluster;
mod controllers;
mod core;
mod counts;
mod crowd;
mod drain;
mod flux;
mod gate;
mod git;
mod load;
mod native;
mod scenarios;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use bank::Bank;
use cluster::Cluster;
use drain::drained;

/// How long one scenario may take, with what puts the bank back in order.
const LIMIT: Duration = Duration::from_secs(600);

/// A scenario. The bank is as `make kind` leaves it before each.
struct Scenario {
    name: &'static str,
    /// Whether it is one of `make e2e-kind`, or of `make e2e-kind-all` alone.
    core: bool,
    /// Programs of `.ci/go-program` that it runs.
    programs: &'static [&'static str],
    run: Run,
}

impl Scenario {
    /// The same with programs.
    fn with(self, programs: &'static [&'static str]) -> Self {
        Self { programs, ..self }
    }
}

type Run = Box<dyn for<'p> Fn(&'p Bank<'p>) -> LocalBoxFuture<'p, Result<()>>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|word| word.starts_with("--"));
    if options.iter().any(|option| *option == "--list") {
        scenarios::all()
            .iter()
            .for_each(|one| println!("{}{}", one.name, if one.core { "" } else { " (all)" }));
        return ExitCode::SUCCESS;
    }
    let all = options.iter().any(|option| *option == "--all");
    if options.iter().any(|option| *option == "--programs") {
        chosen(all, &names).iter().flat_map(|one| one.programs).for_each(|program| println!("{program}"));
        return ExitCode::SUCCESS;
    }
    let result = tokio::select! {
        result = run(all, &names) => result,
        stopped = stopped() => stopped,
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("e2e-kind: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn stopped() -> Result<usize> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    bail!("stopped by a signal")
}

/// Those with one of these texts in their names, or all that are asked for.
fn chosen(all: bool, names: &[&String]) -> Vec<Scenario> {
    let wanted = |one: &Scenario| match names {
        [] => all || one.core,
        names => names.iter().any(|name| one.name.contains(name.as_str())),
    };
    scenarios::all().into_iter().filter(wanted).collect()
}

/// Runs them; how many failed. One that fails runs a second time: a node of two cores that also runs the load can be late once, and
/// what is broken fails again. What failed at first is said in any case.
async fn run(all: bool, names: &[&String]) -> Result<usize> {
    let chosen = chosen(all, names);
    if chosen.is_empty() {
        bail!("no scenario has {names:?} in its name; --list names them");
    }
    let cluster = Cluster::find()?;
    let bank = Bank::new(&cluster)?;
    let (begin, mut failed, mut doubtful) = (Instant::now(), Vec::new(), Vec::new());
    for scenario in &chosen {
        let Err(first) = once(scenario, &bank).await else { continue };
        match once(scenario, &bank).await {
            Ok(()) => doubtful.push(format!("{}: {first}", scenario.name)),
            Err(second) => failed.push(format!("{}: {second}", scenario.name)),
        }
    }
    println!("-- {:<28} {:6.1} s", "all", begin.elapsed().as_secs_f64());
    println!("{} passed, {} failed", chosen.len() - failed.len(), failed.len());
    // Once more: what is read of a long log is its end.
    doubtful.iter().for_each(|one| println!("failed, and passed when it ran again: {one}"));
    failed.iter().for_each(|one| println!("failed twice: {one}"));
    Ok(failed.len())
}

/// Runs a scenario, and says how that went; what was wrong is the error.
async fn once(scenario: &Scenario, bank: &Bank<'_>) -> Result<(), String> {
    let began = Instant::now();
    let run = async {
        bank.as_it_was().await?;
        drained(bank).await?;
        (scenario.run)(bank).await
    };
    let result = match timeout(LIMIT, AssertUnwindSafe(run).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(anyhow!("it panics: {}", said(panic.as_ref()))),
        Err(_) => Err(anyhow!("it takes more than {} s", LIMIT.as_secs())),
    };
    let seconds = began.elapsed().as_secs_f64();
    println!("-- {:<28} {seconds:6.1} s{}", scenario.name, if result.is_err() { "  FAILED" } else { "" });
    let Err(error) = result else { return Ok(()) };
    println!("{error:#}\n{}", bank.cluster.last_words().await);
    Err(format!("{error:#}"))
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

//! `e2e-istio [--list] [NAME…]`: scenarios against a real Istio, one control plane for all. Run by `make e2e-istio`,
//! in a network of its own; see `tests/istio/README.md`.

mod compare;
mod example;
mod gateway_api;
mod scenarios;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use graylane_tests::istio::{ControlPlane, Tools};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// How long one scenario may take, with the deletion of what it left.
const LIMIT: Duration = Duration::from_secs(180);

/// A scenario. What it creates is deleted after it.
struct Scenario {
    name: String,
    run: Run,
}

type Run = Box<dyn for<'p> Fn(&'p ControlPlane) -> LocalBoxFuture<'p, Result<()>>>;

impl Scenario {
    fn new(
        name: &str,
        run: impl for<'p> Fn(&'p ControlPlane) -> LocalBoxFuture<'p, Result<()>> + 'static,
    ) -> Self {
        Self { name: name.to_owned(), run: Box::new(run) }
    }
}

/// Everything runs on this thread: processes that are started end with the thread that started them.
#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return match list() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    // A signal ends what runs as an error does: processes and folders are cleaned up.
    let result = tokio::select! {
        result = run(&arguments) => result,
        stopped = stopped() => stopped,
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn list() -> Result<()> {
    scenarios::all()?.iter().for_each(|scenario| println!("{}", scenario.name));
    Ok(())
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("e2e-istio: {error:#}");
    ExitCode::from(2)
}

async fn stopped() -> Result<usize> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    bail!("stopped by a signal")
}

/// Runs those with one of these texts in their names, or all; how many failed.
async fn run(names: &[String]) -> Result<usize> {
    let chosen: Vec<Scenario> = scenarios::all()?
        .into_iter()
        .filter(|scenario| names.is_empty() || names.iter().any(|name| scenario.name.contains(name)))
        .collect();
    if chosen.is_empty() {
        bail!("no scenario has {names:?} in its name; --list names them");
    }
    let begin = Instant::now();
    let plane = ControlPlane::start(&Tools::find()?).await?;
    println!("-- {:<28} {:6.1} s  {}", "control plane", begin.elapsed().as_secs_f64(), memory(&plane));
    let mut failed = Vec::new();
    for scenario in &chosen {
        let begin = Instant::now();
        let result = timeout(LIMIT, AssertUnwindSafe((scenario.run)(&plane)).catch_unwind()).await;
        let result = match result {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(anyhow!("it panics: {}", said(panic.as_ref()))),
            Err(_) => Err(anyhow!("it takes more than {} s", LIMIT.as_secs())),
        };
        let seconds = begin.elapsed().as_secs_f64();
        println!("-- {:<28} {seconds:6.1} s{}", scenario.name, if result.is_err() { "  FAILED" } else { "" });
        if let Err(error) = result {
            println!("{error:#}\n{}{}", plane.last_words(), plane.log_ends());
            failed.push(format!("{}: {error:#}", scenario.name));
        }
        let reset = timeout(LIMIT, plane.reset()).await;
        reset.context("deleting it all takes too long")?.with_context(|| plane.log_ends())?;
    }
    println!("-- {:<28} {:6.1} s  {}", "all", begin.elapsed().as_secs_f64(), memory(&plane));
    println!("{} passed, {} failed", chosen.len() - failed.len(), failed.len());
    // Once more: what is read of a long log is its end.
    failed.iter().for_each(|one| println!("failed: {one}"));
    Ok(failed.len())
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

fn memory(plane: &ControlPlane) -> String {
    let parts: Vec<String> = plane.memory().iter().map(|(name, size)| format!("{name} {size} MB")).collect();
    parts.join(", ")
}

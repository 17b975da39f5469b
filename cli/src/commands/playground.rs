//! `graylane playground`: the file in a page that checks, explains, simulates and renders it.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::args::Playground;
use crate::playground;
use crate::printer::{Outcome, Printer};

/// Runs it.
pub fn run(args: &Playground, printer: Printer) -> Result<Outcome> {
    // What cannot be read is said before anything is served.
    let page = playground::page(&args.file)?;
    if let Some(path) = &args.output {
        std::fs::write(path, page).with_context(|| format!("cannot write `{}`", path.display()))?;
        printer.say(&format!("the page is in {}", path.display()));
        return Ok(Outcome::Ok);
    }
    printer.runtime()?.block_on(serve(args, page, printer))
}

/// What is served.
struct Served {
    files: Vec<PathBuf>,
    /// The page, if its file can be read only once.
    fixed: Option<String>,
    address: SocketAddr,
}

async fn serve(args: &Playground, page: String, printer: Printer) -> Result<Outcome> {
    let failed = || format!("cannot listen on 127.0.0.1:{}", args.port);
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.with_context(failed)?;
    let address = listener.local_addr()?;
    let from_input = args.file.iter().any(|path| path == Path::new("-"));
    let served = Served { files: args.file.clone(), fixed: from_input.then_some(page), address };
    let router = Router::new().route("/", get(answer)).with_state(Arc::new(served));
    let url = format!("http://{address}/");
    printer.data(&format!("{url}\n"))?;
    printer.say("opening this address again reads the file again; end it with ctrl-C");
    if !args.no_open && std::io::stdout().is_terminal() {
        open(&url);
    }
    tokio::select! {
        result = axum::serve(listener, router) => result?,
        end = tokio::signal::ctrl_c() => end?,
    }
    Ok(Outcome::Ok)
}

/// The page, with the files as they are now.
async fn answer(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    playground::response(served.address, &headers, || {
        served.fixed.clone().map_or_else(|| playground::page(&served.files), Ok)
    })
}

/// Opens a browser, if there is a program that does: the address was printed anyway.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = tokio::process::Command::new(program);
    let _ = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

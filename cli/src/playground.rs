//! The page of the playground, with files in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use axum::http::header::{CACHE_CONTROL, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::json;

use crate::document::{self, Variables};

/// The page of `make playground`, if it was there when this program was built.
static PAGE: Option<&str> = include!(concat!(env!("OUT_DIR"), "/page.rs"));
/// The file that commands read if none is named.
const DEFAULT: &str = "graylane.yaml";
/// The file that is shown if there is none: the demo's.
const BANK: &str = include_str!("demo/bank.yaml");
/// Where files go.
const GIVEN: &str = r#"<script type="application/json" id="given">null</script>"#;

/// The page with these files, and the values of the environment variables that they name. Without any, it shows `graylane.yaml`, or
/// the demo's bank if there is none.
///
/// # Errors
/// When one cannot be read, or this program was built without the page.
pub fn page(paths: &[PathBuf]) -> Result<String> {
    match paths {
        [] if Path::new(DEFAULT).is_file() => demo_page(&[PathBuf::from(DEFAULT)]),
        paths => demo_page(paths),
    }
}

/// As [`page`], for a demo: without any files it shows the bank.
///
/// # Errors
/// As [`page`].
pub fn demo_page(paths: &[PathBuf]) -> Result<String> {
    let Some(page) = PAGE else {
        bail!(
            "this graylane was built without its playground: run `make playground` in the checkout, then build it again"
        )
    };
    let (layers, variables) = match paths {
        [] => (vec![vec![("bank.yaml".to_owned(), BANK.to_owned())]], Variables::new()),
        paths => document::as_written(paths)?,
    };
    let names: Vec<&str> = layers.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let title = names.join(", ");
    let file = |(name, text): &(String, String)| json!({"name": name, "text": text});
    let layers: Vec<Vec<_>> = layers.iter().map(|layer| layer.iter().map(file).collect()).collect();
    let given = json!({"title": title, "layers": layers, "variables": variables}).to_string();
    // As JSON may write it, so that no text ends the element that it stands in.
    let given = GIVEN.replace("null", &given.replace('<', "\\u003c"));
    let Some((before, after)) = page.split_once(GIVEN) else {
        bail!(
            "the playground's page has no place for a file: run `make playground`, then build graylane again"
        )
    };
    Ok(format!("{before}{given}{after}"))
}

/// The answer of a server at this address to a request for the page. Other sites cannot have it under a name of theirs that leads
/// here: it holds files, and values of environment variables.
#[must_use]
pub fn response(address: SocketAddr, headers: &HeaderMap, page: impl FnOnce() -> Result<String>) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if ![address.to_string(), format!("localhost:{}", address.port())].iter().any(|own| own == host) {
        return (StatusCode::FORBIDDEN, "not the name of this server\n").into_response();
    }
    match page() {
        Ok(page) => ([(CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, format!("error: {problem:#}\n")).into_response(),
    }
}

/// Was this program built with the page?
#[must_use]
pub fn is_there() -> bool {
    PAGE.is_some()
}

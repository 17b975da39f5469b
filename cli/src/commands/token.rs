//! `graylane token`: lane tokens, made and read.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use graylane_decide::choice::sticky::Unit;
use graylane_decide::edge::token::{Said, TokenKey};
use graylane_decide::names::TOKEN_PARAMETER;
use graylane_decide::request::field::Value;
use graylane_decide::request::query;
use serde::Serialize;

use crate::args::{Format, Token, TokenMake, TokenRead};
use crate::explain::token::problem;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::{hash_key, time, token_key};

/// Runs it.
pub fn run(args: &Token, printer: Printer) -> Result<Outcome> {
    match args {
        Token::Make(args) => make(args, printer),
        Token::Read(args) => read(args, printer),
    }
}

fn make(args: &TokenMake, printer: Printer) -> Result<Outcome> {
    let Some((file, _)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let mesh = match &args.key {
        Some(_) => hash_key::given(&file, args.hash_key.hash_key_file.as_deref())?,
        None => Mesh::of(&file),
    };
    ensure!(
        mesh.tenants.contains(&args.tenant),
        "--tenant: unknown tenant `{}`, expected one of {}",
        args.tenant,
        mesh.tenants.join(", ")
    );
    let unit = match (&args.unit, &args.key) {
        (Some(text), _) => {
            let unit = Unit::parse(text.as_bytes());
            Some(unit.with_context(|| {
                format!("--unit: invalid unit `{text}`: expected 16 lowercase hex digits")
            })?)
        }
        (None, Some(key)) => Some(mesh.units()?.of(key.as_bytes())),
        (None, None) => None,
    };
    let expiry = time::now().saturating_add(args.life.as_secs());
    let token = key(&mesh, args.token_key.token_key_file.as_deref())?.sign(&args.tenant, unit, expiry);
    let Some(url) = &args.url else {
        printer.data(&format!("{token}\n"))?;
        return Ok(Outcome::Ok);
    };
    let mut url = reqwest::Url::parse(url).with_context(|| format!("--url: invalid URL `{url}`"))?;
    url.query_pairs_mut().append_pair(&String::from_utf8_lossy(TOKEN_PARAMETER), &token);
    printer.data(&format!("{url}\n"))?;
    Ok(Outcome::Ok)
}

/// The key that signs: the first of the file's.
fn key(mesh: &Mesh, path: Option<&Path>) -> Result<TokenKey> {
    let Some(first) = mesh.document.edge.token_keys().first() else {
        bail!(
            "the file has no `edge.tokens`, so no gateway would read a token: add the variable of its environment with the key, as in \
             `edge: {{tokens: {{keys: [GRAYLANE_TOKEN_KEY_1]}}}}`"
        )
    };
    token_key::of(first, path)?
        .with_context(|| format!("the key that signs is missing: set {first} or pass --token-key-file FILE"))
}

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    tenant: Option<String>,
    unit: Option<String>,
    expires: Option<String>,
    accepted: bool,
    problem: Option<&'a str>,
}

fn read(args: &TokenRead, printer: Printer) -> Result<Outcome> {
    let Some((file, _)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let mut mesh = Mesh::of(&file);
    token_key::give(&mut mesh, args.token_key.token_key_file.as_deref())?;
    let token = token_of(args.token.trim())?;
    let seconds = args.at.map_or_else(time::now, |at| u64::try_from(at).unwrap_or_default());
    let problem = problem(&mesh, &token, seconds.saturating_mul(1000));
    let said = Said::read(&token);
    let report = Report {
        tenant: said.map(|said| String::from_utf8_lossy(said.tenant).into_owned()),
        unit: said.and_then(|said| said.unit).map(|unit| unit.to_string()),
        expires: said.map(|said| time::rfc3339(i64::try_from(said.expiry).unwrap_or(i64::MAX))),
        accepted: problem.is_none(),
        problem: problem.as_deref(),
    };
    match args.output {
        Format::Json => printer.json(&report)?,
        Format::Text => printer.data(&text(&report))?,
    }
    Ok(if report.accepted { Outcome::Ok } else { Outcome::Findings })
}

/// The token itself, or that of a URL.
fn token_of(text: &str) -> Result<Vec<u8>> {
    if !text.contains('?') {
        return Ok(text.as_bytes().to_vec());
    }
    let name = String::from_utf8_lossy(TOKEN_PARAMETER);
    query::with(text.as_bytes(), TOKEN_PARAMETER, |value| match value {
        Value::One(token) => Ok(token.to_vec()),
        Value::Absent => bail!("the URL has no parameter `{name}`"),
        Value::Mixed => bail!("the URL has several parameters `{name}`, so a gateway reads none"),
    })
}

fn text(report: &Report<'_>) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let (tenant, unit, expires) = (word(&report.tenant), word(&report.unit), word(&report.expires));
    let counts = report.problem.map_or("yes".to_owned(), |problem| format!("no: {problem}"));
    format!("tenant    {tenant}\nunit      {unit}\nexpires   {expires}\naccepted  {counts}\n")
}

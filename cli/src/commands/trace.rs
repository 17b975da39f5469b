//! `graylane trace`: one request's real way, from access logs.

use anyhow::{Result, bail};

use super::Read;
use crate::args::{Format, Trace as Args};
use crate::printer::{Outcome, Printer};
use crate::trace::{Compared, Trace, id, join, read, text};
use crate::{files, hash_key};

/// Runs it.
pub fn run(args: &Args, printer: Printer) -> Result<Outcome> {
    let Some(Read { sources, file, .. }) = super::checked(&args.files.file, printer)? else {
        return Ok(Outcome::Failure);
    };
    let mesh = hash_key::given(&file, args.hash_key.hash_key_file.as_deref())?;
    let log = String::from_utf8_lossy(&files::bytes(&args.logs)?).into_owned();
    let (lines, skipped) = read(&log);
    let name = files::name(&args.logs);
    if skipped > 0 {
        printer.say(&format!("note: {skipped} lines of {name} are not of an access log, and are skipped"));
    }
    let id = id(&args.id);
    let joined = join(&lines, &id);
    if joined.is_empty() {
        bail!(
            "none of the {} lines of the access log in {name} has the id `{id}`: expected a request id, a trace id or a \
             `traceparent`, and, for trace ids, the fields that `graylane render --mesh-config` prints",
            lines.len()
        );
    }
    let compared = Compared { file: &file, sources: &sources, mesh: &mesh, key: args.key.as_deref() };
    let trace = Trace::of(&compared, &id, &joined, skipped)?;
    match args.output {
        Format::Json => printer.json(&trace)?,
        Format::Text => printer.data(&text(&trace))?,
    }
    Ok(if trace.left.is_some() { Outcome::Findings } else { Outcome::Ok })
}

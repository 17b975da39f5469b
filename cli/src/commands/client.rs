//! `graylane client`: what applications outside of the mesh have to know.

use anyhow::Result;

use crate::args::{Client, Lang};
use crate::client::{self, Contract, Language};
use crate::printer::{Outcome, Printer};

/// Runs it.
pub fn run(args: &Client, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let old = args.check.as_deref().map(client::read).transpose()?;
    let origins = client::origins(&mesh, &args.host)?;
    let contract = Contract::of(&mesh, &origins, &args.with_rollout)?;
    if let Some(reason) = client::closed(&mesh, &origins) {
        printer.say(&format!("error: {reason}"));
        return Ok(Outcome::Findings);
    }
    if let Some(old) = old {
        return check(&old, &contract, printer);
    }
    let code = |language| printer.exact(&client::code(&contract, language)?);
    match args.lang {
        None | Some(Lang::Json) => printer.json(&contract)?,
        Some(Lang::TypeScript) => code(Language::TypeScript)?,
        Some(Lang::Kotlin) => code(Language::Kotlin)?,
        Some(Lang::Swift) => code(Language::Swift)?,
    }
    for note in contract.left_to_the_application() {
        printer.say(&format!("note: {note}"));
    }
    Ok(Outcome::Ok)
}

/// Says what a released application would notice.
fn check(old: &Contract, new: &Contract, printer: Printer) -> Result<Outcome> {
    let said = client::noticed(old, new);
    for one in &said.breaks {
        printer.data(&format!("{one}\n"))?;
    }
    for note in &said.notes {
        printer.say(&format!("note: {note}"));
    }
    if said.breaks.is_empty() {
        printer.say("nothing that a released application would notice");
        return Ok(Outcome::Ok);
    }
    Ok(Outcome::Findings)
}

//! What a person's edit leaves out by `--force` or `--past-no-return`: it is printed, and the log keeps it, with who answers for it.

use std::path::Path;

use anyhow::{Result, ensure};

use super::ramp_person::raised;
use crate::args::Answers;
use crate::printer::Printer;
use crate::ramp::journal::{Answer, Journal, Record};
use crate::ramp::{Ahead, Desk, leaves};
use crate::simulate::Setting;
use crate::time::now;

/// What is left out, and who answers for it.
#[derive(Clone, Default)]
pub(super) struct Forced {
    what: Vec<String>,
    answer: Option<Answer>,
}

impl Forced {
    /// Nothing yet.
    pub fn of(answers: &Answers) -> Self {
        let Answers { by, ticket } = answers.clone();
        let has = by.is_some() || ticket.is_some();
        Self { what: Vec::new(), answer: has.then_some(Answer { name: by, ticket }) }
    }

    /// The line of the log, with this in it.
    pub fn into(self, record: Record) -> Record {
        Record { forced: self.what, answer: self.answer, ..record }
    }

    /// All that is between the weights as they are and as they will be.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn left_out(
        &mut self,
        desk: &Desk,
        service: &str,
        settings: &[Setting],
        log: &Path,
        printer: Printer,
    ) -> Result<()> {
        let records = Journal::peek(log, service)?;
        for setting in settings {
            let Some(canary) = raised(desk, service, setting.subset.as_deref(), Some(setting.buckets)) else {
                continue;
            };
            let ahead = Ahead::of(desk, service, &canary, &records);
            for what in ahead.map_or_else(Vec::new, |ahead| ahead.left_out(setting.buckets, now())) {
                printer.say(&format!("warning: --force leaves out {what}"));
                self.what.push(what);
            }
        }
        Ok(())
    }

    /// Refuses to take users off a canary beyond its point of no return: because it is lowered, or another one takes
    /// their place.
    ///
    /// # Errors
    /// When it does, and a person's word is missing.
    pub fn backwards(
        &mut self,
        desk: &Desk,
        service: &str,
        settings: &[Setting],
        log: &Path,
        past_no_return: bool,
        printer: Printer,
    ) -> Result<()> {
        // An abort is urgent, and the log may be what is broken.
        let records = Journal::peek(log, service).unwrap_or_default();
        // Weights that are not possible are refused later.
        let Ok(change) = desk.set(service, settings) else { return Ok(()) };
        let why = leaves(desk, service, &change.moves, &records);
        self.may_go_back(why.as_deref(), past_no_return, printer)
    }

    /// Why a canary is not taken back without a person's word.
    ///
    /// # Errors
    /// When it has or had its point of no return, and that word is missing.
    pub fn may_go_back(&mut self, why: Option<&str>, past_no_return: bool, printer: Printer) -> Result<()> {
        let Some(why) = why else { return Ok(()) };
        ensure!(
            past_no_return,
            "{why}: users may have written data that the baseline cannot read, so nothing is taken back. If it can, or the loss is \
             accepted, pass --past-no-return"
        );
        printer.say(&format!("warning: back past the point of no return: {why}"));
        self.what.push(format!("the point of no return: {why}"));
        Ok(())
    }
}

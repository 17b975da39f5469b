//! Where output goes: stdout carries data, stderr carries messages. Nothing else in this crate prints, so texts of others lose here
//! what a terminal would obey.

use std::io::{self, IsTerminal as _, Write};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::document::finding::{self, Findings, Severity};
use crate::document::source::SourceFiles;
use crate::plain;

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit 0.
    Ok,
    /// Exit 1: something was found.
    Findings,
    /// Exit 2: wrong use, or it did not work.
    Failure,
    /// Exit 3, of `ramp run --once` alone: it holds.
    Held,
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Failure => 2,
            Self::Held => 3,
        }
    }
}

/// Hands out stdout and stderr.
#[derive(Clone, Copy, Debug, Default)]
pub struct Printer;

impl Printer {
    /// Writes data. A reader that went away (`| head`) is not an error.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn data(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        match out.write_all(plain::lines(text).as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }

    /// Writes data in place of what was written so before, where stdout is a terminal; behind it elsewhere.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn screen(&self, text: &str) -> Result<()> {
        if !io::stdout().is_terminal() {
            return self.data(&format!("{text}\n"));
        }
        // Home, each line to its end, and what is left below: nothing flickers as it would if all were cleared first.
        let lines: String = plain::lines(text).lines().map(|line| format!("{line}\x1b[K\n")).collect();
        let mut out = io::stdout().lock();
        Ok(out.write_all(format!("\x1b[H{lines}\x1b[J").as_bytes()).and_then(|()| out.flush())?)
    }

    /// Writes what programs read, YAML or a script, byte for byte; on a terminal as [`Self::data`].
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn exact(&self, text: &str) -> Result<()> {
        let out = io::stdout();
        if out.is_terminal() {
            return self.data(text);
        }
        let mut out = out.lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }

    /// Writes data as JSON, for machines.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        self.data(&format!("{}\n", plain::json(&serde_json::to_string_pretty(value)?)))
    }

    /// As [`Self::json`], in one line: one of several values.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn json_line(&self, value: &impl Serialize) -> Result<()> {
        self.data(&format!("{}\n", plain::json(&serde_json::to_string(value)?)))
    }

    /// What runs work that waits for others: servers, processes, files.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn runtime(&self) -> Result<Runtime> {
        Runtime::new().context("cannot start threads")
    }

    /// Progress of so many steps, or of an unknown number. Drawn on stderr, and only if that is a terminal.
    #[must_use]
    pub fn progress(&self, steps: Option<u64>) -> ProgressBar {
        ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr())
    }

    /// How wide a table may be: the terminal's width, or 120 columns where there is none.
    #[must_use]
    pub fn width(&self) -> u16 {
        console::Term::stdout().size_checked().map_or(120, |(_, columns)| columns.max(80))
    }

    /// Writes a message. A closed stderr is not an error.
    pub fn say(&self, text: &str) {
        self.say_styled(&plain::lines(text));
    }

    /// Says something that has colours of ours in it, and nothing of others that a terminal would obey.
    fn say_styled(&self, text: &str) {
        let err = io::stderr();
        let text = match anstream::AutoStream::choice(&err) {
            // Line by line, and written at once: what follows a place is looked at again for each colour in it.
            anstream::ColorChoice::Never => text
                .split_inclusive('\n')
                .map(|line| anstream::adapter::strip_str(line).to_string())
                .collect(),
            _ => text.to_owned(),
        };
        let _ = err.lock().write_all(format!("{text}\n").as_bytes());
    }

    /// Says what was found.
    pub fn findings(&self, findings: &Findings, sources: &SourceFiles) {
        let text = finding::render(findings, sources);
        if !text.is_empty() {
            self.say_styled(text.trim_end());
            self.say("");
        }
    }
}

/// How many findings of each kind there are, in words.
#[must_use]
pub fn summary(findings: &Findings) -> String {
    let count = |severity, one: &str| match findings.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let parts =
        [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Note, "note")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

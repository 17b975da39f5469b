//! What commits of a run say: the step, the verdict with its figures, and trailers for programs.

use crate::history::trailer;
use crate::plain;
use crate::ramp::journal::{Event, Record};
use crate::ramp::judge::{Sample, Verdict};
use crate::ramp::run::said;

/// Longest verdict in a trailer, in characters.
const VERDICT: usize = 300;

/// Who commits, and what for.
pub struct Signed<'a> {
    pub runner: &'a str,
    /// Which rollout of the repository it is.
    pub key: &'a str,
    pub ticket: Option<&'a str>,
    /// Who allowed the step.
    pub approver: Option<&'a str>,
    /// The revision of the file after it.
    pub revision: &'a str,
}

/// The message of the commit that does what the last record decided.
pub fn message(records: &[Record], decided: &Record, signed: &Signed<'_>) -> String {
    let Record { service, canary, .. } = decided;
    let (from, to) = (decided.from.unwrap_or(decided.weight), decided.to.unwrap_or(decided.weight));
    let mut text = match decided.event {
        Event::Promote => format!("{service}: {canary} is the baseline\n"),
        Event::Abort => format!("{service}: {canary} {from} % → {to} %, aborted\n"),
        _ => format!("{service}: {canary} {from} % → {to} %\n"),
    };
    // A look before the last event is another step's.
    let since = records.iter().rev().filter(|record| *record != decided);
    let look = since.take_while(|record| record.event.is_note()).find(|record| record.event == Event::Look);
    let verdict = look.and_then(|look| Some((look, look.verdict?)));
    if let Some((look, verdict)) = verdict {
        text += &format!("\n{}\n", name(verdict));
        for guard in &look.guards {
            text += &format!("- {} ({}): {}\n", guard.guard, name(guard.verdict), line(&guard.why));
        }
        let figures = [(canary.as_str(), &look.figures), ("baseline", &look.baseline)];
        for (whose, sample) in figures {
            text +=
                &sample.as_ref().map_or_else(String::new, |sample| format!("{whose}: {}\n", counted(sample)));
        }
    }
    if let Some(approver) = signed.approver {
        text += &format!("\napproved by {}\n", line(approver));
    }
    text += &format!("\n{}: {service}\n{}: {}\n", trailer::SERVICE, trailer::ROLLOUT, signed.key);
    if let Some((look, verdict)) = verdict {
        let short: String = line(&said(&look.guards)).chars().take(VERDICT).collect();
        text += &format!("{}: {}: {short}\n", trailer::VERDICT, name(verdict));
    } else {
        text += &format!("{}: the rollout begins\n", trailer::VERDICT);
    }
    text += &format!(
        "{}: {}\n{}: {}\n",
        trailer::REVISION,
        signed.revision,
        trailer::RUNNER,
        line(signed.runner)
    );
    if let Some(approver) = signed.approver {
        text += &format!("{}: {}\n", trailer::APPROVED, line(approver));
    }
    if let Some(ticket) = signed.ticket {
        text += &format!("{}: {}\n", trailer::TICKET, line(ticket));
    }
    text
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Hold => "hold",
        Verdict::Abort => "abort",
    }
}

fn counted(sample: &Sample) -> String {
    format!("{:.0} requests, {:.0} failed", sample.requests, sample.errors)
}

/// A guard's words may be of others: in one line they make no trailer of their own.
fn line(text: &str) -> String {
    plain::line(text).replace(['\n', '\r'], " ")
}

//! What is printed.

use graylane_mesh::aligned;

use super::changes::{Change, Kind};
use super::{Entry, History};
use crate::time::rfc3339;

/// Longest reason that is shown, in characters.
const REASON: usize = 72;

/// A table, the newest first; at most so many commits.
#[must_use]
pub fn text(history: &History, most: usize) -> String {
    let rows = history.entries.iter().take(most).flat_map(rows);
    aligned(["time", "who", "commit", "change", "moved", "reason"], rows)
}

/// A row by change: the first one says what holds for all.
fn rows(entry: &Entry) -> Vec<[String; 6]> {
    let (time, id) = match &entry.commit {
        Some(commit) => (rfc3339(commit.time), commit.id.clone()),
        None => ("not committed".to_owned(), "-".to_owned()),
    };
    let who = match (&entry.runner, &entry.author) {
        // Anybody may write the trailer of a run, so its author is said as well.
        (Some(runner), Some(author)) => format!("run {runner} ({author})"),
        (Some(runner), None) => format!("run {runner}"),
        (None, author) => author.clone().unwrap_or_else(|| "-".to_owned()),
    };
    let moved = entry.moved.map_or_else(|| "-".to_owned(), |moved| format!("{moved} %"));
    let ticket = entry.ticket.as_ref().map_or_else(String::new, |ticket| format!("{ticket}: "));
    let approver =
        entry.approver.as_ref().map_or_else(String::new, |approver| format!("approved by {approver}: "));
    let mut head = Some([
        time,
        short(&who, 48),
        id,
        moved,
        short(&format!("{ticket}{approver}{}", entry.reason), REASON),
    ]);
    let row = |change: &Change| {
        let [time, who, id, moved, reason] = head.take().unwrap_or_default();
        [time, who, id, said(change), moved, reason]
    };
    entry.changes.iter().map(row).collect()
}

fn said(change: &Change) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let share =
        |value: &Option<String>| value.as_ref().map_or_else(|| "-".to_owned(), |share| format!("{share} %"));
    let (from, to) = (or_none(&change.from), or_none(&change.to));
    let of = or_none(&change.of);
    let what = match change.kind {
        Kind::New => "new rollout".to_owned(),
        Kind::Removed => "rollout removed".to_owned(),
        Kind::Weight => format!("{of} {} → {}", share(&change.from), share(&change.to)),
        Kind::Promoted => format!("promoted: {from} → {to}"),
        Kind::Baseline => format!("baseline {from} → {to}"),
        Kind::Salt => format!("salt {from} → {to}"),
        Kind::Units if change.from == change.to => of,
        Kind::Units => format!("{of} {from} → {to}"),
        Kind::Pin => format!("pin {of}: {from} → {to}"),
    };
    change.route.as_ref().map_or_else(|| what.clone(), |route| format!("{what} ({route})"))
}

fn short(text: &str, most: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

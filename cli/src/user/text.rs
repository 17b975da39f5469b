//! What is printed.

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::git::Commit;
use super::history::{History, Since};
use crate::time::rfc3339;

/// Longest message of a commit that is shown, in characters.
const MESSAGE: usize = 60;

/// The sides, then what changed.
#[must_use]
pub fn text(history: &History) -> String {
    let mut text = format!("unit {}\n", history.sides.unit);
    if let Some(commit) = &history.commit {
        text += &format!("as of {}, commit {}\n", rfc3339(commit.time), commit.id);
    }
    if history.sides.all.is_empty() {
        return text + "\nno service has a rollout\n";
    }
    let mut sides = table(["service", "tenants", "bucket", "subset", "percent", "since"]);
    for (side, since) in history.sides.all.iter().zip(&history.since) {
        sides.add_row([
            named(&side.service, side.route.as_deref()),
            side.tenants.join(","),
            side.bucket.to_string(),
            side.subset.clone().unwrap_or_else(|| "-".to_owned()),
            side.percent.map_or_else(|| "-".to_owned(), |percent| percent.to_string()),
            since.as_ref().map_or_else(|| "-".to_owned(), self::since),
        ]);
    }
    text += &format!("\n{}\n", sides.trim_fmt());
    if !history.changes.is_empty() {
        let mut changes = table(["changed", "commit", "service", "side", "because of", "message"]);
        for change in &history.changes {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
            let (time, id, message) = written(change.commit.as_ref());
            changes.add_row([
                time,
                id,
                named(&change.service, change.route.as_deref()),
                format!("{} → {}", side(&change.from), side(&change.to)),
                change.because.to_owned(),
                message,
            ]);
        }
        text += &format!("\n{}\n", changes.trim_fmt());
    }
    text
}

fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(head);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn named(service: &str, route: Option<&str>) -> String {
    route.map_or_else(|| service.to_owned(), |route| format!("{service} ({route})"))
}

fn since(since: &Since) -> String {
    match &since.commit {
        None => "not committed".to_owned(),
        Some(commit) if since.or_before => format!("{} or before", rfc3339(commit.time)),
        Some(commit) => rfc3339(commit.time),
    }
}

/// Time, id and message of a commit.
fn written(commit: Option<&Commit>) -> (String, String, String) {
    let Some(commit) = commit else { return ("not committed".to_owned(), "-".to_owned(), String::new()) };
    let mut chars = commit.subject.chars();
    let mut message: String =
        chars.by_ref().take(MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.next().is_some() {
        message.push('…');
    }
    (rfc3339(commit.time), commit.id.clone(), message)
}

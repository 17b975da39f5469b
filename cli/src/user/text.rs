//! What is printed.

use graylane_mesh::aligned;

use super::history::{History, Since};
use crate::git::Commit;
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
    let sides = history.sides.all.iter().zip(&history.since).map(|(side, since)| {
        [
            named(&side.service, side.route.as_deref()),
            side.tenants.join(","),
            side.bucket.to_string(),
            side.subset.clone().unwrap_or_else(|| "-".to_owned()),
            side.percent.map_or_else(|| "-".to_owned(), |percent| percent.to_string()),
            since.as_ref().map_or_else(|| "-".to_owned(), self::since),
        ]
    });
    text += &format!("\n{}", aligned(["service", "tenants", "bucket", "subset", "percent", "since"], sides));
    if !history.changes.is_empty() {
        let changes = history.changes.iter().map(|change| {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
            let (time, id, message) = written(change.commit.as_ref());
            [
                time,
                id,
                named(&change.service, change.route.as_deref()),
                format!("{} → {}", side(&change.from), side(&change.to)),
                change.because.to_owned(),
                message,
            ]
        });
        let head = ["changed", "commit", "service", "side", "because of", "message"];
        text += &format!("\n{}", aligned(head, changes));
    }
    text
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

//! What is printed: a line for each subject, then what to do, worst first.

use super::{Row, State};
use crate::plain;

/// For a terminal.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.subject.len()).max().unwrap_or(0);
    let mut text: String = rows
        .iter()
        .map(|row| format!("{:<7}  {:<width$}  {}\n", word(row.state), row.subject, plain::line(&row.text)))
        .collect();
    let mut next: Vec<(State, &str, &str)> =
        rows.iter().filter_map(|row| Some((row.state, row.subject, row.next.as_deref()?))).collect();
    // Of equals, the order in which things are set up.
    next.sort_by_key(|(state, ..)| std::cmp::Reverse(*state));
    for (number, (_, subject, step)) in next.iter().enumerate() {
        let title = if number == 0 { "\nNext:\n" } else { "" };
        text += &format!("{title}{:>3}. {subject}: {}\n", number + 1, plain::line(step));
    }
    text
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Unknown => "unknown",
        State::Warning => "warning",
        State::Error => "error",
    }
}

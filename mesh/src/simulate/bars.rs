//! What is printed: a bar for before and after, numbers, and who moves.

use std::fmt::Write as _;

use graylane_decide::choice::sticky::BUCKETS;

use super::layout::{Layout, Moves};

/// One mark a subset, the baseline first. They differ without colours.
const MARKS: [char; 5] = ['·', '█', '▒', '▓', '░'];
/// Cells of a bar at most.
const MAX_CELLS: usize = 100;

/// Both layouts as bars over the buckets, users by subset, and who moves.
#[must_use]
pub fn render(before: &Layout, after: &Layout, moves: &Moves, width: u16) -> String {
    let mut subsets = after.subsets.clone();
    subsets.extend(before.subsets.iter().filter(|subset| !after.subsets.contains(subset)).cloned());
    let mark = |subset: &str| {
        let place = subsets.iter().position(|known| known == subset).unwrap_or(0);
        // More canaries than marks share the last one.
        MARKS[place.min(MARKS.len() - 1)]
    };
    let cells = usize::from(width).saturating_sub(8).clamp(10, MAX_CELLS);
    let bar = |layout: &Layout| -> String {
        (0..cells).map(|cell| mark(layout.owner(bucket(cell, cells)))).collect()
    };
    let mut text = format!("before  {}\nafter   {}\n\n", bar(before), bar(after));
    let longest = subsets.iter().map(|subset| subset.chars().count()).max().unwrap_or(0);
    for subset in &subsets {
        let of = |counts: &std::collections::BTreeMap<String, u64>| counts.get(subset).copied().unwrap_or(0);
        let _ = writeln!(
            text,
            "{} {subset:longest$}  {} → {}",
            mark(subset),
            share(of(&moves.before), moves.users, true),
            share(of(&moves.after), moves.users, false)
        );
    }
    let _ = writeln!(text, "\n{} of {} users move, {} back", moves.moved, moves.users, moves.moved_back);
    for way in &moves.matrix {
        let _ = writeln!(text, "  {} → {}: {}", way.from, way.to, way.users);
    }
    text
}

/// The bucket in the middle of a cell; at the ends the outermost one, so that the smallest canary is seen.
fn bucket(cell: usize, cells: usize) -> u16 {
    let last = usize::from(BUCKETS) - 1;
    let middle = match cell {
        0 => 0,
        cell if cell + 1 == cells => last,
        cell => (2 * cell + 1) * usize::from(BUCKETS) / (2 * cells),
    };
    u16::try_from(middle).unwrap_or(0)
}

/// So many of all users, and as a percentage; `aligned`: as wide as the number of all.
#[must_use]
pub fn share(users: u64, all: u64, aligned: bool) -> String {
    let percent = if all == 0 { 0.0 } else { users as f64 * 100.0 / all as f64 };
    let digits = if aligned { all.to_string().len() } else { 0 };
    format!("{users:digits$} ({percent:.2} %)")
}

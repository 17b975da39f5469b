//! What is printed.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

use crate::demo::row::{Row, Stop};

/// The rows as a table of this width.
#[must_use]
pub fn render(rows: &[Row], width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(["scenario", "sent", "lane", "source", ""]);
    for row in rows {
        let lane = row.hops.iter().map(stop).collect::<Vec<_>>().join(" → ");
        let mark = if row.ok { "ok" } else { "WRONG" };
        table.add_row([&*row.name, &row.sent, &lane, &row.source, mark]);
    }
    let mut text = table.trim_fmt() + "\n";
    for row in rows.iter().filter(|row| !row.ok) {
        text += &format!("\n{}: {}\n", row.name, row.problem.as_deref().unwrap_or_default());
    }
    text
}

fn stop(stop: &Stop) -> String {
    match stop.users {
        None if stop.subset == stop.service => stop.service.clone(),
        Some(users) => format!("{} {}: {users} users", stop.service, stop.subset),
        None => format!("{} {}", stop.service, stop.subset),
    }
}

//! Lines of which the columns are aligned, without a frame.

use comfy_table::presets::NOTHING;
use comfy_table::{Row, Table};

/// A heading, and a line for each row.
#[must_use]
pub fn aligned<R: Into<Row>>(head: impl Into<Row>, rows: impl IntoIterator<Item = R>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(head);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

//! Markdown for comments under a change: GitHub's and GitLab's dialect, in which a table has no line breaks and `|` ends a cell.

/// Longest text of a cell, in characters: a comment may have 65,536.
const CELL: usize = 160;
/// Most rows of a table.
const ROWS: usize = 100;

/// Text as code that stands in a cell. Longer code is cut, and says so.
#[must_use]
pub fn code(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(CELL).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    if short.trim().is_empty() {
        return String::new();
    }
    // More backquotes than the longest run in it, and `|` escaped, which a table needs even in code.
    let run = short.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(run + 1);
    let space = if run > 0 { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", short.replace('|', "\\|"))
}

/// A table; what is beyond its most rows is counted.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    text += &line(&vec!["-".to_owned(); head.len()]);
    text.extend(rows.iter().take(ROWS).map(|row| line(row)));
    if rows.len() > ROWS {
        text += &format!("\n… and {} more\n", rows.len() - ROWS);
    }
    text
}

/// Text that is folded away, in a block of its own.
#[must_use]
pub fn folded(summary: &str, text: &str) -> String {
    let run = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(run + 1));
    format!(
        "\n<details><summary>{summary}</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n",
        text.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_cell() {
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a `b` c"), "`` a `b` c ``");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(code(" "), "");
        assert_eq!(code(&"x".repeat(CELL + 1)).chars().count(), CELL + 3);
    }

    #[test]
    fn a_long_table_says_what_it_leaves_out() {
        let rows: Vec<_> = (0..ROWS + 2).map(|row| vec![row.to_string()]).collect();
        let text = table(&["n"], &rows);
        assert!(text.starts_with("| n |\n| - |\n| 0 |\n") && text.ends_with("\n… and 2 more\n"), "{text}");
    }

    #[test]
    fn a_block_is_closed_by_its_own_fence_only() {
        assert!(folded("x", "a\n```\nb").contains("\n````text\na\n```\nb\n````\n"));
    }
}

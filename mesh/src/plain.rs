//! Texts of others on a terminal: what they say, and nothing that a terminal would obey.

use std::borrow::Cow;

/// A control character, or one that turns the direction of what follows (Unicode's "Trojan Source").
fn obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line: every such character is written as `\u{1b}`.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, obeyed)
}

/// Several lines: as [`line()`], and line ends and tabs stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| obeyed(c) && c != '\n' && c != '\t')
}

/// A text of JSON: as [`lines`], in JSON's own way of writing them.
#[must_use]
pub fn json(text: &str) -> String {
    let one = |c: char| {
        if obeyed(c) && c != '\n' && c != '\t' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
    };
    text.chars().map(one).collect()
}

fn escape(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&bad) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| if bad(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed_and_nothing_is_lost() {
        assert_eq!(line("grün → 5 %"), "grün → 5 %");
        assert_eq!(line("a\x1b[2Jb\nc\u{9b}d"), "a\\u{1b}[2Jb\\u{a}c\\u{9b}d");
        let told: String = serde_json::from_str(&json("\"a\u{9b}\u{202e}\"")).unwrap();
        assert_eq!(told, "a\u{9b}\u{202e}");
        assert_eq!(lines("a\tb\n\u{202e}c\r"), "a\tb\n\\u{202e}c\\u{d}");
    }
}

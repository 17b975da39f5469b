//! Cookies of a request (RFC 6265, section 4.2.1).

use super::field::{Field, Lines};

/// All values of a cookie, in order: an empty one and one without `=` do not count.
fn values<'a>(lines: &Lines<'a>, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    lines.iter().flat_map(|line| line.split(|byte| *byte == b';')).filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (is, value) = pair.split_at_checked(equals)?;
        let value = unquoted(value.get(1..)?.trim_ascii());
        (is.trim_ascii() == name && !value.is_empty()).then_some(value)
    })
}

/// A value may stand in double quotes (section 4.1.1), as Envoy writes its own; they are not part of it.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// The first value of a cookie: the one of the narrowest path, as browsers order them.
#[must_use]
pub fn first<'a>(lines: &Lines<'a>, name: &[u8]) -> Option<&'a [u8]> {
    values(lines, name).next()
}

/// What a cookie says, as a header would: different values are several.
#[must_use]
pub fn field<'a>(lines: &Lines<'a>, name: &[u8]) -> Field<'a> {
    let mut field = Field::default();
    values(lines, name).for_each(|value| field.add(value));
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::field::Value;

    #[test]
    fn cookies_without_equals_or_value_are_passed_over() {
        let mut lines = Lines::default();
        lines.add(b"lane-id; a=1;lane-id=;  lane-id = x=y ");
        lines.add(b"lane-id=second; a=1");
        assert_eq!(first(&lines, b"lane-id"), Some(b"x=y".as_slice()));
        assert_eq!(first(&lines, b"a"), Some(b"1".as_slice()));
        assert_eq!(first(&lines, b"b"), None);
        assert_eq!(first(&Lines::default(), b"b"), None);
        assert_eq!(field(&lines, b"lane-id").value(), Value::Mixed);
        assert_eq!(field(&lines, b"a").value(), Value::One(b"1"));
        assert_eq!(field(&lines, b"b").value(), Value::Absent);
    }

    #[test]
    fn quotes_around_a_value_are_no_part_of_it() {
        let mut lines = Lines::default();
        lines.add(b"a=\"on\"; b=\"; c=\"\"; d=\"x; a=on");
        assert_eq!(field(&lines, b"a").value(), Value::One(b"on"));
        assert_eq!(first(&lines, b"b"), Some(b"\"".as_slice()));
        assert_eq!(first(&lines, b"c"), None);
        assert_eq!(first(&lines, b"d"), Some(b"\"x".as_slice()));
    }
}

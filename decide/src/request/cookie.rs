//! Cookies of a request (RFC 6265, section 4.2.1).

use super::field::{Field, Lines};

/// The value of a pair, if it is of the cookie `name`: an empty one and one without `=` do not count.
fn value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (is, value) = pair.split_at_checked(equals)?;
    let value = unquoted(value.get(1..)?.trim_ascii());
    (is.trim_ascii() == name && !value.is_empty()).then_some(value)
}

/// A value may stand in double quotes (section 4.1.1), as Envoy writes its own; they are not part of it.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// The first value of a cookie that has the form asked for: of those, the one of the narrowest path, as browsers order them.
#[must_use]
pub fn first<'a>(lines: &Lines<'a>, name: &[u8], fits: fn(&[u8]) -> bool) -> Option<&'a [u8]> {
    for line in lines.iter() {
        for pair in line.split(|byte| *byte == b';') {
            if let Some(value) = value(pair, name).filter(|value| fits(value)) {
                return Some(value);
            }
        }
    }
    None
}

/// What a cookie says, as a header would: different values are several.
#[must_use]
pub fn field<'a>(lines: &Lines<'a>, name: &[u8]) -> Field<'a> {
    let mut field = Field::default();
    for line in lines.iter() {
        for pair in line.split(|byte| *byte == b';') {
            if let Some(value) = value(pair, name) {
                field.add(value);
            }
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::field::Value;

    fn any(_: &[u8]) -> bool {
        true
    }

    #[test]
    fn cookies_without_equals_or_value_are_passed_over() {
        let mut lines = Lines::default();
        lines.add(b"lane-id; a=1;lane-id=;  lane-id = x=y ");
        lines.add(b"lane-id=second; a=1");
        assert_eq!(first(&lines, b"lane-id", any), Some(b"x=y".as_slice()));
        assert_eq!(first(&lines, b"a", any), Some(b"1".as_slice()));
        assert_eq!(first(&lines, b"lane-id", |value| value.len() == 6), Some(b"second".as_slice()));
        assert_eq!(first(&lines, b"b", any), None);
        assert_eq!(first(&Lines::default(), b"b", any), None);
        assert_eq!(field(&lines, b"lane-id").value(), Value::Mixed);
        assert_eq!(field(&lines, b"a").value(), Value::One(b"1"));
        assert_eq!(field(&lines, b"b").value(), Value::Absent);
    }

    #[test]
    fn quotes_around_a_value_are_no_part_of_it() {
        let mut lines = Lines::default();
        lines.add(b"a=\"on\"; b=\"; c=\"\"; d=\"x; a=on");
        assert_eq!(field(&lines, b"a").value(), Value::One(b"on"));
        assert_eq!(first(&lines, b"b", any), Some(b"\"".as_slice()));
        assert_eq!(first(&lines, b"c", any), None);
        assert_eq!(first(&lines, b"d", any), Some(b"\"x".as_slice()));
    }
}

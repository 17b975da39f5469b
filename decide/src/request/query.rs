//! Parameters of a query (WHATWG URL, application/x-www-form-urlencoded): what `?a=1&b=2` says.

use std::borrow::Cow;

use crate::request::field::Value;

/// Calls with what a parameter of this name says in a path with a query: several different values are none.
pub fn with<T>(path: &[u8], name: &[u8], then: impl FnOnce(Value<'_>) -> T) -> T {
    let (found, mixed) = find(path, name);
    then(if mixed { Value::Mixed } else { found.as_deref().map_or(Value::Absent, Value::One) })
}

/// The first value of a parameter, decoded, and whether there is another one.
#[must_use]
#[inline(never)] // One copy for all callers.
pub fn find<'p>(path: &'p [u8], name: &[u8]) -> (Option<Cow<'p, [u8]>>, bool) {
    let query = path.iter().position(|byte| *byte == b'?').and_then(|at| path.get(at + 1..));
    let mut found: Option<Cow<'_, [u8]>> = None;
    for pair in query.unwrap_or_default().split(|byte| *byte == b'&') {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if *decode(key) != *name {
            continue;
        }
        let value = decode(value);
        if value.is_empty() {
            continue;
        }
        match &found {
            Some(first) if *first != value => return (found, true),
            _ => found = Some(value),
        }
    }
    (found, false)
}

/// The path without a parameter of this name, in every spelling that [`with`] reads; none where it has none.
#[must_use]
pub fn without(path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut start = path.iter().position(|byte| *byte == b'?')? + 1;
    // It ends in what stood before the next pair, if there is one.
    let mut left: Option<Vec<u8>> = None;
    for pair in path.get(start..)?.split(|byte| *byte == b'&') {
        let key = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        let goes = *decode(key) == *name;
        match &mut left {
            None if goes => left = path.get(..start).map(<[u8]>::to_vec),
            Some(left) if !goes => {
                left.extend_from_slice(pair);
                left.push(b'&');
            }
            _ => {}
        }
        start += pair.len() + 1;
    }
    let mut left = left?;
    left.pop();
    Some(left)
}

/// Percent-decodes; `+` is a space, and an escape that is broken stands for itself.
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| b"%+".contains(byte)) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match first {
            b'+' => (b' ', tail),
            b'%' => escape(tail).unwrap_or((b'%', tail)),
            byte => (*byte, tail),
        };
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(decoded)
}

/// The byte of an escape, behind its `%`, and what follows.
pub fn escape(tail: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, tail) = tail.split_at_checked(2)?;
    let byte = digits.iter().try_fold(0u8, |sum, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some((sum << 4) | value as u8)
    })?;
    Some((byte, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_different_values_are_none() {
        let says = |path: &str, value: Value<'_>| {
            with(path.as_bytes(), b"a b", |is| assert_eq!(is, value, "{path}"));
        };
        says("/?a%20b=1", Value::One(b"1"));
        says("/x?y&a+b=%41%zz+%", Value::One(b"A%zz %"));
        says("/?a+b=1&a%20b=1", Value::One(b"1"));
        says("/?a+b=1&a%20b=2", Value::Mixed);
        says("/?a+b=&a+b", Value::Absent);
        says("/?a+b=&a+b=x=y?z", Value::One(b"x=y?z"));
        says("/a+b=1", Value::Absent);
        says("", Value::Absent);
    }

    #[test]
    fn a_parameter_is_taken_out_in_every_spelling_and_the_rest_stays_as_it_is() {
        let is = |path: &str, left: Option<&str>| {
            let found = without(path.as_bytes(), b"a b");
            assert_eq!(found.as_deref(), left.map(str::as_bytes), "{path}");
        };
        is("/x?a%20b=1", Some("/x"));
        is("/x?c=%41&a+b=1&d=?&&a%20b", Some("/x?c=%41&d=?&"));
        is("/x?a+b", Some("/x"));
        is("/x?a=b", None);
        is("/a+b=1", None);
        is("/x?", None);
        is("", None);
    }
}

//! A condition on a text: as the configuration says it, and compiled.

use serde::Serialize;

use super::dfa::Dfa;
use super::facts::number_text;
use crate::read::{Read, Reader, fields, variants};
use crate::request::field::Value;
use crate::sorted;

/// A condition on a text, in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    /// One of these.
    In(Vec<String>),
    /// The text of this number.
    Number(f64),
    /// `true` or `false`.
    Truth(bool),
    /// Starts with this.
    Prefix(String),
    /// Ends with this.
    Suffix(String),
    /// Matches as a whole.
    Regex(Regex),
    /// There at all, or not.
    Present(bool),
}

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regex {
    /// As it was written; for people only.
    pub pattern: String,
    /// What is run; see [`super::dfa`].
    pub table: String,
}

fields!(Regex { pattern: "pattern", table: "table" });

variants!(Test {
    In: "in",
    Number: "number",
    Truth: "truth",
    Prefix: "prefix",
    Suffix: "suffix",
    Regex: "regex",
    Present: "present",
});

/// One test of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// One of these, sorted.
    In(Vec<Box<[u8]>>),
    /// Starts with this.
    Prefix(Box<[u8]>),
    /// Ends with this.
    Suffix(Box<[u8]>),
    /// Matches as a whole.
    Regex(Dfa),
    /// There at all, or not.
    Present(bool),
}

impl Text {
    /// Compiles a test; none if its table is not in order. `fold`: the texts will be lower case.
    #[must_use]
    pub fn new(text: &Test, fold: bool) -> Option<Self> {
        let bytes = |text: &String| -> Box<[u8]> {
            if fold { text.to_ascii_lowercase().into_bytes().into() } else { text.as_bytes().into() }
        };
        let one = |bytes: &[u8]| Self::In(vec![bytes.into()]);
        Some(match text {
            Test::In(list) => {
                let mut all = Vec::with_capacity(list.len());
                list.iter().for_each(|text| sorted::insert(&mut all, bytes(text)));
                Self::In(all)
            }
            // A claim that is one has this text.
            Test::Number(number) => match number_text(*number) {
                Some(text) => one(text.as_bytes()),
                None => one(&number.to_le_bytes()),
            },
            Test::Truth(truth) => one(if *truth { b"true" } else { b"false" }),
            Test::Prefix(prefix) => Self::Prefix(bytes(prefix)),
            Test::Suffix(suffix) => Self::Suffix(bytes(suffix)),
            Test::Regex(regex) => Self::Regex(Dfa::parse(&regex.table)?),
            Test::Present(present) => Self::Present(*present),
        })
    }

    /// Is this what a text has to be?
    #[must_use]
    pub fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::In(all) => all.binary_search_by(|one| (**one).cmp(text)).is_ok(),
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Regex(dfa) => dfa.matches(text),
            Self::Present(present) => *present,
        }
    }

    /// The same of something that may be absent. Several different values are present, and nothing else.
    #[must_use]
    pub fn matches(&self, value: Value<'_>) -> bool {
        match (value, self) {
            (Value::One(text), _) => self.fits(text),
            (Value::Absent, Self::Present(present)) => !present,
            (Value::Mixed, Self::Present(present)) => *present,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_are_present_and_nothing_else() {
        let any = Regex { pattern: "(?s).*".to_owned(), table: "+00ff000".to_owned() };
        for (text, one, absent, mixed) in [
            (Test::In(vec!["gray".to_owned()]), true, false, false),
            (Test::Prefix(String::new()), true, false, false),
            (Test::Suffix("ay".to_owned()), true, false, false),
            (Test::Regex(any), true, false, false),
            (Test::Present(true), true, false, true),
            (Test::Present(false), false, true, false),
        ] {
            let compiled = Text::new(&text, false).unwrap();
            assert_eq!(compiled.matches(Value::One(b"gray")), one, "{text:?}");
            assert_eq!(compiled.matches(Value::Absent), absent, "{text:?}");
            assert_eq!(compiled.matches(Value::Mixed), mixed, "{text:?}");
        }
        let wrong = Regex { pattern: String::new(), table: "?".to_owned() };
        assert_eq!(Text::new(&Test::Regex(wrong), false), None);
    }
}

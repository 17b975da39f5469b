//! What a text has to be, compiled.

use std::collections::BTreeSet;

use super::dfa::Dfa;
use crate::config;
use crate::headers::Value;

/// One test of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// One of these.
    In(BTreeSet<Box<[u8]>>),
    /// Starts so.
    Prefix(Box<[u8]>),
    /// Ends so.
    Suffix(Box<[u8]>),
    /// Matches as a whole.
    Regex(Dfa),
    /// There at all, or not.
    Present(bool),
}

impl Text {
    /// Compiles a test; none if its table is not in order. `fold`: the texts will be lower case.
    #[must_use]
    pub fn new(text: &config::Text, fold: bool) -> Option<Self> {
        let bytes = |text: &String| -> Box<[u8]> {
            if fold { text.to_ascii_lowercase().into_bytes().into() } else { text.as_bytes().into() }
        };
        let one = |bytes: &[u8]| {
            let mut one = BTreeSet::new();
            one.insert(bytes.into());
            Self::In(one)
        };
        Some(match text {
            config::Text::In(list) => {
                let mut all = BTreeSet::new();
                all.extend(list.iter().map(bytes));
                Self::In(all)
            }
            // As Envoy hands over a claim that is a number or a boolean.
            config::Text::Number(number) => one(&number.to_le_bytes()),
            config::Text::Truth(truth) => one(&[u8::from(*truth)]),
            config::Text::Prefix(prefix) => Self::Prefix(bytes(prefix)),
            config::Text::Suffix(suffix) => Self::Suffix(bytes(suffix)),
            config::Text::Regex(regex) => Self::Regex(Dfa::parse(&regex.table)?),
            config::Text::Present(present) => Self::Present(*present),
        })
    }

    /// Is this what a text has to be?
    #[must_use]
    pub fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::In(all) => all.contains(text),
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
        let any = config::Regex { pattern: "(?s).*".to_owned(), table: "+00ff000".to_owned() };
        for (text, one, absent, mixed) in [
            (config::Text::In(vec!["gray".to_owned()]), true, false, false),
            (config::Text::Prefix(String::new()), true, false, false),
            (config::Text::Suffix("ay".to_owned()), true, false, false),
            (config::Text::Regex(any), true, false, false),
            (config::Text::Present(true), true, false, true),
            (config::Text::Present(false), false, true, false),
        ] {
            let compiled = Text::new(&text, false).unwrap();
            assert_eq!(compiled.matches(Value::One(b"gray")), one, "{text:?}");
            assert_eq!(compiled.matches(Value::Absent), absent, "{text:?}");
            assert_eq!(compiled.matches(Value::Mixed), mixed, "{text:?}");
        }
        let wrong = config::Regex { pattern: String::new(), table: "?".to_owned() };
        assert_eq!(Text::new(&config::Text::Regex(wrong), false), None);
    }
}

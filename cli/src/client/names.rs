//! Tenants as names of constants. A name of ours has letters, digits, `.`, `_` and `-`.

use std::collections::BTreeSet;

/// How a language writes its constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `GRAY_V1`, as Kotlin does.
    Upper,
    /// `grayV1`, as Swift does.
    Camel,
}

/// What a case of a Swift enum cannot be called: reserved words, and members that the enum has already.
const TAKEN: [&str; 61] = [
    "allCases",
    "any",
    "as",
    "associatedtype",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "continue",
    "default",
    "defer",
    "deinit",
    "do",
    "else",
    "enum",
    "extension",
    "fallthrough",
    "false",
    "fileprivate",
    "for",
    "func",
    "guard",
    "hash",
    "hashValue",
    "if",
    "import",
    "in",
    "init",
    "inout",
    "internal",
    "is",
    "let",
    "nil",
    "none",
    "open",
    "operator",
    "precedencegroup",
    "private",
    "protocol",
    "public",
    "rawValue",
    "repeat",
    "rethrows",
    "return",
    "self",
    "some",
    "static",
    "struct",
    "subscript",
    "super",
    "switch",
    "throw",
    "throws",
    "true",
    "try",
    "type",
    "typealias",
    "var",
    "where",
    "while",
];

/// A name for each of these, no two alike.
#[must_use]
pub fn names(all: &[String], case: Case) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut unlike = |name: String| {
        let mut free = name.clone();
        let mut number = 2;
        while !taken.insert(free.clone()) {
            free = format!("{name}_{number}");
            number += 1;
        }
        free
    };
    all.iter().map(|name| unlike(one(name, case))).collect()
}

fn one(name: &str, case: Case) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let text = match case {
        Case::Upper => words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join("_"),
        Case::Camel => words.enumerate().map(|(index, word)| camel(word, index == 0)).collect(),
    };
    let is_taken = case == Case::Camel && TAKEN.contains(&&*text);
    match text.as_bytes().first() {
        Some(first) if first.is_ascii_digit() => format!("_{text}"),
        _ if is_taken => format!("{text}_"),
        _ => text,
    }
}

/// A word with its first letter small or large.
fn camel(word: &str, first: bool) -> String {
    let (head, tail) = word.split_at(word.len().min(1));
    if first { head.to_ascii_lowercase() + tail } else { head.to_ascii_uppercase() + tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_gets_a_name_that_the_language_takes() {
        let tenants =
            ["gray-v1", "gray.v1", "GRAY_V1", "1st", "default", "all-cases", "x"].map(ToOwned::to_owned);
        assert_eq!(
            names(&tenants, Case::Upper),
            ["GRAY_V1", "GRAY_V1_2", "GRAY_V1_3", "_1ST", "DEFAULT", "ALL_CASES", "X"]
        );
        assert_eq!(
            names(&tenants, Case::Camel),
            ["grayV1", "grayV1_2", "gRAYV1", "_1st", "default_", "allCases_", "x"]
        );
    }
}

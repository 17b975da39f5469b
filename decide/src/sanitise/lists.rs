//! What is left of an outside caller's lists. By allow-list: whatever some reader behind us could take for a member of ours goes,
//! and so does whatever cannot be read in one way only.
//!
//! Readers differ. Python's OpenTelemetry decodes `%xx` and `+` in keys and strips what Python calls white space; others
//! decode values and write them out bare on their own calls, so that a comma in a value begins a member.

use crate::carriers::list::Grammar;
use crate::carriers::members::{self, MAX_BYTES, MAX_MEMBERS};
use crate::carriers::sw8_key;
use crate::names::UNIT_MEMBER;
use crate::request::query::decode;

use crate::request::spelling::same;

/// The lines of an outside caller without anything of ours: what is left, in order; None where all are clean.
///
/// Limits are looked at first, so that more members than any reader has to take cost no more than the allowed ones.
#[must_use]
pub fn clean<'a>(grammar: Grammar, lines: &[&'a [u8]], tenant: &[u8]) -> Option<Vec<&'a [u8]>> {
    if lines.is_empty() {
        return None;
    }
    if is_over_limits(lines) {
        return Some(Vec::new());
    }
    let mut kept = Vec::new();
    let mut lost = false;
    for line in lines {
        if !members::of(line).all(|member| is_readable(grammar, member)) {
            lost = true;
            continue;
        }
        let fine = |member: &&[u8]| !may_be_ours(grammar, member, tenant);
        if members::of(line).all(|member| fine(&member)) {
            kept.push(*line);
        } else {
            lost = true;
            kept.extend(members::of(line).filter(fine));
        }
    }
    lost.then_some(kept)
}

/// The lines without what could be a unit; None where there is no such thing. Nothing else goes: where graylane only
/// observes, nothing that worked before may break.
#[must_use]
pub fn without_unit<'a>(grammar: Grammar, lines: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let unit = UNIT_MEMBER.as_bytes();
    // What only might be one stays: baggage of others that is oddly written worked before.
    let is_unit = |member: &&[u8]| match grammar {
        Grammar::Baggage => names_ours(member, unit),
        Grammar::Sw8 => sw8_key(member, |key| is_ours(key, unit)).unwrap_or(false),
    };
    if !lines.iter().copied().flat_map(members::of).any(|member| is_unit(&member)) {
        return None;
    }
    Some(lines.iter().copied().flat_map(members::of).filter(|member| !is_unit(member)).collect())
}

fn is_over_limits(lines: &[&[u8]]) -> bool {
    let size: usize = lines.iter().map(|line| line.len() + 1).sum();
    // The size first: then at most that many bytes are counted.
    size > MAX_BYTES + 1
        || lines.iter().map(|line| 1 + line.iter().filter(|byte| **byte == b',').count()).sum::<usize>()
            > MAX_MEMBERS
}

/// Can it be read as the grammar says? Otherwise the next reader may read its line differently.
fn is_readable(grammar: Grammar, member: &[u8]) -> bool {
    match grammar {
        // W3C Baggage, section 3.3.1: keys are tokens (RFC 9110, section 5.6.2), values are baggage-octets.
        Grammar::Baggage => {
            let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
            let (key, rest) = member.split_at_checked(equals).unwrap_or_default();
            let key = key.trim_ascii();
            !key.is_empty()
                && key.iter().all(|byte| is_token(*byte))
                && rest.iter().all(|byte| is_octet(*byte))
                && escapes_are_whole(member)
        }
        Grammar::Sw8 => sw8_key(member, |_| ()).is_some(),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What may follow a key: `=`, baggage-octets, properties, and white space.
fn is_octet(byte: u8) -> bool {
    matches!(byte, b'\t' | b' ' | 0x21 | 0x23..=0x2b | 0x2d..=0x5b | 0x5d..=0x7e)
}

fn escapes_are_whole(text: &[u8]) -> bool {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Could some reader find a member of ours in this one?
fn may_be_ours(grammar: Grammar, member: &[u8], tenant: &[u8]) -> bool {
    match grammar {
        Grammar::Baggage => {
            let key = member.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
            // A key that some reader decodes is not worth telling apart: no SDK writes one.
            key.iter().any(|byte| b"%+".contains(byte)) || names_ours(member, tenant)
        }
        Grammar::Sw8 => {
            sw8_key(member, |key| is_ours(key, tenant) || names_ours(key, tenant)).unwrap_or(true)
        }
    }
}

fn is_ours(name: &[u8], tenant: &[u8]) -> bool {
    same(name, tenant) || same(name, UNIT_MEMBER.as_bytes())
}

/// Is one of our names followed by `=` anywhere in it, however often it is decoded?
fn names_ours(text: &[u8], tenant: &[u8]) -> bool {
    if assigns_ours(text, tenant) {
        return true;
    }
    let mut text = text.to_vec();
    // Each round is shorter than the one before.
    while text.iter().any(|byte| b"%+".contains(byte)) {
        let decoded = decode(&text).into_owned();
        if assigns_ours(&decoded, tenant) {
            return true;
        }
        if decoded.len() == text.len() {
            break;
        }
        text = decoded;
    }
    false
}

fn assigns_ours(text: &[u8], tenant: &[u8]) -> bool {
    // Names are what stands between bytes that no name of ours has.
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~!#$&'*^`|".contains(byte);
    let mut rest = text;
    while let Some(start) = rest.iter().position(is_name) {
        let tail = rest.get(start..).unwrap_or_default();
        let end = tail.iter().position(|byte| !is_name(byte)).unwrap_or(tail.len());
        let (name, after) = tail.split_at_checked(end).unwrap_or_default();
        // Some reader may take anything but a separator for white space.
        let next = after.iter().find(|byte| b"=,;".contains(byte));
        if is_ours(name, tenant) && next == Some(&b'=') {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(lines: &[&str]) -> Option<Vec<String>> {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let kept = clean(Grammar::Baggage, &lines, b"tenant");
        kept.map(|kept| kept.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    }

    #[test]
    fn headers_of_others_stay_as_they_are() {
        for fine in [
            "a=1,b=2;p",
            "",
            "type=tenant",
            "tenants=3, xtenant=1",
            "a=%7B%22k%22%3A1%7D",
            "a=1 ; p = 2 ,b=x=y",
            "theme=dark+blue",
        ] {
            assert_eq!(left(&[fine]), None, "{fine}");
        }
    }

    #[test]
    fn a_member_that_some_reader_takes_for_ours_goes() {
        for ours in [
            "tenant=x",
            "TENANT = x",
            "%74enant=x",
            "+tenant=x",
            "tenant+=x",
            "%0btenant=x",
            "tenant%1f=x",
            "%c2%a0tenant=x",
            "%e2%80%83tenant=x",
            "graylane%2dunit=0",
            "graylane_unit=0",
            "k=v%2Ctenant%3Dx",
            "k=v%252Ctenant%253Dx",
            "k=v;tenant=x",
            "k=v%3Btenant%20%3Dx",
            "k=v+tenant=x",
        ] {
            assert_eq!(left(&[&format!("a=1,{ours},b=2")]), Some(vec!["a=1".into(), "b=2".into()]), "{ours}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_in_one_way_goes_whole() {
        for line in
            ["a=1,tenant", "a=\"x,tenant=x\"", "tenant\u{a0}=x", "a=%zz", "te nant=x", "a=1\\,b=2", "=x", "a"]
        {
            assert_eq!(left(&["k=v", line, "d=4"]), Some(vec!["k=v".into(), "d=4".into()]), "{line}");
        }
    }

    #[test]
    fn beyond_the_limits_nothing_is_left() {
        let many = vec!["k=v"; 64].join(",");
        assert_eq!(left(&[&many]), None, "64 members are allowed");
        assert_eq!(left(&[&many, "k=v"]), Some(vec![]));
        assert_eq!(left(&[&format!("{many},tenant=x")]), Some(vec![]));
        let long = format!("k={}", "v".repeat(MAX_BYTES - 2));
        assert_eq!(left(&[&long]), None, "8,192 bytes are allowed");
        assert_eq!(left(&[&format!("{long}v")]), Some(vec![]));
    }

    #[test]
    fn skywalkings_keys_are_decoded_as_the_most_tolerant_reader_does() {
        let left = |line: &str| {
            let lines = [line.as_bytes()];
            let kept = clean(Grammar::Sw8, &lines, b"tenant");
            kept.map(|kept| {
                kept.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>()
            })
        };
        assert_eq!(left("Zm9v:YmFy"), None);
        for ours in ["dGVuYW50:Z3JheS12MQ==", "VEVOQU5U:eA", "IHRlbmFudA:eA", "Z3JheWxhbmVfdW5pdA==:MA=="] {
            assert_eq!(left(&format!("Zm9v:YmFy,{ours}")), Some(vec!["Zm9v:YmFy".to_owned()]), "{ours}");
        }
        assert_eq!(left("Zm9v:YmFy,!!:x"), Some(vec![]), "what is no Base64 makes its line unreadable");
    }

    #[test]
    fn observing_takes_the_unit_alone() {
        let lines: [&[u8]; 2] = [b"tenant=gray-v1,graylane-unit=00000000000000ff,a=\"", b"b=2"];
        let kept = without_unit(Grammar::Baggage, &lines);
        assert_eq!(kept, Some(vec![b"tenant=gray-v1".as_slice(), b"a=\"", b"b=2"]));
        assert_eq!(without_unit(Grammar::Baggage, &lines[1..]), None);
        for (odd, is_unit) in
            [("%=1,a+b=2", false), ("%67raylane-unit=1", true), ("+graylane-unit%1f=1", true)]
        {
            assert_eq!(without_unit(Grammar::Baggage, &[odd.as_bytes()]).is_some(), is_unit, "{odd}");
        }
    }
}

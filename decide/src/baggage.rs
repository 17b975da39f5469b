//! W3C Baggage (Recommendation track, 2024), as far as two members of it are ours: the tenant and the unit.
//!
//! `baggage: key1=value1;property, key2 = value2`, over any number of header lines. Members of others pass through
//! byte for byte. Inside the mesh reading is lenient; [`strip`], for the gateway, is not: what a lenient parser
//! behind it might take for one of our members has to go.

use crate::headers::{Field, Lines};
use crate::names::UNIT_MEMBER;
use crate::query::escape;

/// What every hop must propagate (W3C Baggage, section 3.3.2): beyond it nothing of ours is added.
const MAX_BYTES: usize = 8192;
/// As above, in members.
const MAX_MEMBERS: usize = 64;

/// Longest value of ours once decoded: a tenant's name has at most 63 bytes, a unit 16.
pub const MAX_VALUE: usize = 63;

/// Our members of a request, values still percent-encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ours<'a> {
    /// The member of the tenant header's name.
    pub tenant: Field<'a>,
    /// [`UNIT_MEMBER`].
    pub unit: Field<'a>,
}

fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Key of a member, and what follows its `=`; none without one.
fn key_of(member: &[u8]) -> Option<(&[u8], &[u8])> {
    // What comes behind a `;` is a property.
    let end = member.iter().position(|byte| matches!(byte, b'=' | b';'))?;
    let (key, rest) = member.split_at_checked(end)?;
    Some((key.trim_ascii(), rest.strip_prefix(b"=")?))
}

/// What follows the `=`, without properties.
fn value_of(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default().trim_ascii()
}

fn is_ours(key: &[u8], tenant: &[u8]) -> bool {
    key.eq_ignore_ascii_case(tenant) || key.eq_ignore_ascii_case(UNIT_MEMBER.as_bytes())
}

/// Finds our members; keys fold case, as SDKs differ.
#[must_use]
pub fn read<'a>(lines: &Lines<'a>, tenant: &[u8]) -> Ours<'a> {
    let mut ours = Ours::default();
    for line in lines.iter().filter(|line| may_have_ours(line, tenant)) {
        for (key, rest) in members(line).filter_map(key_of) {
            if key.eq_ignore_ascii_case(tenant) {
                ours.tenant.add(value_of(rest));
            } else if key.eq_ignore_ascii_case(UNIT_MEMBER.as_bytes()) {
                ours.unit.add(value_of(rest));
            }
        }
    }
    ours
}

/// Does any member begin as ours do? Most requests carry other people's members only, and are done with after this.
fn may_have_ours(line: &[u8], tenant: &[u8]) -> bool {
    let first = |name: &[u8]| name.first().map(u8::to_ascii_lowercase);
    let (tenant, unit) = (first(tenant), first(UNIT_MEMBER.as_bytes()));
    let mut begins = true;
    line.iter().any(|byte| {
        let is_first = begins && !byte.is_ascii_whitespace();
        begins = *byte == b',' || (begins && !is_first);
        let byte = Some(byte.to_ascii_lowercase());
        is_first && (byte == tenant || byte == unit)
    })
}

/// Percent-decodes a value of ours into `space`. None if an escape is broken, or it is too long to be one of ours.
#[must_use]
pub fn decode<'s>(value: &[u8], space: &'s mut [u8; MAX_VALUE]) -> Option<&'s [u8]> {
    let mut length = 0;
    let mut rest = value;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = if *first == b'%' { escape(tail)? } else { (*first, tail) };
        *space.get_mut(length)? = byte;
        length += 1;
        rest = tail;
    }
    space.get(..length)
}

/// What to write for our members; none: the new value has no such member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Write<'a> {
    /// Of the tenant.
    pub tenant: Option<&'a [u8]>,
    /// Of the unit, its wire form.
    pub unit: Option<&'a [u8]>,
}

/// The header's new value: ours first (a hop that cuts baggage short cuts at the end), then everybody else's, byte
/// for byte; empty where nothing is left.
///
/// Nothing is added beyond what every hop must propagate: such a header only loses what it had of ours. None where
/// it would not change at all.
#[must_use]
pub fn rewrite<'a>(lines: &[&'a [u8]], tenant: &[u8], write: Write<'_>) -> Option<Vec<u8>> {
    let others = |member: &&'a [u8]| !key_of(member).is_some_and(|(key, _)| is_ours(key, tenant));
    let all = || lines.iter().copied().flat_map(members);
    let own = [(tenant, write.tenant), (UNIT_MEMBER.as_bytes(), write.unit)];
    let own = || own.iter().filter_map(|(key, value)| value.map(|value| [*key, b"=", value]));

    let mut value = Vec::with_capacity(96);
    let mut push = |parts: &[&[u8]]| {
        if !value.is_empty() {
            value.push(b',');
        }
        parts.iter().for_each(|part| value.extend_from_slice(part));
    };
    own().for_each(|parts| push(&parts));
    all().filter(others).for_each(|member| push(&[member]));

    let (had, has) = (all().count(), own().count() + all().filter(others).count());
    let size: usize = lines.iter().map(|line| line.len() + 1).sum();
    let grown = (has > MAX_MEMBERS && has > had) || (value.len() > MAX_BYTES && value.len() > size);
    if !grown {
        Some(value)
    } else if all().filter(others).count() < had {
        rewrite(lines, tenant, Write::default())
    } else {
        None
    }
}

/// At the gateway: is this line free of anything that some parser could take for a member of ours?
///
/// A line is refused whole when it cannot be parsed strictly (W3C Baggage, section 3.3.1: keys are tokens, values
/// are baggage-octets), and when a member's key, percent-decoded and case-folded, is one of ours.
#[must_use]
pub fn is_strangers(line: &[u8], tenant: &[u8]) -> Line {
    let mut ours = false;
    for member in members(line) {
        let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return Line::Unreadable };
        let (key, rest) = member.split_at(equals);
        let mut space = [0; MAX_VALUE];
        let key = key.trim_ascii();
        if key.is_empty() || !key.iter().all(|byte| is_token(*byte)) {
            return Line::Unreadable;
        }
        if !rest.iter().all(|byte| is_octet(*byte)) || !escapes_are_whole(rest) {
            return Line::Unreadable;
        }
        if !escapes_are_whole(key) {
            return Line::Unreadable;
        }
        ours |= decode(key, &mut space).is_some_and(|decoded| is_ours(decoded.trim_ascii(), tenant));
    }
    if ours { Line::HasOurs } else { Line::Clean }
}

/// What [`is_strangers`] says about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing of ours.
    Clean,
    /// Members of ours among others.
    HasOurs,
    /// Nobody knows what the next parser makes of it.
    Unreadable,
}

/// The lines of a stranger without our members: what is left of each, in order; nothing where all are clean.
#[must_use]
pub fn strip<'a>(lines: &Lines<'a>, tenant: &[u8]) -> Option<Vec<&'a [u8]>> {
    let verdicts: Vec<(&[u8], Line)> = lines.iter().map(|line| (line, is_strangers(line, tenant))).collect();
    if verdicts.iter().all(|(_, verdict)| *verdict == Line::Clean) {
        return None;
    }
    let mut kept = Vec::new();
    for (line, verdict) in verdicts {
        match verdict {
            Line::Clean => kept.push(line),
            Line::Unreadable => {}
            Line::HasOurs => kept.extend(members(line).filter(|member| {
                let mut space = [0; MAX_VALUE];
                let key = member.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
                !decode(key, &mut space).is_some_and(|decoded| is_ours(decoded.trim_ascii(), tenant))
            })),
        }
    }
    Some(kept)
}

/// A token of HTTP (RFC 9110, section 5.6.2).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Value;

    fn lines<'a>(text: &[&'a str]) -> Lines<'a> {
        let mut lines = Lines::default();
        text.iter().for_each(|line| lines.add(line.as_bytes()));
        lines
    }

    fn rewritten(text: &[&str], tenant: Option<&str>, unit: Option<&str>) -> Option<String> {
        let write = Write { tenant: tenant.map(str::as_bytes), unit: unit.map(str::as_bytes) };
        let lines: Vec<&[u8]> = text.iter().map(|line| line.as_bytes()).collect();
        rewrite(&lines, b"tenant", write).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn our_members_are_found_whatever_surrounds_them() {
        let text = ["a=1;p=2, Tenant = gray%2Dv1 ;ttl=3,,b", "graylane-unit=00000000000000ff , tenantx=no"];
        let ours = read(&lines(&text), b"tenant");
        let mut space = [0; MAX_VALUE];
        let Value::One(tenant) = ours.tenant.value() else { panic!("{ours:?}") };
        assert_eq!(decode(tenant, &mut space), Some(b"gray-v1".as_slice()));
        assert_eq!(ours.unit.value(), Value::One(b"00000000000000ff"));
        for hidden in [",, \t TENANT=x", "a=1,\ttenant =x", "tenant=x", "t=1;tenant=no,tenant=x"] {
            let ours = read(&lines(&[hidden]), b"tenant");
            assert_eq!(ours.tenant.value(), Value::One(b"x"), "{hidden}");
        }
        for others in ["a=tenant=x", "a;tenant=x", "tenant;a=x", "tenant", "", ",", "xtenant=x"] {
            assert_eq!(read(&lines(&[others]), b"tenant"), Ours::default(), "{others}");
        }
        let twice = lines(&["tenant=a,tenant=b"]);
        assert_eq!(read(&twice, b"tenant").tenant.value(), Value::Mixed);
    }

    #[test]
    fn a_broken_escape_or_a_long_value_decodes_to_nothing() {
        for bad in ["%", "%4", "%zz", "a%2", &"x".repeat(64)] {
            assert_eq!(decode(bad.as_bytes(), &mut [0; MAX_VALUE]), None, "{bad}");
        }
        assert_eq!(decode(b"%FF%00", &mut [0; MAX_VALUE]), Some([0xff, 0].as_slice()));
    }

    #[test]
    fn others_members_pass_byte_for_byte_and_ours_come_first() {
        let text = ["k = v ; p=\"1\",tenant=old", "graylane-unit=1,junk"];
        let unit = Some("00000000000000ff");
        assert_eq!(
            rewritten(&text, Some("gray-v1"), unit).as_deref(),
            Some("tenant=gray-v1,graylane-unit=00000000000000ff,k = v ; p=\"1\",junk")
        );
        assert_eq!(rewritten(&["tenant=x"], None, None).as_deref(), Some(""));
    }

    #[test]
    fn nothing_is_added_beyond_what_every_hop_must_carry() {
        let many = vec!["k=v"; 64].join(",");
        assert_eq!(rewritten(&[&many], Some("gray"), None), None);
        assert_eq!(
            rewritten(&[&many[4..]], Some("gray"), None).map(|value| value.len()),
            Some(many.len() + 8)
        );
        let long = format!("k={}", "v".repeat(9000));
        assert_eq!(rewritten(&[&long], Some("gray"), None), None);
        let same_size = rewritten(&[&long, "tenant=green"], Some("gray"), None);
        assert_eq!(same_size, Some(format!("tenant=gray,{long}")), "what was there may be replaced");
        let grown = rewritten(&[&long, "tenant=x"], Some("partner-acme"), None);
        assert_eq!(grown, Some(long), "or is at least taken away");
    }

    #[test]
    fn a_stranger_smuggles_nothing() {
        let cases = [
            ("a=1,b=2;p", Line::Clean),
            ("", Line::Clean),
            ("a=1, TENANT =gray", Line::HasOurs),
            ("%74enant=gray", Line::HasOurs),
            ("graylane%2dunit=0", Line::HasOurs),
            ("a=1,tenant", Line::Unreadable),
            ("a=\"x,tenant=gray\"", Line::Unreadable),
            ("tenant\u{a0}=gray", Line::Unreadable),
            ("a=%zz", Line::Unreadable),
            ("te nant=gray", Line::Unreadable),
            ("a=1\\,b=2", Line::Unreadable),
        ];
        for (line, verdict) in cases {
            assert_eq!(is_strangers(line.as_bytes(), b"tenant"), verdict, "{line}");
        }
        let kept = strip(&lines(&["a=1,tenant=gray,b=2", "c=\"", "d=4"]), b"tenant").unwrap();
        assert_eq!(kept, [b"a=1".as_slice(), b"b=2", b"d=4"]);
        assert_eq!(strip(&lines(&["a=1", "b=2"]), b"tenant"), None);
    }
}

//! The grammar of W3C Baggage (Recommendation track, 2024): `key1=value1;property, key2 = value2`, over any number of header
//! lines. Reading is lenient, as SDKs are; what outside callers send is judged in [`crate::sanitise`].

use crate::names::UNIT_MEMBER;
use crate::request::query::escape;

/// What every hop must propagate (W3C Baggage, section 3.3.2): beyond it nothing of ours is added, and an
/// outside caller's list is removed.
pub const MAX_BYTES: usize = 8192;
/// As above, in members.
pub const MAX_MEMBERS: usize = 64;

/// Longest value of ours once decoded: a tenant's name has at most 63 bytes, a unit 16.
pub const MAX_VALUE: usize = 63;

/// The members of a line, without white space around them; empty ones do not count.
pub fn of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Key of a member, and what follows its `=`; none without one.
pub fn key_of(member: &[u8]) -> Option<(&[u8], &[u8])> {
    // What comes behind a `;` is a property.
    let end = member.iter().position(|byte| matches!(byte, b'=' | b';'))?;
    let (key, rest) = member.split_at_checked(end)?;
    Some((key.trim_ascii(), rest.strip_prefix(b"=")?))
}

/// What follows the `=`, without properties and without quotes around it, which some SDKs write.
pub fn value_of(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    let value = rest.get(..end).unwrap_or_default().trim_ascii();
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// Which of our two members a key names; keys fold case, as SDKs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The tenant.
    Tenant,
    /// The unit.
    Unit,
}

impl Own {
    /// Reads a key.
    #[must_use]
    pub fn named(key: &[u8], tenant: &[u8]) -> Option<Self> {
        if key.eq_ignore_ascii_case(tenant) {
            Some(Self::Tenant)
        } else {
            key.eq_ignore_ascii_case(UNIT_MEMBER.as_bytes()).then_some(Self::Unit)
        }
    }
}

/// Does any member begin as ours do? Most requests carry other people's members only, and are done with after this.
#[must_use]
pub fn may_have_ours(line: &[u8], tenant: &[u8]) -> bool {
    let first = |name: &[u8]| name.first().map(u8::to_ascii_lowercase);
    let ours = [first(tenant), first(UNIT_MEMBER.as_bytes())];
    line.split(|byte| *byte == b',').any(|member| {
        let begins = first(member.trim_ascii_start());
        begins.is_some() && ours.contains(&begins)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_escape_or_a_long_value_decodes_to_nothing() {
        for bad in ["%", "%4", "%zz", "a%2", &"x".repeat(64)] {
            assert_eq!(decode(bad.as_bytes(), &mut [0; MAX_VALUE]), None, "{bad}");
        }
        assert_eq!(decode(b"%FF%00", &mut [0; MAX_VALUE]), Some([0xff, 0].as_slice()));
    }

    #[test]
    fn a_line_without_ours_is_done_with_at_a_glance() {
        for (line, may) in
            [("a=1,b=2", false), ("a=1, Tenant=x", true), (",,graylane-unit=1", true), ("", false)]
        {
            assert_eq!(may_have_ours(line.as_bytes(), b"tenant"), may, "{line}");
        }
    }
}

//! A carrier that has a header for each member.

use super::{Member, Write};
use crate::edits::Edits;
use crate::names::UNIT_MEMBER;
use crate::request::spelling::{same, starts};

/// Names of the two headers, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Whose value is the tenant, percent-encoded if a library likes to.
    pub tenant: Box<str>,
    /// Whose value is the unit.
    pub unit: Box<str>,
    /// What the names of such headers begin with, if the rest is a key of many.
    pub prefix: Option<&'static str>,
}

impl Pair {
    /// Headers whose names are a prefix and the member's key.
    #[must_use]
    pub fn prefixed(prefix: &'static str, tenant: &str) -> Self {
        let name = |key: &str| [prefix, &key.to_ascii_lowercase()].concat().into();
        Self { tenant: name(tenant), unit: name(UNIT_MEMBER), prefix: Some(prefix) }
    }

    /// A header of the user's own for the tenant; the unit's name is made of it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let unit = [&name, "-", UNIT_MEMBER].concat();
        Self { tenant: name.into(), unit: unit.into(), prefix: None }
    }

    /// Would some reader take a header of this name for one of the two?
    #[must_use]
    pub fn claims(&self, name: &[u8]) -> bool {
        let odd =
            |rest: &[u8]| rest.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"-_.".contains(byte));
        same(name, self.tenant.as_bytes())
            || same(name, self.unit.as_bytes())
            // A key that some reader decodes is not worth telling apart.
            || self.prefix.is_some_and(|prefix| {
                starts(name, prefix.as_bytes()) && name.get(prefix.len()..).is_some_and(odd)
            })
    }

    /// Writes the members that are to say something.
    pub fn write_if_set<'p>(&'p self, write: Write<'_>, edits: &mut Edits<'p>) {
        let only_set = |member| if matches!(member, Member::Set(_)) { member } else { Member::Keep };
        self.write(Write { tenant: only_set(write.tenant), unit: only_set(write.unit) }, edits);
    }

    /// Writes the members.
    pub fn write<'p>(&'p self, write: Write<'_>, edits: &mut Edits<'p>) {
        for (name, member) in [(&self.tenant, write.tenant), (&self.unit, write.unit)] {
            match member {
                Member::Keep => {}
                Member::Set(value) => edits.set(name.as_bytes(), value.to_vec()),
                Member::Remove => edits.remove(name.as_bytes()),
            }
        }
    }
}

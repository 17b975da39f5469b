//! A carrier that is one list header with our members among others': W3C Baggage and its relatives.

use super::members::{MAX_BYTES, MAX_MEMBERS, Own, key_of, may_have_ours, of, value_of};
use super::{Member, Said, Write, sw8};
use crate::edits::Edits;
use crate::names::UNIT_MEMBER;
use crate::request::field::{Field, Lines};
use crate::tenants::Tenants;

/// How a list's members are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// `key=value;property`, values percent-encoded: W3C Baggage.
    Baggage,
    /// `key:value`, both in Base64: SkyWalking's correlation context.
    Sw8,
}

/// A list header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// Its name, lower case.
    pub header: &'static str,
    /// How its members are written.
    pub grammar: Grammar,
}

impl List {
    /// W3C Baggage.
    pub const BAGGAGE: Self = Self { header: "baggage", grammar: Grammar::Baggage };
    /// What W3C Baggage was called before it was standardised.
    pub const CORRELATION_CONTEXT: Self = Self { header: "correlation-context", grammar: Grammar::Baggage };
    /// SkyWalking's correlation context (its cross-process correlation protocol 1.0).
    pub const SW8_CORRELATION: Self = Self { header: "sw8-correlation", grammar: Grammar::Sw8 };

    /// What our members say.
    #[must_use]
    pub fn read(&self, tenants: &Tenants, tenant: &[u8], lines: &Lines<'_>) -> Said {
        if self.grammar == Grammar::Sw8 {
            return sw8::read(tenants, tenant, lines);
        }
        let (mut name, mut unit) = (Field::default(), Field::default());
        for line in lines.iter().filter(|line| may_have_ours(line, tenant)) {
            for (key, rest) in of(line).filter_map(key_of) {
                match Own::named(key, tenant) {
                    Some(Own::Tenant) => name.add(value_of(rest)),
                    Some(Own::Unit) => unit.add(value_of(rest)),
                    None => {}
                }
            }
        }
        Said::of(tenants, [name, unit])
    }

    fn own(&self, member: &[u8], tenant: &[u8]) -> Option<Own> {
        match self.grammar {
            Grammar::Baggage => key_of(member).and_then(|(key, _)| Own::named(key, tenant)),
            Grammar::Sw8 => sw8::own(member, tenant),
        }
    }

    fn encode(&self, key: &[u8], value: &[u8], onto: &mut Vec<u8>) {
        match self.grammar {
            Grammar::Baggage => [key, b"=", value].into_iter().for_each(|part| onto.extend_from_slice(part)),
            Grammar::Sw8 => sw8::encode(key, value, onto),
        }
    }

    /// The header's new value: ours first (a hop that cuts a list short cuts at the end), then all others, byte
    /// for byte; empty where nothing is left.
    ///
    /// Nothing is added beyond what every hop must propagate: such a header only loses what it had of ours. None where
    /// it would not change at all.
    #[must_use]
    pub fn rewrite(&self, tenant: &[u8], lines: &[&[u8]], write: Write<'_>) -> Option<Vec<u8>> {
        let members = || lines.iter().copied().flat_map(of);
        let stays = |member: &&[u8]| match self.own(member, tenant) {
            None => true,
            Some(Own::Tenant) => write.tenant == Member::Keep,
            Some(Own::Unit) => write.unit == Member::Keep,
        };
        let mut value = Vec::with_capacity(96);
        let (mut had, mut has) = (0usize, 0usize);
        let comma = |value: &mut Vec<u8>| {
            if !value.is_empty() {
                value.push(b',');
            }
        };
        for (key, member) in [(tenant, write.tenant), (UNIT_MEMBER.as_bytes(), write.unit)] {
            if let Member::Set(text) = member {
                comma(&mut value);
                self.encode(key, text, &mut value);
                has += 1;
            }
        }
        let own = has;
        for member in members() {
            had += 1;
            if stays(&member) {
                comma(&mut value);
                value.extend_from_slice(member);
                has += 1;
            }
        }
        let size: usize = lines.iter().map(|line| line.len() + 1).sum();
        let grown = (has > MAX_MEMBERS && has > had) || (value.len() > MAX_BYTES && value.len() > size);
        if !grown {
            (own > 0 || has < had).then_some(value)
        } else if has - own < had {
            let without = |member| if member == Member::Keep { Member::Keep } else { Member::Remove };
            self.rewrite(tenant, lines, Write { tenant: without(write.tenant), unit: without(write.unit) })
        } else {
            None
        }
    }

    /// Writes our members into the lines that are there. `changed`: they are not those of the request any more, so
    /// they are written whatever becomes of ours.
    pub fn write(
        &self,
        tenant: &[u8],
        lines: &[&[u8]],
        changed: bool,
        write: Write<'_>,
        edits: &mut Edits<'_>,
    ) {
        let value = match self.rewrite(tenant, lines, write) {
            Some(value) => value,
            None if changed => return self.put(lines, edits),
            None => return,
        };
        self.replace(value, edits);
    }

    /// Replaces its lines by these members.
    pub fn put(&self, members: &[&[u8]], edits: &mut Edits<'_>) {
        self.replace(members.join(&b","[..]), edits);
    }

    fn replace(&self, value: Vec<u8>, edits: &mut Edits<'_>) {
        match value.is_empty() {
            true => edits.remove(self.header.as_bytes()),
            false => edits.set(self.header.as_bytes(), value),
        }
    }
}

#[cfg(test)]
mod tests;

//! What is taken off a request where the mesh ends: everything of ours that outside callers send, and everything of ours that
//! would leave.
//!
//! It uses names alone, so it also works without a plan. Lists are judged in `lists`, names in [`crate::request::spelling`].

mod lists;

use crate::carriers::list::List;
use crate::carriers::{Shape, Write};
use crate::config;
use crate::edits::Edits;
use crate::names::{OWN_PREFIX, SUBSET_HEADER};
use crate::request::field::Lines;

use crate::request::spelling::{first_letter, same, starts};

/// The names of everything of ours, compiled.
#[derive(Clone, Debug)]
pub struct Sanitiser {
    tenant: Box<[u8]>,
    /// Each carrier, whether the plan uses it or not, and whether it does.
    shapes: Vec<(Shape, bool)>,
    /// Further headers that outside callers must not send.
    refused: Vec<Refused>,
    /// First letters of the shapes' names, in their order: a header is compared with those that begin with the same letter.
    begins: Vec<u32>,
    /// First letters of all these names: most headers of a request begin with none of them.
    letters: u32,
}

#[derive(Clone, Debug)]
struct Refused {
    name: Box<[u8]>,
    begin: u32,
    /// Does it go even where graylane only observes?
    always: bool,
}

/// Whose request it is, and how far its cleaning goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Inbound, from an outside caller.
    Entering,
    /// From an outside caller, where graylane only observes: what only graylane gives a meaning to, and what the file removes.
    Observed,
    /// One of the mesh that leaves it.
    Leaving,
}

/// What becomes of a header by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    Remove,
    /// The tenant header in its own spelling: the role decides.
    Tenant,
    /// The subset header in its own spelling.
    Subset,
    /// A list, by its place among the shapes.
    List(usize),
}

/// What was found on a walk over a request's headers.
#[derive(Debug)]
pub struct Found<'h> {
    /// Names that go, in the spelling that they came in.
    names: Vec<Vec<u8>>,
    lists: Vec<(usize, Lines<'h>)>,
    tenant: bool,
    subset: bool,
    /// Something stays that would go where graylane enforces.
    spared: bool,
}

impl Sanitiser {
    /// For a tenant header and the carriers that the configuration names.
    #[must_use]
    pub fn new(tenant: &str, named: &[config::Carrier]) -> Self {
        let shapes = Shape::every(tenant, named);
        let begins: Vec<u32> = shapes
            .iter()
            .map(|(shape, _)| match shape {
                Shape::Tenant(name) => first_letter(name),
                Shape::List(list) => first_letter(list.header.as_bytes()),
                Shape::Pair(pair) => first_letter(pair.tenant.as_bytes()),
            })
            .collect();
        let ours = first_letter(OWN_PREFIX.as_bytes()) | first_letter(tenant.as_bytes());
        Self {
            tenant: tenant.to_ascii_lowercase().into_bytes().into(),
            letters: begins.iter().fold(ours, |letters, begin| letters | begin),
            shapes,
            refused: Vec::new(),
            begins,
        }
    }

    /// From now on outside callers must not send this header either. `always`: even where graylane only observes.
    pub fn refuse(&mut self, name: &[u8], always: bool) {
        if !name.is_empty() {
            let begin = first_letter(name);
            self.letters |= begin;
            self.refused.push(Refused { name: name.into(), begin, always });
        }
    }

    fn judge(&self, name: &[u8], scope: Scope) -> Verdict {
        let begin = first_letter(name);
        if begin & self.letters == 0 {
            return Verdict::Keep;
        }
        if starts(name, OWN_PREFIX.as_bytes()) {
            return if name == SUBSET_HEADER.as_bytes() { Verdict::Subset } else { Verdict::Remove };
        }
        for (place, (shape, _)) in self.shapes.iter().enumerate() {
            if self.begins.get(place) != Some(&begin) {
                continue;
            }
            match shape {
                Shape::Tenant(tenant) if name == &**tenant => return Verdict::Tenant,
                Shape::Tenant(tenant) if same(name, tenant) => return Verdict::Remove,
                Shape::List(list) if name == list.header.as_bytes() => return Verdict::List(place),
                Shape::List(list) if same(name, list.header.as_bytes()) => return Verdict::Remove,
                Shape::Pair(pair) if pair.claims(name) => return Verdict::Remove,
                Shape::Tenant(_) | Shape::List(_) | Shape::Pair(_) => {}
            }
        }
        let refused = self.refused.iter().find(|refused| refused.begin == begin && same(name, &refused.name));
        match refused {
            Some(refused) if scope == Scope::Entering || (scope == Scope::Observed && refused.always) => {
                Verdict::Remove
            }
            _ => Verdict::Keep,
        }
    }

    /// Does this name carry a tenant, so that it stays where graylane only observes?
    fn is_spared(&self, name: &[u8]) -> bool {
        if starts(name, OWN_PREFIX.as_bytes()) || self.refused.iter().any(|refused| same(name, &refused.name))
        {
            return false;
        }
        let is_unit = |shape: &Shape| match shape {
            Shape::Tenant(_) | Shape::List(_) => false,
            Shape::Pair(pair) => same(name, pair.unit.as_bytes()),
        };
        !self.shapes.iter().any(|(shape, _)| is_unit(shape))
    }

    /// Walks over the headers of a request. Names are lower case, as Envoy has them.
    pub fn find<'h>(&self, scope: Scope, headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Found<'h> {
        let mut found =
            Found { names: Vec::new(), lists: Vec::new(), tenant: false, subset: false, spared: false };
        for (name, value) in headers {
            match self.judge(name, scope) {
                Verdict::Keep => {}
                Verdict::Tenant => found.tenant = true,
                Verdict::Subset => found.subset = true,
                Verdict::Remove if scope == Scope::Observed && self.is_spared(name) => found.spared = true,
                Verdict::Remove => {
                    if !found.names.iter().any(|known| known == name) {
                        found.names.push(name.to_vec());
                    }
                }
                Verdict::List(place) => match found.lists.iter_mut().find(|(is, _)| *is == place) {
                    Some((_, lines)) => lines.add(value),
                    None => {
                        let mut lines = Lines::default();
                        lines.add(value);
                        found.lists.push((place, lines));
                    }
                },
            }
        }
        found.spared |= scope == Scope::Observed && found.tenant;
        found
    }

    /// Takes off what was found, but for the tenant header and the subset header in their own spelling, and writes into
    /// each carrier that the plan uses. Says whether something stayed that would go where graylane enforces.
    pub fn clean<'p>(
        &'p self,
        scope: Scope,
        found: Found<'_>,
        write: Write<'_>,
        edits: &mut Edits<'p>,
    ) -> bool {
        let mut spared = found.spared;
        found.names.into_iter().for_each(|name| edits.remove(name));
        for (place, (shape, is_used)) in self.shapes.iter().enumerate() {
            let write = if *is_used { write } else { Write::default() };
            match shape {
                Shape::Tenant(_) => {}
                Shape::Pair(pair) => pair.write_if_set(write, edits),
                Shape::List(list) => {
                    let lines = found.lists.iter().find(|(is, _)| *is == place).map(|(_, lines)| lines);
                    spared |= self.clean_list(scope, *list, lines, write, edits);
                }
            }
        }
        spared
    }

    fn clean_list<'p>(
        &'p self,
        scope: Scope,
        list: List,
        lines: Option<&Lines<'_>>,
        write: Write<'_>,
        edits: &mut Edits<'p>,
    ) -> bool {
        let all = lines.map(Lines::all).unwrap_or_default();
        match scope {
            Scope::Leaving => list.write(&self.tenant, &all, false, write, edits),
            Scope::Entering => match lists::clean(list.grammar, &all, &self.tenant) {
                Some(kept) => list.write(&self.tenant, &kept, true, write, edits),
                None => list.write(&self.tenant, &all, false, write, edits),
            },
            Scope::Observed => {
                if let Some(kept) = lists::without_unit(list.grammar, &all) {
                    list.put(&kept, edits);
                }
                return lists::clean(list.grammar, &all, &self.tenant).is_some();
            }
        }
        false
    }

    /// What a gateway does that knows no tenant, and what a request loses that leaves the mesh: everything of ours goes.
    pub fn take_off<'h, 'p>(
        &'p self,
        scope: Scope,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Edits<'p> {
        let mut edits = Edits::default();
        let found = self.find(scope, headers);
        edits.remove_if(found.tenant && scope != Scope::Observed, &*self.tenant);
        edits.remove_if(found.subset, SUBSET_HEADER.as_bytes());
        self.clean(scope, found, Write::default(), &mut edits);
        edits
    }

    /// The trailers of an outside caller that are removed: applications that merge them into the headers would trust them.
    /// Lists go whole.
    #[must_use]
    pub fn trailers<'h>(
        &self,
        scope: Scope,
        trailers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Edits<'static> {
        let mut edits = Edits::default();
        for (name, _) in trailers {
            let spared = scope == Scope::Observed && self.is_spared(name);
            if self.judge(name, scope) != Verdict::Keep && !spared && edits.of(name).is_none() {
                edits.remove(name.to_vec());
            }
        }
        edits
    }
}

impl Found<'_> {
    /// Did the subset header come, in its own spelling?
    #[must_use]
    pub fn has_subset(&self) -> bool {
        self.subset
    }
}

#[cfg(test)]
mod tests;

//! One request with all that was found out about it so far: each thing is read or asked once, when it is first needed.

use std::cell::OnceCell;

use super::headers::Seen;
use crate::carriers::{AllSaid, Carriers};
use crate::edge::facts::Facts;
use crate::ids::{Ids, Kinds};
use crate::memory::{Marks, Recall};
use crate::tenants::Tenants;
use crate::world::World;

/// A request, handed from one step of a decision to the next.
pub struct Gathered<'r, W> {
    /// Its headers.
    pub seen: &'r Seen<'r>,
    /// What must be asked of the host.
    pub facts: Facts<'r, W>,
    tenants: &'r Tenants,
    carriers: &'r Carriers,
    kinds: &'r Kinds,
    said: OnceCell<AllSaid>,
    recall: Option<Recall>,
}

impl<'r, W: World> Gathered<'r, W> {
    /// Nothing is known yet but its headers.
    pub fn new(
        seen: &'r Seen<'r>,
        facts: Facts<'r, W>,
        tenants: &'r Tenants,
        carriers: &'r Carriers,
        kinds: &'r Kinds,
    ) -> Self {
        Self { seen, facts, tenants, carriers, kinds, said: OnceCell::new(), recall: None }
    }

    /// Its surroundings.
    pub fn world(&mut self) -> &mut W {
        self.facts.world
    }

    /// What its carriers say, beside the tenant header.
    pub fn said(&self) -> &AllSaid {
        self.said.get_or_init(|| self.carriers.read(self.tenants, self.seen))
    }

    /// Its ids.
    #[must_use]
    pub fn ids(&self) -> Ids<'r> {
        self.kinds.of(self.seen)
    }

    /// What the memory knows its ids by; none where it has no id. `named_only`: of the ids that the user named.
    pub fn marks(&mut self, named_only: bool) -> Option<Marks> {
        let ids = if named_only { self.kinds.named(self.seen) } else { self.kinds.of(self.seen) };
        (!ids.is_empty()).then(|| self.facts.world.marks(&ids))
    }

    /// What the memory holds under its ids, asked once at most.
    pub fn recall(&mut self) -> Recall {
        if let Some(recall) = self.recall {
            return recall;
        }
        let recall = self.marks(false).map_or(Recall::Unknown, |marks| self.facts.world.recall(&marks));
        self.recall = Some(recall);
        recall
    }
}

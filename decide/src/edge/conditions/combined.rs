//! `all`, `any` and `not`: conditions made of others.

use super::{Compiled, Condition};
use crate::edge::facts::{Facts, Properties};
use crate::request::headers::{Interest, Seen};
use crate::world::World;

/// Compiled.
#[derive(Clone, Debug)]
pub enum Combined {
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
    Not(Box<Compiled>),
}

fn each(list: &[Condition], interest: &mut Interest, properties: &mut Properties) -> Option<Vec<Compiled>> {
    list.iter().map(|one| one.compile(interest, properties)).collect()
}

impl Combined {
    pub fn all(list: &[Condition], interest: &mut Interest, properties: &mut Properties) -> Option<Self> {
        each(list, interest, properties).map(Self::All)
    }

    pub fn any(list: &[Condition], interest: &mut Interest, properties: &mut Properties) -> Option<Self> {
        each(list, interest, properties).map(Self::Any)
    }

    pub fn not(inner: &Condition, interest: &mut Interest, properties: &mut Properties) -> Option<Self> {
        inner.compile(interest, properties).map(|inner| Self::Not(Box::new(inner)))
    }

    pub fn holds<W: World>(&self, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> bool {
        match self {
            Self::All(list) => list.iter().all(|one| one.holds(seen, facts)),
            Self::Any(list) => list.iter().any(|one| one.holds(seen, facts)),
            Self::Not(inner) => !inner.holds(seen, facts),
        }
    }
}

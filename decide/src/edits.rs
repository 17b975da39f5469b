//! What changes in a request's headers: a list, in the order in which it is carried out.

use std::borrow::Cow;

/// What happens to all lines of one header name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'p> {
    /// They are replaced by this one.
    Set(Cow<'p, [u8]>),
    /// They go.
    Remove,
}

/// A header name and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit<'p> {
    /// Lower case, as Envoy has it.
    pub name: Cow<'p, [u8]>,
    /// What happens.
    pub change: Change<'p>,
}

/// All changes of one request; empty for a request that is right already, which then allocates nothing. Borrows the
/// plan at most, never the request: Envoy's headers move with the first edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits<'p>(Vec<Edit<'p>>);

impl<'p> Edits<'p> {
    /// Replaces all lines of a header by one.
    pub fn set(&mut self, name: impl Into<Cow<'p, [u8]>>, value: impl Into<Cow<'p, [u8]>>) {
        self.push(name.into(), Change::Set(value.into()));
    }

    /// Removes all lines of a header.
    pub fn remove(&mut self, name: impl Into<Cow<'p, [u8]>>) {
        self.push(name.into(), Change::Remove);
    }

    /// Removes all lines of a header, if there are any.
    pub fn remove_if(&mut self, present: bool, name: impl Into<Cow<'p, [u8]>>) {
        if present {
            self.remove(name);
        }
    }

    // Out of line: one copy for all callers, and none of them is on the everyday path.
    #[inline(never)]
    fn push(&mut self, name: Cow<'p, [u8]>, change: Change<'p>) {
        if self.0.is_empty() {
            self.0.reserve(4);
        }
        self.0.push(Edit { name, change });
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit<'p>> {
        self.0.iter()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What happens to a header; none: it stays as it is.
    #[must_use]
    pub fn of(&self, name: &[u8]) -> Option<&Change<'p>> {
        self.0.iter().rev().find(|edit| *edit.name == *name).map(|edit| &edit.change)
    }
}

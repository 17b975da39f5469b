//! `claim`: a claim of a token that was verified; of a list one element is enough.

use serde::Serialize;

use crate::edge::facts::{Facts, Properties, any_of};
use crate::edge::text::{Test, Text};
use crate::read::{Read, Reader, fields};
use crate::world::World;

/// A claim, and what it has to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The way to it: one name, or several for a claim in a claim.
    pub path: Vec<String>,
    /// What it, or one element of a list, has to be.
    pub is: Test,
}

fields!(Claim { path: "path", is: "is" });

/// Compiled: an index of [`Properties`], and the test.
#[derive(Clone, Debug)]
pub struct Compiled(usize, Text);

impl Compiled {
    pub fn new(claim: &Claim, properties: &mut Properties) -> Option<Self> {
        Some(Self(properties.claim(&claim.path), Text::new(&claim.is, false)?))
    }

    pub fn holds<W: World>(&self, facts: &mut Facts<'_, W>) -> bool {
        any_of(facts.claim(self.0), |value| self.1.matches(value))
    }
}

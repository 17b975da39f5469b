//! `certificate`: the identity in the client's certificate, its first URI SAN or its first DNS SAN.

use crate::edge::facts::{Facts, Properties};
use crate::edge::text::{Test, Text};
use crate::names;
use crate::world::World;

/// Compiled: indices of [`Properties`], and the test.
#[derive(Clone, Debug)]
pub struct Certificate([usize; 2], Text);

impl Certificate {
    pub fn new(test: &Test, properties: &mut Properties) -> Option<Self> {
        Some(Self(names::CERTIFICATE.map(|path| properties.ask(path)), Text::new(test, false)?))
    }

    pub fn holds<W: World>(&self, facts: &mut Facts<'_, W>) -> bool {
        let mut any = |test: &dyn Fn(&[u8]) -> bool| {
            self.0.iter().any(|san| facts.get(*san).is_some_and(|san| !san.is_empty() && test(san)))
        };
        match &self.1 {
            Text::Present(present) => any(&|_| true) == *present,
            text => any(&|san| text.fits(san)),
        }
    }
}

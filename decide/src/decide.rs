//! The dispatcher: which role's decision a request gets.

use crate::choice::destination::Addressee;
use crate::config::Role;
use crate::decision::Decision;
use crate::edge::facts::Facts;
use crate::edits::Edits;
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::request::headers::Seen;
use crate::roles::{gateway, inbound, leaving, outbound};
use crate::world::World;

impl Plan {
    /// Decides about one request. None: the request is exempt, and not counted.
    ///
    /// `headers` are all of the request's, names in lower case; they are walked once, and once more where the mesh ends.
    pub fn decide<'p, 'h, W: World>(
        &'p self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
        world: &mut W,
    ) -> Option<Decision<'p>> {
        if self.inert {
            return None;
        }
        let seen = Seen::walk(&self.interest, headers.clone());
        let facts = Facts::new(&self.properties, world);
        let mut request = Gathered::new(&seen, facts, &self.tenants, &self.carriers, &self.ids);
        if self.role != Role::Gateway && self.exempt.covers(&seen, request.world()) {
            return self.exempted(&mut request, headers);
        }
        let mut decision = match self.role {
            Role::Inbound => inbound::decide(self, &mut request),
            Role::Outbound | Role::Waypoint => outbound::decide(self, &mut request, headers),
            Role::Gateway => return Some(gateway::decide(self, &mut request, headers)),
        };
        if !self.enforces() {
            decision.edits = Edits::default();
        }
        Some(decision)
    }

    /// A path that is exempt from deciding is not exempt from leaving the mesh clean.
    fn exempted<'p, 'h, W: World>(
        &'p self,
        request: &mut Gathered<'_, W>,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Option<Decision<'p>> {
        let leaves = self.role == Role::Outbound
            && self.enforces()
            && outbound::place(self, request) == Addressee::Outside;
        if !leaves {
            return None;
        }
        Some(Decision { exempt: true, ..leaving::decide(self, request, headers) })
    }
}

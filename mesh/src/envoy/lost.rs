//! What a file says that Envoy alone cannot do.

use crate::adopt::weights;
use crate::mesh::Mesh;
use crate::resources::Lacking;

/// What was found so far. Each is an error: a route that lacks a condition would take requests that it is not for.
#[derive(Clone, Debug, Default)]
pub struct Lost(Vec<Lacking>);

impl Lost {
    /// Says one, once.
    pub(super) fn say(&mut self, path: &[&str], text: String, instead: &'static str) {
        let path = path.iter().map(|&step| step.to_owned()).collect();
        let one = Lacking { path, text, instead };
        if !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    /// All of them, in the order in which they were found.
    #[must_use]
    pub fn all(self) -> Vec<Lacking> {
        self.0
    }
}

/// What belongs to no single route.
pub(super) fn of_mesh(mesh: &Mesh, lost: &mut Lost) {
    for (service, _) in weights::services(mesh) {
        lost.say(
            &["services", &service.name, "rollout", "weights"],
            format!(
                "`weights: external` of `{}` patches routes that Istio makes, and here there are none",
                service.name
            ),
            "write the weights here",
        );
    }
}

//! What a change of the file does, for whoever reviews it: which users move, and which objects change. No cluster is asked: two
//! versions of the file are compared.
//!
//! | part | its subject |
//! |-|-|
//! | `shifts` | users of a tenant who get another version |
//! | `unread` | topics of a tenant that nobody consumes any more |
//! | `comment` | what is printed |

mod comment;
mod shifts;
mod unread;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::diff::{self, Change};
use crate::mesh::Mesh;
use crate::resources::{self, Options};

pub use comment::{markdown, text};
pub use shifts::Shift;
pub use unread::against as unread;

/// What stands for the address of the filter where none is given: the same before and after, so that it is no change.
const SOME_URL: &str = "oci://graylane";

/// A change, as its reviewers see it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Services and tenants of the file that are new, as in `service api`.
    pub added: Vec<String>,
    /// Services and tenants that are not in the file any more.
    pub removed: Vec<String>,
    /// Users who get another version, by service, route and tenant.
    pub shifts: Vec<Shift>,
    /// Objects that change, and in which fields.
    pub changes: Vec<Change>,
}

impl Review {
    /// Compares two versions of a file; without the first one, all of the second is new. `users` are counted with the keys
    /// `user-0`, `user-1` and so on.
    #[must_use]
    pub fn of(before: Option<&Mesh>, after: &Mesh, options: &Options, users: u64) -> Self {
        let names = |mesh: Option<&Mesh>| mesh.map(names).unwrap_or_default();
        let (was, is) = (names(before), names(Some(after)));
        Self {
            added: is.difference(&was).cloned().collect(),
            removed: was.difference(&is).cloned().collect(),
            shifts: before.map(|before| shifts::between(before, after, users)).unwrap_or_default(),
            changes: changes(before, after, options),
        }
    }

    /// How many objects change.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.changes.iter().map(|change| &change.resource).collect::<BTreeSet<_>>().len()
    }
}

fn names(mesh: &Mesh) -> BTreeSet<String> {
    let tenants = mesh.tenants.iter().map(|name| format!("tenant {name}"));
    let services = mesh.services.iter().map(|service| format!("service {}", service.name));
    let workers = mesh.workers.iter().map(|worker| format!("worker {}", worker.name));
    tenants.chain(services).chain(workers).collect()
}

fn changes(before: Option<&Mesh>, after: &Mesh, options: &Options) -> Vec<Change> {
    let mut options = options.clone();
    if !options.without_filter {
        options.url.get_or_insert_with(|| SOME_URL.to_owned());
    }
    let objects = |mesh: &Mesh| -> Vec<_> {
        resources::resources(mesh, &options).iter().map(resources::Resource::json).collect()
    };
    let was = before.map(objects).unwrap_or_default();
    // Objects of a mesh that has got another name are new; those of the name before are gone.
    let name = &before.unwrap_or(after).document.mesh.name;
    diff::compare(&was, &objects(after), name)
}

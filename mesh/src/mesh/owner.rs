//! Whose routes are whose, and whose pods have the filter.

use std::collections::BTreeSet;

use super::namespace;
use crate::document::model::{self, Document};

/// Are a service's routes external?
#[must_use]
pub fn is_external(mesh: &model::Mesh, service: &model::Service) -> bool {
    service.subsets.is_empty() || service.routing.unwrap_or(mesh.routing) == model::Routing::External
}

/// Are routes in the mesh external, so that a header that was not sent would change what they match?
#[must_use]
pub fn adopts(document: &Document) -> bool {
    document.services.is_empty()
        || document.services.values().any(|service| is_external(&document.mesh, service))
}

/// The namespaces whose pods have the filter, in byte order; the gateway's is another matter.
#[must_use]
pub fn namespaces(document: &Document) -> BTreeSet<&str> {
    let said = &document.mesh;
    let mut all: BTreeSet<&str> = said.namespaces.iter().map(String::as_str).collect();
    all.extend(document.services.values().map(|service| namespace(said, service)));
    if all.is_empty() {
        all.insert(&said.namespace);
    }
    all
}

//! The routes of a file, as the form that it asks for has them.

use super::{Resource, http_route, virtual_service};
use crate::mesh::Mesh;

/// All of them, and what they need besides.
pub fn all(mesh: &Mesh, without_filter: bool) -> Vec<Resource> {
    let (routes, needed) = made(mesh, without_filter);
    routes.into_iter().map(|(_, resource)| resource).chain(needed).collect()
}

/// Each with its host: a full name, or a public host.
pub fn of_hosts(mesh: &Mesh, without_filter: bool) -> Vec<(String, Resource)> {
    made(mesh, without_filter).0
}

fn made(mesh: &Mesh, without_filter: bool) -> (Vec<(String, Resource)>, Vec<Resource>) {
    if mesh.has_gateway_api() {
        http_route::all(mesh, without_filter)
    } else {
        (virtual_service::all(mesh, without_filter), Vec::new())
    }
}

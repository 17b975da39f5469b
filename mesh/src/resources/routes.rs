//! The routes of a file, as the form that it asks for has them.

use super::{Resource, http_route, virtual_service};
use crate::mesh::Mesh;

/// All of them, and what they need besides.
pub fn all(mesh: &Mesh, without_filter: bool) -> Vec<Resource> {
    let mut all: Vec<Resource> =
        of_hosts(mesh, without_filter).into_iter().map(|(_, resource)| resource).collect();
    if mesh.has_gateway_api() {
        all.extend(http_route::grants(mesh));
    }
    all
}

/// Each with its host: a full name, or a public host.
pub fn of_hosts(mesh: &Mesh, without_filter: bool) -> Vec<(String, Resource)> {
    if mesh.has_gateway_api() {
        http_route::all(mesh, without_filter)
    } else {
        virtual_service::all(mesh, without_filter)
    }
}

//! Full names of services.

use crate::document::model;

/// A service's namespace.
#[must_use]
pub fn namespace<'a>(mesh: &'a model::Mesh, service: &'a model::Service) -> &'a str {
    service.namespace.as_deref().unwrap_or(&mesh.namespace)
}

/// A service's full host name: short names are completed with its namespace.
#[must_use]
pub fn full_host(mesh: &model::Mesh, name: &str, service: &model::Service) -> String {
    completed(mesh, service.host.as_deref().unwrap_or(name), service)
}

/// A name of a host, completed with the service's namespace if it is short.
#[must_use]
pub fn completed(mesh: &model::Mesh, host: &str, service: &model::Service) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_suffix('.') {
        Some(host) => host.to_owned(),
        None if host.contains('.') => host,
        None => format!("{host}.{}.svc.{}", namespace(mesh, service), mesh.cluster_domain),
    }
}

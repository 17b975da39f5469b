//! Whether a proxy does what it decides, and what says so.

use graylane_decide::config::Mode;
use serde::Serialize;

use super::Line;
use crate::document::Project;
use crate::document::source::SourceFiles;
use crate::mesh::{Because, Mesh, Service};

/// The mode of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeOf {
    /// `enforce`, `observe` or `off`.
    pub mode: &'static str,
    /// The key of the file that says so.
    pub key: String,
    /// Where that is; none where it is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Line>,
}

impl ModeOf {
    /// Of the gateway, or of the sidecar of a service's pod; none: of some pod in the mesh's namespace. None where all of
    /// the mesh enforces.
    pub fn of(
        project: &Project,
        sources: &SourceFiles,
        mesh: &Mesh,
        service: Option<&Service>,
        is_gateway: bool,
    ) -> Option<Self> {
        if mesh.modes.is_empty() && [mesh.mode, mesh.gateway_mode] == [Mode::Enforce; 2] {
            return None;
        }
        let namespace = service.map_or(&*mesh.document.mesh.namespace, |service| &service.namespace);
        let (mode, because) = if is_gateway {
            let own = mesh.document.edge.mode.map(|_| Because::Edge);
            (mesh.gateway_mode, own.unwrap_or(Because::File))
        } else {
            mesh.pod_mode(namespace, service.map(Service::short_host))
        };
        let path = match (because, service) {
            (Because::Edge, _) => vec!["edge", "mode"],
            (Because::Namespace, _) => vec!["mesh", "modes", namespace],
            (Because::Service, Some(service)) => vec!["services", &service.name, "mode"],
            (Because::File | Because::Service, _) => vec!["mode"],
        };
        let at = project.span(&path);
        let at = at.map(|at| Line { file: sources.name(at.file).to_owned(), line: at.line });
        Some(Self { mode: mode.word(), key: path.join("."), at })
    }
}

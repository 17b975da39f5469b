//! Whether a proxy does what it decides, and what says so.

use graylane_decide::config::Mode;
use serde::Serialize;

use super::Line;
use crate::document::Project;
use crate::document::source::SourceFiles;
use crate::mesh::{Because, Ingress, Mesh, Service};

/// Where a proxy is.
#[derive(Clone, Copy)]
pub enum Where<'a> {
    /// At the edge.
    Gateway(&'a Ingress<'a>),
    /// In a service's pod; none: in some pod of the mesh's namespace.
    Pod(Option<&'a Service>),
    /// Before a service: no pod's label says what its mode is.
    Waypoint(&'a Service),
}

impl<'a> Where<'a> {
    /// The gateway that it is.
    pub fn gateway(self) -> Option<&'a Ingress<'a>> {
        match self {
            Self::Gateway(ingress) => Some(ingress),
            Self::Pod(_) | Self::Waypoint(_) => None,
        }
    }
}

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
    /// Of a proxy. None where all of the mesh enforces.
    pub fn of(project: &Project, sources: &SourceFiles, mesh: &Mesh, at: Where<'_>) -> Option<Self> {
        if mesh.modes.is_empty() && mesh.mode == Mode::Enforce && mesh.gateways_enforce() {
            return None;
        }
        let (namespace, service) = match at {
            Where::Gateway(_) | Where::Pod(None) => (&mesh.document.mesh.namespace, None),
            Where::Pod(Some(service)) => (&service.namespace, Some(service)),
            Where::Waypoint(service) => (&service.namespace, None),
        };
        let (mode, because) = match at {
            Where::Gateway(ingress) => {
                let own = ingress.own_mode.map(|_| Because::Edge);
                (ingress.mode, own.unwrap_or(Because::File))
            }
            Where::Pod(_) | Where::Waypoint(_) => mesh.pod_mode(namespace, service.map(Service::short_host)),
        };
        let path = match (because, service) {
            (Because::Edge, _) => at.gateway().map(Ingress::mode_path).unwrap_or_default(),
            (Because::Namespace, _) => vec!["mesh", "modes", namespace],
            (Because::Service, Some(service)) => vec!["services", &service.name, "mode"],
            (Because::File | Because::Service, _) => vec!["mode"],
        };
        let at = project.span(&path);
        let at = at.map(|at| Line { file: sources.name(at.file).to_owned(), line: at.line });
        Some(Self { mode: mode.word(), key: path.join("."), at })
    }
}

//! Which mode holds for which pods.

use std::collections::BTreeMap;

use graylane_decide::config::{Mode, PodMode};

use super::{full_host, namespace};
use crate::document::model::{self, Document};
use crate::workers::Worker;

/// What a mode was said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The file.
    File,
    /// The gateway.
    Edge,
    /// A namespace.
    Namespace,
    /// A service.
    Service,
}

/// The modes of pods, as the filter reads them: those of services first, each kind in byte order.
#[must_use]
pub fn modes(document: &Document) -> Vec<PodMode> {
    let services = document.services.iter().filter_map(|(name, service)| {
        let place = (namespace(&document.mesh, service), canonical(&document.mesh, name, service));
        Some((place, service.mode?))
    });
    let services: BTreeMap<(&str, String), Mode> = services.collect();
    let services = services.into_iter().map(|((namespace, service), mode)| PodMode {
        namespace: namespace.to_owned(),
        service,
        mode,
    });
    let namespaces = document.mesh.modes.iter().map(|(namespace, mode)| PodMode {
        namespace: namespace.clone(),
        service: String::new(),
        mode: *mode,
    });
    services.chain(namespaces).collect()
}

/// What the canonical label of a service's pods says: the first part of its host.
#[must_use]
pub fn canonical(mesh: &model::Mesh, name: &str, service: &model::Service) -> String {
    full_host(mesh, name, service).split('.').next().unwrap_or_default().to_owned()
}

impl super::Mesh {
    /// The mode of a service's pods, or of all others of a namespace, and what says so. A pod's own label says more.
    #[must_use]
    pub fn pod_mode(&self, namespace: &str, service: Option<&str>) -> (Mode, Because) {
        match PodMode::of(&self.modes, Some(namespace), service) {
            None => (self.mode, Because::File),
            Some(one) if one.service.is_empty() => (one.mode, Because::Namespace),
            Some(one) => (one.mode, Because::Service),
        }
    }

    /// Does each call of a worker get a unit of its own? Where nothing is to be changed, nothing is.
    #[must_use]
    pub fn gives_units(&self, worker: &Worker) -> bool {
        worker.alone && self.pod_mode(&worker.namespace, None).0 == Mode::Enforce
    }
}

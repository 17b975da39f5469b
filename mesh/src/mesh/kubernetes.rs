//! A service's Kubernetes Service, and the Services of its subsets.

use std::collections::BTreeMap;

use super::Service;
use crate::document::model::TargetPort;

/// The protocol of a port of which the file says nothing.
const PROTOCOL: &str = "http";

impl Service {
    /// The namespace of the Kubernetes Service that its host is: a full name may be of another one than its own.
    #[must_use]
    pub fn host_namespace(&self) -> &str {
        let within = self.host.split_once(".svc.").and_then(|(start, _)| start.split_once('.'));
        within.map_or(self.namespace.as_str(), |(_, namespace)| namespace)
    }

    /// The full name that the Service of a subset gets if one is rendered for it.
    #[must_use]
    pub fn service_of(&self, subset: &str) -> Option<String> {
        let labels = self.subsets.get(subset)?;
        let (short, rest) = self.host.split_once('.')?;
        (self.by_services && !labels.is_empty() && rest.contains(".svc."))
            .then(|| format!("{short}-{subset}.{rest}"))
    }

    /// The same, unless the version has a Service of its own: that of a subset for which one is rendered.
    #[must_use]
    pub fn rendered_service_of(&self, subset: &str) -> Option<String> {
        let version = self.version(subset).filter(|version| version.is_rendered)?;
        version.host.clone()
    }

    /// What its Kubernetes Service selects, as far as the file says it.
    #[must_use]
    pub fn selector(&self) -> BTreeMap<String, String> {
        let default = || BTreeMap::from([("app".to_owned(), self.short_host().to_owned())]);
        self.kubernetes.selector.clone().unwrap_or_else(default)
    }

    /// What the Service of a subset selects.
    #[must_use]
    pub fn selector_of(&self, subset: &str) -> BTreeMap<String, String> {
        let labels = self.subsets.get(subset).cloned().unwrap_or_default();
        self.selector().into_iter().chain(labels).collect()
    }

    /// The port of its pods that its port is.
    #[must_use]
    pub fn target_port(&self, port: u16) -> TargetPort {
        self.kubernetes.target_port.clone().unwrap_or(TargetPort::Number(port))
    }

    /// The protocol of its port.
    #[must_use]
    pub fn app_protocol(&self) -> &str {
        self.kubernetes.app_protocol.as_deref().unwrap_or(PROTOCOL)
    }

    /// Do its routes try again, which HTTPRoutes of the standard channel cannot?
    #[must_use]
    pub fn retries(&self) -> bool {
        let attempts =
            |http: &super::Fields| http.get("retries").and_then(|retries| retries.get("attempts")).is_some();
        self.all_routes().any(|route| attempts(&route.http))
    }
}

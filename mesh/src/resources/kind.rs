//! The kinds of resources that graylane writes.

use anyhow::{Context as _, Result};

/// What kind of resource; ordered as they are safely applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A tenant's topic of a worker.
    KafkaTopic,
    /// Which routes the API server refuses while an EnvoyFilter is there.
    ValidatingAdmissionPolicy,
    /// That it does.
    ValidatingAdmissionPolicyBinding,
    /// The pods of a subset, where routes are those of the Gateway API.
    Service,
    /// Subsets of a service.
    DestinationRule,
    /// A plugin, up to Istio 1.31 the usual way.
    WasmPlugin,
    /// A plugin, since Istio 1.30.
    TrafficExtension,
    /// Routes of a service or a public host.
    VirtualService,
    /// That routes at gateways may lead to Services of another namespace.
    ReferenceGrant,
    /// Routes of a service or a public host, in the Gateway API.
    HttpRoute,
    /// What is measured.
    Telemetry,
    /// Which tokens are verified.
    RequestAuthentication,
    /// What no Istio type can say: which trace headers a gateway takes off, by which header Envoy chooses among weights, and that
    /// each call of a batch is of a user of its own.
    EnvoyFilter,
    /// Alerts.
    PrometheusRule,
    /// Whom alerts call.
    AlertmanagerConfig,
    /// A dashboard.
    ConfigMap,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::KafkaTopic,
        Self::ValidatingAdmissionPolicy,
        Self::ValidatingAdmissionPolicyBinding,
        Self::Service,
        Self::DestinationRule,
        Self::WasmPlugin,
        Self::TrafficExtension,
        Self::VirtualService,
        Self::ReferenceGrant,
        Self::HttpRoute,
        Self::Telemetry,
        Self::RequestAuthentication,
        Self::EnvoyFilter,
        Self::PrometheusRule,
        Self::AlertmanagerConfig,
        Self::ConfigMap,
    ];

    /// By its name, in any case.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.with_context(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("--only: unknown kind `{name}`; expected some of {}", names.join(", "))
        })
    }

    /// Its name in Kubernetes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KafkaTopic => "KafkaTopic",
            Self::ValidatingAdmissionPolicy => "ValidatingAdmissionPolicy",
            Self::ValidatingAdmissionPolicyBinding => "ValidatingAdmissionPolicyBinding",
            Self::Service => "Service",
            Self::DestinationRule => "DestinationRule",
            Self::WasmPlugin => "WasmPlugin",
            Self::TrafficExtension => "TrafficExtension",
            Self::VirtualService => "VirtualService",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::HttpRoute => "HTTPRoute",
            Self::Telemetry => "Telemetry",
            Self::RequestAuthentication => "RequestAuthentication",
            Self::EnvoyFilter => "EnvoyFilter",
            Self::PrometheusRule => "PrometheusRule",
            Self::AlertmanagerConfig => "AlertmanagerConfig",
            Self::ConfigMap => "ConfigMap",
        }
    }

    /// Group and version of its API, as served since Istio 1.28, Strimzi 0.49, Prometheus Operator 0.59, Kubernetes 1.30 and the
    /// Gateway API 1.4.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::KafkaTopic => "kafka.strimzi.io/v1",
            Self::ValidatingAdmissionPolicy | Self::ValidatingAdmissionPolicyBinding => {
                "admissionregistration.k8s.io/v1"
            }
            Self::DestinationRule | Self::VirtualService => "networking.istio.io/v1",
            Self::WasmPlugin | Self::TrafficExtension => "extensions.istio.io/v1alpha1",
            Self::Telemetry => "telemetry.istio.io/v1",
            Self::RequestAuthentication => "security.istio.io/v1",
            Self::EnvoyFilter => "networking.istio.io/v1alpha3",
            Self::PrometheusRule => "monitoring.coreos.com/v1",
            Self::AlertmanagerConfig => "monitoring.coreos.com/v1alpha1",
            Self::Service | Self::ConfigMap => "v1",
            Self::ReferenceGrant => "gateway.networking.k8s.io/v1beta1",
            Self::HttpRoute => "gateway.networking.k8s.io/v1",
        }
    }
}

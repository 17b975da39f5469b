//! The kind of routes to write, and how a service's Kubernetes Service is defined.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The kind of routes to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteForm {
    /// VirtualServices, with the subsets of DestinationRules.
    #[default]
    VirtualService,
    /// HTTPRoutes of the Kubernetes Gateway API, with a Service for each subset.
    GatewayApi,
}

/// How the Kubernetes Service of a service is defined. The Services of its subsets (`mesh.routes: gateway-api`) get the same.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Kubernetes {
    /// Its `selector`; the labels of each subset are added. Default: the first part of its host, as in `app: api`.
    pub selector: Option<BTreeMap<String, String>>,
    /// The `targetPort` of its port: a number, or a name. Default: the number of `port`.
    pub target_port: Option<TargetPort>,
    /// The `appProtocol` of its port, as in `grpc`. Default: `http`.
    pub app_protocol: Option<String>,
}

/// The port of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(untagged)]
pub enum TargetPort {
    /// Its number.
    Number(#[schemars(range(min = 1, max = 65535))] u16),
    /// Its name.
    Name(String),
}

//! Who may choose a tenant, where the outside comes in.

use std::collections::BTreeMap;

use graylane_decide::config::{Accept, Mode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::sticky::Key;
use crate::conditions::Condition;

/// Who may choose a tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Edge {
    /// The file says `none`.
    #[serde(skip)]
    pub none: bool,
    /// The ingress gateway.
    pub gateway: Option<Gateway>,
    /// Instead of `gateway`: several ingress gateways, by name. Each has its own `accept`, `rules` and `jwt`, which are then
    /// not allowed beside it; `remove` beside it is added to each gateway's, `mode` and `traceContext` are the default of each.
    pub gateways: Option<BTreeMap<String, OneOfSeveral>>,
    /// Mode of the gateway: `enforce`, or `observe`, which removes `x-graylane-*`, units and `remove` all the same, and leaves
    /// the tenant header to callers outside. Default: `mode` of the file, and `observe` where that is `off`.
    pub mode: Option<Mode>,
    /// Whether callers outside the mesh can send the tenant header: `never` removes it, `always` accepts it.
    pub accept: Accept,
    /// Rules that give callers a tenant; the first that matches applies.
    pub rules: Vec<Rule>,
    /// Your own headers that callers outside must not send, as in `x-user-role`; they are removed. Do not list headers that
    /// a RequestAuthentication writes claims to: Envoy already removes a client's own, so this would remove the verified
    /// ones.
    pub remove: Vec<String>,
    /// Tokens that Istio verifies.
    pub jwt: Option<Jwt>,
    /// Lane tokens: what a service of the mesh puts into a callback's URL, so that the callback gets tenant and unit of the user
    /// whom it is about. Default: the gateway reads none.
    pub tokens: Option<Tokens>,
    /// Trace ids that callers outside send: `keep` continues their traces, `restart` removes the ids before the gateway's
    /// own tracing reads them, so that a caller cannot join another user's trace. Default: `restart` where no caller
    /// outside is trusted (`accept: never`, and no rule with `trusted: true`), else `keep`.
    pub trace_context: Option<TraceContext>,
}

/// Lane tokens, which services make and gateways verify.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The variables of the gateway's environment that have the keys, each of at least 32 characters. `graylane token` signs with the
    /// first; two while one replaces the other.
    pub keys: Vec<String>,
}

/// What happens to trace ids of callers outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceContext {
    /// The gateway goes on with them.
    Keep,
    /// The gateway begins a trace of its own.
    Restart,
}

/// Label with the Gateway of the Gateway API that a pod was made for
/// (istio/pilot/pkg/config/kube/gateway/deploymentcontroller.go).
pub const GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

impl Gateway {
    /// A Gateway of the Gateway API: its pods are in its namespace, and those that Istio makes for it have its name as a label.
    fn in_gateway_api(&mut self) {
        let Some((namespace, name)) = self.name.as_deref().and_then(|name| name.split_once('/')) else {
            return;
        };
        namespace.clone_into(&mut self.namespace);
        if self.selector.is_empty() {
            self.selector.insert(GATEWAY_LABEL.to_owned(), name.to_owned());
        }
    }

    /// The Gateway that its pods are made for; policies name it instead of labels.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.selector.get(GATEWAY_LABEL).map(String::as_str)
    }
}

impl Edge {
    /// Its gateways are those of the Gateway API.
    pub(super) fn in_gateway_api(&mut self) {
        let several = self.gateways.iter_mut().flatten().map(|(_, one)| &mut one.gateway);
        self.gateway.iter_mut().chain(several).for_each(Gateway::in_gateway_api);
    }

    /// The variables with the keys of lane tokens, at each gateway.
    #[must_use]
    pub fn token_keys(&self) -> &[String] {
        self.tokens.as_ref().map_or(&[], |tokens| &tokens.keys)
    }
}

/// The ingress gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Labels of its pods. Default with `mesh.routes: gateway-api`: `gateway.networking.k8s.io/gateway-name`, with its name.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// Namespace of its pods, where its plugin goes. With `mesh.routes: gateway-api` it is always that of the Gateway.
    #[serde(default = "default_gateway_namespace")]
    pub namespace: String,
    /// The Gateway resource that routes are bound to, as in `istio-ingress/public`.
    pub name: Option<String>,
}

/// One of several ingress gateways, and who may choose a tenant there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct OneOfSeveral {
    /// The gateway.
    #[serde(flatten)]
    pub gateway: Gateway,
    /// Its mode. Default: `edge.mode`.
    pub mode: Option<Mode>,
    /// Whether its callers can send the tenant header: `never` removes it, `always` accepts it.
    #[serde(default)]
    pub accept: Accept,
    /// Rules that give its callers a tenant; the first that matches applies.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Headers that its callers must not send, in addition to `edge.remove`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Tokens that Istio verifies there.
    pub jwt: Option<Jwt>,
    /// Where to find a user's key there, instead of `sticky.keys`.
    pub keys: Option<Vec<Key>>,
    /// Trace ids that its callers send: `keep` or `restart`. Default: `edge.traceContext`; without it `restart` where no caller of
    /// this gateway is trusted, else `keep`.
    pub trace_context: Option<TraceContext>,
}

fn default_gateway_namespace() -> String {
    "istio-system".to_owned()
}

/// A rule: a condition, and what it gives a caller: a tenant, or the right to choose one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Rule {
    /// The tenant that a caller gets.
    pub tenant: Option<String>,
    /// Instead of `tenant`: the tenants that a caller may name in the tenant header. The rule matches if the caller names
    /// one of them.
    #[serde(default)]
    pub may_choose: Vec<String>,
    /// `true`: confirms that a rule may rely on a header, cookie or query parameter, which any caller can forge.
    #[serde(default)]
    pub trusted: bool,
    /// What has to hold.
    #[serde(flatten)]
    pub when: Condition,
}

/// Tokens that Istio verifies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Jwt {
    /// `true`: render a RequestAuthentication. Default: use the existing one.
    #[serde(default)]
    pub render: bool,
    /// Issuer of the tokens. Claims of other issuers' tokens are ignored.
    pub issuer: String,
    /// URL of the issuer's keys. Default: from the issuer's OpenID configuration.
    pub jwks_uri: Option<String>,
}

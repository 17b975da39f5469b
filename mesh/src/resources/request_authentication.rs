//! RequestAuthentication: which tokens Istio verifies at the gateway, where no other resource does.

use serde_json::json;

use super::{Kind, Resource, Stage};
use crate::mesh::{Fields, Mesh};

/// One for the gateway, if the file asks for it.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let edge = &mesh.document.edge;
    let (Some(gateway), Some(jwt)) = (&edge.gateway, edge.jwt.as_ref().filter(|jwt| jwt.render)) else {
        return Vec::new();
    };
    // Without `forwardOriginalToken` Istio takes the token away from the services behind.
    let mut rule = json!({"issuer": jwt.issuer, "forwardOriginalToken": true});
    if let Some(keys) = &jwt.jwks_uri {
        rule["jwksUri"] = json!(keys);
    }
    let mut spec = Fields::from_iter([("jwtRules".to_owned(), json!([rule]))]);
    if !gateway.selector.is_empty() {
        spec.insert("selector".to_owned(), json!({"matchLabels": gateway.selector}));
    }
    let spec = super::Spec::Fields(spec);
    vec![Resource::new(
        mesh,
        Kind::RequestAuthentication,
        Stage::Gateway,
        &gateway.namespace,
        "gateway",
        spec,
    )]
}

//! RequestAuthentication: which tokens Istio verifies at the gateway, where no other resource does.

use serde_json::json;

use super::{Kind, Resource, Stage, attached};
use crate::document::model::{Gateway, Jwt};
use crate::mesh::{Fields, Ingress, Mesh};

/// One for each gateway, if the file asks for it there.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let asked = mesh.gateways().filter_map(|(ingress, gateway)| {
        let jwt = ingress.jwt.filter(|jwt| jwt.render)?;
        Some(resource(mesh, &ingress, gateway, jwt))
    });
    asked.collect()
}

fn resource(mesh: &Mesh, ingress: &Ingress<'_>, gateway: &Gateway, jwt: &Jwt) -> Resource {
    // Without `forwardOriginalToken` Istio takes the token away from the services behind.
    let mut rule = json!({"issuer": jwt.issuer, "forwardOriginalToken": true});
    if let Some(keys) = &jwt.jwks_uri {
        rule["jwksUri"] = json!(keys);
    }
    let mut spec = Fields::from_iter([("jwtRules".to_owned(), json!([rule]))]);
    spec.extend(attached::policy(gateway));
    let spec = super::Spec::Fields(spec);
    let (kind, namespace) = (Kind::RequestAuthentication, &gateway.namespace);
    Resource::new(mesh, kind, Stage::Gateway, namespace, &ingress.resource(), spec)
}

//! The edge.

use graylane_decide::config::Accept;

use super::Checker;
use crate::dns::{is_dns_label, is_label_key};
use crate::document::model::{Gateway, RouteForm};
use crate::mesh::{self, Ingress};
use crate::words::is_token;

/// The namespace whose plugins Istio gives to the pods of all namespaces.
pub(super) const ROOT: &str = "istio-system";

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    removed(checker, &document.edge.remove, &["edge", "remove"]);
    for (name, one) in document.edge.gateways.iter().flatten() {
        removed(checker, &one.remove, &["edge", "gateways", name, "remove"]);
    }
    for ingress in mesh::ingresses(document) {
        if ingress.accept == Accept::Always {
            let rules = ingress.path(&["rules"]).join(".");
            checker
                .warning(&ingress.path(&["accept"]), "`always`: any caller outside can choose a tenant")
                .help(format!("write `{rules}` for callers who may choose, and `accept: never`"));
        }
        jwt(checker, &ingress);
        if let Some(own) = ingress.gateway {
            gateway(checker, &ingress, own);
        }
    }
}

fn removed(checker: &mut Checker<'_>, names: &[String], path: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        if !is_token(name) || ["host", "cookie", "authorization"].contains(&&*name.to_ascii_lowercase()) {
            checker
                .error(
                    &[path, &[&index.to_string()]].concat(),
                    format!("`{name}` cannot be removed from every request"),
                )
                .help("write a header that only your own services set, as in `x-user-role`");
        }
    }
}

fn gateway(checker: &mut Checker<'_>, ingress: &Ingress<'_>, gateway: &Gateway) {
    let document = checker.document();
    checker.check_dns_label("a namespace", &gateway.namespace, &ingress.place(&["namespace"]));
    for (key, value) in &gateway.selector {
        if !is_label_key(key) || !graylane_decide::naming::is_name(value) {
            checker
                .error_at_key(
                    &ingress.place(&["selector", key]),
                    format!("invalid pod label `{key}: {value}`"),
                )
                .help("write a label of the gateway's pods, as in `istio: ingressgateway`");
        }
    }
    if let Some(name) = &gateway.name
        && !name.split('/').all(is_dns_label)
    {
        checker
            .error(&ingress.place(&["name"]), format!("invalid Gateway `{name}`"))
            .help("write `<namespace>/<name>` of the Gateway resource, as in `istio-ingress/public`");
    }
    if document.mesh.routes == RouteForm::GatewayApi
        && gateway.name.as_deref().is_none_or(|name| !name.contains('/'))
    {
        let path = ingress.place(&[]);
        let said = gateway
            .name
            .as_ref()
            .map_or_else(|| "has no `name`".to_owned(), |name| format!("has the `name` `{name}`"));
        checker
            .error_at_key(
                &path,
                format!(
                    "`{}` {said}: expected namespace and name of a Gateway of the Gateway API",
                    path.join(".")
                ),
            )
            .help("write `name: istio-ingress/public`");
        return;
    }
    let shared = mesh::namespaces(document).contains(gateway.namespace.as_str());
    if gateway.selector.is_empty() && (shared || gateway.namespace == ROOT) {
        let why = if shared {
            "sidecars of this namespace would take the gateway's plugin too"
        } else {
            "a plugin without a selector in the root namespace goes to every proxy of the mesh"
        };
        let path = ingress.place(&[]);
        checker
            .error_at_key(&path, format!("`{}` has no `selector`: {why}", path.join(".")))
            .help("add the labels of the gateway's pods, as in `selector: {istio: ingressgateway}`");
    }
}

/// A URL that a proxy or the control plane is to ask.
fn url(checker: &mut Checker<'_>, path: &[&str], url: &str) {
    if url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) {
        return;
    }
    if url.starts_with("http://") {
        checker
            .warning(
                path,
                format!(
                    "`{url}`: anyone on the network path can replace the keys, and then choose any tenant"
                ),
            )
            .help("write `https://`, unless the connection is protected otherwise");
    } else {
        checker
            .error(path, format!("invalid URL `{url}`"))
            .help("write the full URL, as in `https://id.example/keys`");
    }
}

fn jwt(checker: &mut Checker<'_>, ingress: &Ingress<'_>) {
    let Some(jwt) = ingress.jwt else { return };
    if jwt.issuer.trim().is_empty() {
        checker
            .error(&ingress.path(&["jwt", "issuer"]), "the issuer is empty")
            .help("write the tokens' claim `iss`, as in `https://id.example`");
    }
    if let Some(keys) = &jwt.jwks_uri {
        url(checker, &ingress.path(&["jwt", "jwksUri"]), keys);
    }
    if !jwt.render {
        return;
    }
    let path = ingress.path(&["jwt", "render"]);
    if ingress.gateway.is_none() {
        checker
            .error(&path, "a RequestAuthentication applies to a gateway, and the file names none")
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
        return;
    }
    checker
        .warning(
            &path,
            format!("every other bearer token on that gateway will get 401: those that `{}` did not issue, and opaque ones", jwt.issuer),
        )
        .help("write `render: false` if there is a RequestAuthentication already, and add this issuer to it");
}

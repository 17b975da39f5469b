//! The edge.

use graylane_decide::config::Accept;

use super::Checker;
use super::names::{is_dns_label, is_label_key};
use crate::mesh;
use crate::words::is_token;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    if document.edge.accept == Accept::Always {
        checker
            .warning(&["edge", "accept"], "`always`: any caller outside can choose a tenant")
            .help("write `edge.rules` for callers who may choose, and `accept: never`");
    }
    jwt(checker);
    for (index, name) in document.edge.remove.iter().enumerate() {
        if !is_token(name) || ["host", "cookie", "authorization"].contains(&&*name.to_ascii_lowercase()) {
            checker
                .error(
                    &["edge", "remove", &index.to_string()],
                    format!("`{name}` cannot be removed from every request"),
                )
                .help("write a header that only your own services set, as in `x-user-role`");
        }
    }
    let Some(gateway) = &document.edge.gateway else { return };
    checker.check_dns_label("a namespace", &gateway.namespace, &["edge", "gateway", "namespace"]);
    for (key, value) in &gateway.selector {
        if !is_label_key(key) || !graylane_decide::naming::is_name(value) {
            checker
                .error_at_key(
                    &["edge", "gateway", "selector", key],
                    format!("invalid pod label `{key}: {value}`"),
                )
                .help("write a label of the gateway's pods, as in `istio: ingressgateway`");
        }
    }
    if let Some(name) = &gateway.name
        && !name.split('/').all(is_dns_label)
    {
        checker
            .error(&["edge", "gateway", "name"], format!("invalid Gateway `{name}`"))
            .help("write `<namespace>/<name>` of the Gateway resource, as in `istio-ingress/public`");
    }
    let shared = mesh::namespaces(document).contains(gateway.namespace.as_str());
    if gateway.selector.is_empty() && (shared || gateway.namespace == "istio-system") {
        let why = if shared {
            "sidecars of this namespace would take the gateway's plugin too"
        } else {
            "a plugin without a selector in the root namespace goes to every proxy of the mesh"
        };
        checker
            .error_at_key(&["edge", "gateway"], format!("`edge.gateway` has no `selector`: {why}"))
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

fn jwt(checker: &mut Checker<'_>) {
    let edge = &checker.document().edge;
    let Some(jwt) = &edge.jwt else { return };
    if jwt.issuer.trim().is_empty() {
        checker
            .error(&["edge", "jwt", "issuer"], "the issuer is empty")
            .help("write the tokens' claim `iss`, as in `https://id.example`");
    }
    if let Some(keys) = &jwt.jwks_uri {
        url(checker, &["edge", "jwt", "jwksUri"], keys);
    }
    if !jwt.render {
        return;
    }
    let path = ["edge", "jwt", "render"];
    if edge.gateway.is_none() {
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

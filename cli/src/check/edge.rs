//! The edge.

use graylane_decide::config::Accept;

use super::names::{is_dns_label, is_label_key};
use super::{Checker, instead};
use crate::mesh;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    if document.edge.accept == Accept::Always {
        checker
            .warning(&["edge", "accept"], "`always`: anybody outside can choose a tenant")
            .help("write rules that say who may, and `accept: never`");
    }
    for (index, rule) in document.edge.rules.iter().enumerate() {
        if !document.tenants.contains_key(&rule.tenant) {
            let path = ["edge", "rules", &index.to_string(), "tenant"];
            checker
                .error(&path, format!("`{}` is no tenant", rule.tenant))
                .help(instead(&rule.tenant, document.tenants.keys().map(String::as_str)));
        }
    }
    let Some(gateway) = &document.edge.gateway else { return };
    checker.check_dns_label("a namespace", &gateway.namespace, &["edge", "gateway", "namespace"]);
    for (key, value) in &gateway.selector {
        if !is_label_key(key) || !graylane_decide::plan::is_name(value) {
            checker
                .error_at_key(
                    &["edge", "gateway", "selector", key],
                    format!("`{key}: {value}` is no label of a pod"),
                )
                .help("write a label of the gateway's pods, as in `istio: ingressgateway`");
        }
    }
    if let Some(name) = &gateway.name
        && !name.split('/').all(is_dns_label)
    {
        checker
            .error(&["edge", "gateway", "name"], format!("`{name}` names no Gateway"))
            .help("write `<namespace>/<name>` of the Gateway resource, as in `istio-ingress/public`");
    }
    let shared = document
        .services
        .values()
        .any(|service| mesh::namespace(&document.mesh, service) == gateway.namespace);
    if gateway.selector.is_empty() && (shared || gateway.namespace == "istio-system") {
        let why = if shared {
            "sidecars of this namespace would take the gateway's plugin too"
        } else {
            "a plugin without selector in the root namespace goes to every proxy of the mesh"
        };
        checker
            .error_at_key(&["edge", "gateway"], format!("`edge.gateway` has no `selector`: {why}"))
            .help("add the labels of the gateway's pods, as in `selector: {istio: ingressgateway}`");
    }
}

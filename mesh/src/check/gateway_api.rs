//! Routes of the Gateway API: what they cannot express, and what their settings are not for.

use crate::document::Checked;
use crate::document::finding::Findings;
use crate::document::model::{Kubernetes, RouteForm};
use crate::gateway_api::lost;
use crate::mesh::{Mesh, gateways};

/// Of a file in which nothing else is wrong.
pub fn check(file: &Checked, findings: &mut Findings) {
    if file.document.mesh.routes == RouteForm::GatewayApi {
        for one in lost(&Mesh::of(file)) {
            let path: Vec<&str> = one.path.iter().map(String::as_str).collect();
            findings.error(file.key(&path), one.text.clone()).help(one.instead);
        }
        for (ingress, gateway) in gateways(&file.document) {
            let path = ingress.place(&["namespace"]);
            let said = file.tree.at(&path).and_then(|node| node.text());
            if said.is_some_and(|said| said != gateway.namespace) {
                let text = format!(
                    "the pods of a Gateway of the Gateway API are in its namespace, `{}`",
                    gateway.namespace
                );
                findings.error(file.span(&path), text).help("remove it, or correct `name`");
            }
        }
        return;
    }
    for name in
        file.document.services.iter().filter(|(_, service)| said(&service.kubernetes)).map(|(name, _)| name)
    {
        let text = format!("`kubernetes` of `{name}` has no effect with VirtualServices");
        findings
            .warning(file.key(&["services", name, "kubernetes"]), text)
            .help("write `routes: gateway-api` under `mesh`, or remove it");
    }
}

fn said(kubernetes: &Kubernetes) -> bool {
    kubernetes.selector.is_some() || kubernetes.target_port.is_some() || kubernetes.app_protocol.is_some()
}

//! Modes of namespaces, services and the gateway.

use std::collections::BTreeMap;

use graylane_decide::config::{Accept, Mode};

use super::{Checker, instead};
use crate::mesh::{self, Ingress};

pub fn check(checker: &mut Checker<'_>) {
    namespaces(checker);
    services(checker);
    gateways(checker);
}

fn namespaces(checker: &mut Checker<'_>) {
    let document = checker.document();
    let known = mesh::namespaces(document);
    for name in document.mesh.modes.keys().filter(|name| !known.contains(name.as_str())) {
        checker
            .error_at_key(
                &["mesh", "modes", name],
                format!("unknown namespace `{name}`: its pods have no filter"),
            )
            .help(format!("{}; or add it to `mesh.namespaces`", instead(name, known.iter().copied())));
    }
}

fn services(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut said: BTreeMap<(&str, String), (&str, Mode)> = BTreeMap::new();
    for (name, service) in &document.services {
        let Some(mode) = service.mode else { continue };
        let path = ["services", name, "mode"];
        let namespace = mesh::namespace(&document.mesh, service);
        let host = mesh::full_host(&document.mesh, name, service);
        if !host.ends_with(&format!(".{namespace}.svc.{}", document.mesh.cluster_domain)) {
            checker
                .error(&path, format!("`{name}` has no pods in `{namespace}`: its host is `{host}`"))
                .help("remove `mode`: it applies to the service's own pods");
            continue;
        }
        let pods = (namespace, mesh::canonical(&document.mesh, name, service));
        match said.get(&pods) {
            Some((other, different)) if *different != mode => {
                checker
                    .error(
                        &path,
                        format!(
                            "`{}`, but `{other}` has the same pods and `{}`",
                            mode.word(),
                            different.word()
                        ),
                    )
                    .help("write the same mode at both");
            }
            _ => {
                said.insert(pods, (name, mode));
            }
        }
    }
}

fn gateways(checker: &mut Checker<'_>) {
    let document = checker.document();
    if document.edge.mode.is_some() && !mesh::has_gateway(document) {
        checker
            .error(&["edge", "mode"], "a mode of the gateway, and none is named")
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
        return;
    }
    let mut off: Vec<Vec<&str>> = Vec::new();
    for ingress in mesh::ingresses(document) {
        let path = ingress.mode_path();
        if ingress.own_mode != Some(Mode::Off) {
            gateway(checker, &ingress, &path);
        } else if !off.contains(&path) {
            checker
                .error(
                    &path,
                    "a gateway cannot be `off`: callers outside could send headers of graylane's own",
                )
                .help("write `observe`, which removes those and nothing else, or `enforce`");
            off.push(path);
        }
    }
}

/// A tenant header from outside that a gateway lets in is restored wherever it is lost and the mode is enforce.
fn gateway(checker: &mut Checker<'_>, ingress: &Ingress<'_>, own: &[&str]) {
    let document = checker.document();
    let observes = ingress.gateway.is_some() && ingress.mode != Mode::Enforce;
    if !observes || ingress.accept == Accept::Always {
        return;
    }
    let enforced = document.services.iter().find(|(_, service)| service.mode == Some(Mode::Enforce));
    let enforced = enforced.map(|(name, _)| vec!["services", name, "mode"]).or_else(|| {
        let (name, _) = document.mesh.modes.iter().find(|(_, mode)| **mode == Mode::Enforce)?;
        Some(vec!["mesh", "modes", name])
    });
    let enforced = enforced.or_else(|| (document.mode == Mode::Enforce).then(|| own.to_vec()));
    let Some(path) = enforced else { return };
    let message = format!(
        "{} observes and lets `{}` of callers outside in, which is restored where the mode is `enforce`",
        ingress.title(),
        document.header
    );
    if ingress.own_mode.is_some() {
        checker.warning(&path, message).help("write `edge: {mode: enforce}` before pods enforce");
    } else {
        checker.error(&path, message).help(
            "add `mode: enforce` to `edge`, and let it run before pods enforce; or `mode: observe` there if that is intended",
        );
    }
}

//! The kill switch: what `graylane off` applies, so that plain Istio routes again.
//!
//! Nothing is deleted: routes lose the rules that only the filter makes sense of, and the sidecars' plugins select no pod, which
//! takes the filter out of every proxy. A later `render` puts both back. The gateway's plugin is not touched, so
//! that callers outside still cannot pick a tenant (docs/decisions/09-plugins.md). A waypoint's plugin selects no pods in the first
//! place, so its module is replaced by what lets everything pass. Pods with the native module are reached
//! as well: the EnvoyFilters replace the filter that istiod makes of a plugin, and without one there is nothing to replace.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::{Options, Resource, plugin, routes};
use crate::mesh::{Mesh, Service};

/// What is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All sidecars, and all routes.
    Mesh,
    /// The sidecars of a namespace, and the routes of its services.
    Namespace(String),
    /// The routes of a service: callers' sidecars keep the filter, but it no longer decides about this service.
    Service(String),
}

impl Scope {
    /// Is this service in it?
    #[must_use]
    pub fn has(&self, service: &Service) -> bool {
        match self {
            Self::Mesh => true,
            Self::Namespace(name) => service.namespace == *name,
            Self::Service(name) => service.name == *name,
        }
    }
}

/// What to apply, in this order.
///
/// # Errors
/// When the file has nothing of that scope.
pub fn off(mesh: &Mesh, options: &Options, scope: &Scope) -> Result<Vec<Resource>> {
    let services: Vec<&Service> = mesh.services.iter().filter(|service| scope.has(service)).collect();
    let mut plugins = plugin::switched_off(mesh, options);
    plugins.retain(|plugin| match scope {
        Scope::Mesh => true,
        Scope::Namespace(name) => plugin.metadata.namespace == *name,
        Scope::Service(_) => false,
    });
    match scope {
        Scope::Namespace(name) if services.is_empty() && plugins.is_empty() => {
            bail!("unknown namespace `{name}`: the file has nothing in it")
        }
        Scope::Service(name) if services.is_empty() => bail!("unknown service `{name}`"),
        _ => {}
    }
    let public = services.iter().flat_map(|service| &service.expose.hosts);
    let mut hosts: BTreeSet<&str> = public.map(String::as_str).collect();
    hosts.extend(services.iter().map(|service| service.host.as_str()));

    // Routes first: without a filter that checks it, a choice must not count.
    let routes = routes::of_hosts(mesh, true).into_iter().filter(|(host, _)| hosts.contains(host.as_str()));
    let mut all: Vec<Resource> = routes.map(|(_, resource)| resource).collect();
    all.extend(plugins);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::document;
    use crate::resources::{DataPlane, Extension};

    const FILE: &str = "version: 1
mesh: {name: m, namespace: a}
tenants: {green: {default: true}, gray: {}}
edge: {gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}, accept: never}
services:
  api: {port: 80, expose: {hosts: [api.example]}, subsets: {v1: {version: v1}, v2: {version: v2}}, baseline: v1, pins: {gray: v2}}
  web: {port: 80, namespace: b, subsets: {v1: {version: v1}, v2: {version: v2}}, baseline: v1, pins: {gray: v2}}
";

    fn mesh() -> Mesh {
        let loaded = document::load_text("graylane.yaml", FILE).unwrap();
        Mesh::of(&crate::check::open(loaded).checked().unwrap())
    }

    fn of(scope: &Scope, options: &Options) -> Vec<(String, Json)> {
        let all = off(&mesh(), options, scope).unwrap();
        all.iter()
            .map(|resource| {
                let metadata = &resource.metadata;
                (
                    format!("{} {}/{}", resource.kind().name(), metadata.namespace, metadata.name),
                    resource.json(),
                )
            })
            .collect()
    }

    fn names(all: &[(String, Json)]) -> Vec<&str> {
        all.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn routes_go_first_then_outbound_then_inbound_and_the_gateway_stays() {
        let all = of(&Scope::Mesh, &Options::default());
        let plugins: Vec<&str> =
            names(&all).into_iter().filter(|name| name.starts_with("WasmPlugin")).collect();
        assert_eq!(
            plugins,
            [
                "WasmPlugin a/m-outbound",
                "WasmPlugin b/m-outbound",
                "WasmPlugin a/m-inbound",
                "WasmPlugin b/m-inbound"
            ]
        );
        let last_route = all.iter().rposition(|(name, _)| name.starts_with("VirtualService")).unwrap();
        let first_plugin = all.iter().position(|(name, _)| name.starts_with("WasmPlugin")).unwrap();
        assert!(last_route < first_plugin);
        assert_eq!(last_route, 2, "{:?}", names(&all));
    }

    #[test]
    fn routes_have_no_rule_of_the_filter_and_plugins_no_pod() {
        for extension in [Extension::WasmPlugin, Extension::TrafficExtension] {
            for (name, json) in of(&Scope::Mesh, &Options { extension, ..Options::default() }) {
                if name.starts_with("VirtualService") {
                    assert!(!json.to_string().contains("x-graylane-subset\":{\"exact"), "{json}");
                    assert!(json.to_string().contains("pin-gray"), "tenants still go by header: {json}");
                } else {
                    assert_eq!(json["spec"]["selector"]["matchLabels"][plugin::OFF], "true", "{json}");
                }
            }
        }
    }

    #[test]
    fn a_waypoints_plugin_stays_before_its_services_and_does_nothing() {
        let ambient = Options { data_plane: DataPlane::Ambient, ..Options::default() };
        let all = of(&Scope::Mesh, &ambient);
        let on = plugin::all(&mesh(), &ambient, "oci://registry.example/graylane@sha256:0");
        for (name, json) in all.iter().filter(|(name, _)| name.starts_with("WasmPlugin")) {
            assert!(name.ends_with("/m-waypoint"), "{name}");
            let before = on.iter().map(Resource::json).find(|on| on["metadata"] == json["metadata"]).unwrap();
            assert_eq!(json["spec"]["targetRefs"], before["spec"]["targetRefs"]);
            assert!(json["spec"].get("selector").is_none());
            assert!(json["spec"]["url"].as_str().unwrap().contains("GRAYLANE-IS-OFF"), "{json}");
        }
        assert_eq!(
            names(&of(&Scope::Namespace("b".to_owned()), &ambient)),
            ["VirtualService b/m-web", "WasmPlugin b/m-waypoint"]
        );
    }

    #[test]
    fn the_native_module_is_only_where_a_plugin_is() {
        let mesh = mesh();
        let off: Vec<String> =
            off(&mesh, &Options::default(), &Scope::Mesh).unwrap().iter().map(name_of_plugin).collect();
        let mut replaced = 0;
        for filter in crate::resources::native::all(&mesh, "/file") {
            let json = filter.json();
            for patch in json["spec"]["configPatches"].as_array().unwrap() {
                if patch["applyTo"] == "EXTENSION_CONFIG" {
                    continue;
                }
                let beside = &patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
                let beside = beside.as_str().expect("the filter of a plugin");
                let operation = patch["patch"]["operation"].as_str().unwrap();
                assert!(["REPLACE", "INSERT_BEFORE"].contains(&operation), "{patch}");
                replaced += usize::from(off.iter().any(|name| beside.contains(name)));
            }
        }
        assert_eq!(
            replaced,
            4 * 3,
            "each plugin that is switched off, under each name that istiod gives its filter"
        );
    }

    /// As it is in the name of its filter.
    fn name_of_plugin(resource: &Resource) -> String {
        format!("/{}.{}", resource.metadata.namespace, resource.metadata.name)
    }

    #[test]
    fn a_namespace_and_a_service_are_switched_off_alone() {
        let all = of(&Scope::Namespace("b".to_owned()), &Options::default());
        assert_eq!(
            names(&all),
            ["VirtualService b/m-web", "WasmPlugin b/m-outbound", "WasmPlugin b/m-inbound"]
        );
        let all = of(&Scope::Service("api".to_owned()), &Options::default());
        assert_eq!(all.len(), 2, "its own host and its public one: {:?}", names(&all));
        assert!(names(&all).iter().all(|name| name.starts_with("VirtualService")));
    }

    #[test]
    fn a_file_without_services_has_plugins_to_switch_off() {
        let file = "version: 1\nmesh: {name: m, namespace: a, namespaces: [a, b]}\ntenants: {green: {default: true}}\nedge: none\n";
        let loaded = document::load_text("graylane.yaml", file).unwrap();
        let mesh = Mesh::of(&crate::check::open(loaded).checked().unwrap());
        let count = |scope| off(&mesh, &Options::default(), &scope).unwrap().len();
        assert_eq!((count(Scope::Mesh), count(Scope::Namespace("b".to_owned()))), (4, 2));
    }

    #[test]
    fn what_is_not_in_the_file_is_an_error() {
        let said = |scope| off(&mesh(), &Options::default(), &scope).unwrap_err().to_string();
        assert_eq!(said(Scope::Service("wbe".to_owned())), "unknown service `wbe`");
        assert_eq!(
            said(Scope::Namespace("c".to_owned())),
            "unknown namespace `c`: the file has nothing in it"
        );
    }
}

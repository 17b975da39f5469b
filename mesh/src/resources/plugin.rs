//! The plugins: one for each role in each namespace, as WasmPlugin or TrafficExtension.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::Config;
use graylane_decide::{Role, names};
use serde::Serialize;

use super::{Body, DataPlane, Extension, Kind, Options, Resource, Spec, Stage};
use crate::gateway_api::GROUP;
use crate::lower::{self, Configurations};
use crate::mesh::{Ingress, Mesh};

/// Most targets of one plugin (istio/api extensions/v1alpha1/wasm.proto).
const MAX_TARGETS: usize = 16;

/// Label that a pod would need to get a plugin that is switched off: none has it.
pub const OFF: &str = "graylane.dev/off";
/// Where a plugin that is switched off is, which no request uses. No image can have this name (capital letters), so the proxy's agent
/// fetches nothing: it gives Envoy a filter that lets everything pass (istio pkg/wasm/convert.go). A file that is not there would
/// be refused by Envoy, and Envoys do see this: istiod sends a plugin's configuration by name, whatever the selector says
/// (pilot/pkg/networking/core/extension_config_builder.go), as long as a listener that drains still asks for it. A plugin that
/// is switched on again within that time would then find the file that is not there, and its listener be rejected.
const NOWHERE: &str = "oci://GRAYLANE-IS-OFF";

/// Label of an object that istiod of this revision reads and no other does (istio pkg/config/model.go, `LabelsInRevision`).
pub const REVISION: &str = "istio.io/rev";

/// First of our phase: other plugins see what we made of a request.
const PRIORITY: i32 = 100;

#[derive(Clone, Debug, Serialize)]
pub struct WasmPlugin {
    #[serde(flatten)]
    place: Attachment,
    #[serde(flatten)]
    module: ModuleFields,
}

#[derive(Clone, Debug, Serialize)]
pub struct TrafficExtension {
    #[serde(flatten)]
    place: Attachment,
    wasm: ModuleFields,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<Selector>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    target_refs: Vec<TargetRef>,
    phase: &'static str,
    priority: i32,
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    matches: Vec<Match>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleFields {
    url: String,
    image_pull_policy: &'static str,
    plugin_name: &'static str,
    fail_strategy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vm_config: Option<VmConfig>,
    plugin_config: Config,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
struct TargetRef {
    kind: &'static str,
    group: &'static str,
    name: String,
}

impl TargetRef {
    /// A Gateway of the Gateway API.
    fn gateway(name: &str) -> Self {
        Self { kind: "Gateway", group: GROUP, name: name.to_owned() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Match {
    mode: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct VmConfig {
    env: Vec<Variable>,
}

/// A variable of a plugin's environment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; none: the proxy's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `HOST`: it is the one of the proxy's environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<&'static str>,
}

impl Variable {
    fn inline(name: &str, value: String) -> Self {
        Self { name: name.to_owned(), value: Some(value), value_from: None }
    }
}

/// All of them.
pub fn all(mesh: &Mesh, options: &Options, url: &str) -> Vec<Resource> {
    let mut all = Vec::new();
    let told = Configurations::of(mesh);
    let next = |namespace: &str| {
        let next = options.next.as_ref().filter(|next| next.takes(namespace));
        next.map_or(url, |next| &next.url)
    };
    for namespace in mesh.namespaces() {
        let url = next(namespace);
        match options.data_plane {
            DataPlane::Sidecar => {
                for role in [Role::Inbound, Role::Outbound] {
                    let place = place(role, None, Vec::new());
                    let module = module(url, role, told.within(role, namespace));
                    all.push(resource(mesh, options, namespace, role.name(), (place, module)));
                }
            }
            DataPlane::Ambient => all.extend(waypoints(mesh, options, url, (namespace, &told))),
        }
    }
    for (ingress, gateway) in mesh.gateways() {
        let target = gateway.target().map(TargetRef::gateway);
        let selector = (!gateway.selector.is_empty() && target.is_none())
            .then(|| Selector { match_labels: gateway.selector.clone() });
        let url = options.gateway_url.as_deref().unwrap_or_else(|| next(&gateway.namespace));
        let module = ModuleFields {
            // A gateway must never stop to strip (docs/decisions/09-plugins.md).
            fail_strategy: "FAIL_RELOAD",
            vm_config: Some(VmConfig { env: environment(mesh, &ingress) }),
            ..module(url, Role::Gateway, told.gateway(&ingress))
        };
        let place = place(Role::Gateway, selector, target.into_iter().collect());
        all.push(resource(mesh, options, &gateway.namespace, &ingress.resource(), (place, module)));
    }
    all
}

/// The plugins of sidecars or waypoints, switched off: a sidecar's selects no pod, so no proxy has it; a waypoint's, which cannot choose
/// pods, is the filter that lets everything pass. The gateway's is not among them.
pub fn switched_off(mesh: &Mesh, options: &Options) -> Vec<Resource> {
    let mut all = all(mesh, options, NOWHERE);
    all.retain(|plugin| plugin.stage == Stage::Plugins);
    let selector = (options.data_plane == DataPlane::Sidecar)
        .then(|| Selector { match_labels: [(OFF.to_owned(), "true".to_owned())].into() });
    for plugin in &mut all {
        let place = match &mut plugin.body {
            Body::Spec(Spec::WasmPlugin(plugin)) => &mut plugin.place,
            Body::Spec(Spec::TrafficExtension(plugin)) => &mut plugin.place,
            _ => continue,
        };
        place.selector.clone_from(&selector);
    }
    // Outbound first: it is the one that changes routes.
    all.sort_by_key(|plugin| !plugin.metadata.name.ends_with(Role::Outbound.name()));
    all
}

/// The plugins of a namespace's waypoints. They ignore selectors, so each names the services that it stands before.
fn waypoints(
    mesh: &Mesh,
    options: &Options,
    url: &str,
    (namespace, told): (&str, &Configurations<'_>),
) -> Vec<Resource> {
    let end = format!(".{namespace}.svc.{}", mesh.document.mesh.cluster_domain);
    let own = mesh.services.iter().filter(|service| service.namespace == namespace);
    let names: BTreeSet<&str> = own.filter_map(|service| service.host.strip_suffix(&end)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let chunks: Vec<&[&str]> = names.chunks(MAX_TARGETS).collect();
    chunks
        .into_iter()
        .enumerate()
        .map(|(index, names)| {
            let target = |name: &&str| TargetRef { kind: "Service", group: "", name: (*name).to_owned() };
            let role = Role::Waypoint;
            let place = place(role, None, names.iter().map(target).collect());
            // The first keeps its name when there are more, so that nothing stays behind that stands before the same services.
            let name = match index {
                0 => role.name().to_owned(),
                index => format!("{}-{}", role.name(), index + 1),
            };
            let module = module(url, role, told.within(role, namespace));
            resource(mesh, options, namespace, &name, (place, module))
        })
        .collect()
}

fn place(role: Role, selector: Option<Selector>, target_refs: Vec<TargetRef>) -> Attachment {
    let mode = match role {
        Role::Inbound => Some("SERVER"),
        Role::Outbound | Role::Gateway => Some("CLIENT"),
        // In a waypoint CLIENT never fits, and its listener counts as a server's.
        Role::Waypoint => None,
    };
    Attachment {
        selector,
        target_refs,
        // The gateway's before authorization, so that policies see no forged header; sidecars' behind it, so that
        // nothing is remembered or counted that is turned away.
        phase: if role == Role::Gateway { "AUTHZ" } else { "STATS" },
        priority: PRIORITY,
        matches: mode.map(|mode| Match { mode }).into_iter().collect(),
    }
}

/// What a gateway has to know without a plan: it travels outside of the configuration.
pub fn without_plan(mesh: &Mesh, ingress: &Ingress<'_>) -> Vec<Variable> {
    let mut variables = vec![Variable::inline(names::HEADER_ENV, mesh.header.clone())];
    let removed = lower::removed_at_the_edge(mesh, ingress);
    if !removed.is_empty() {
        variables.push(Variable::inline(names::REMOVE_ENV, removed.join(",")));
    }
    variables
}

/// That, and the keys of the hash and of tokens, which stand in no object: Envoy passes on what the gateway's pod has.
#[must_use]
pub fn environment(mesh: &Mesh, ingress: &Ingress<'_>) -> Vec<Variable> {
    let keys = mesh.document.sticky.hash_keys.values().chain(mesh.document.edge.token_keys());
    let keys = keys.map(|env| Variable { name: env.clone(), value: None, value_from: Some("HOST") });
    without_plan(mesh, ingress).into_iter().chain(keys).collect()
}

/// What runs, as a sidecar or a waypoint runs it: plain Istio is a good second best.
fn module(url: &str, role: Role, config: Config) -> ModuleFields {
    ModuleFields {
        url: url.to_owned(),
        image_pull_policy: "IfNotPresent",
        plugin_name: role.name(),
        fail_strategy: "FAIL_OPEN",
        vm_config: None,
        plugin_config: config,
    }
}

fn resource(
    mesh: &Mesh,
    options: &Options,
    namespace: &str,
    name: &str,
    (place, module): (Attachment, ModuleFields),
) -> Resource {
    let is_gateway = module.plugin_config.role == Role::Gateway;
    let stage = if is_gateway { Stage::Gateway } else { Stage::Plugins };
    let mut plugin = match options.extension {
        Extension::WasmPlugin => {
            let spec = Spec::WasmPlugin(Box::new(WasmPlugin { place, module }));
            Resource::new(mesh, Kind::WasmPlugin, stage, namespace, name, spec)
        }
        Extension::TrafficExtension => {
            let spec = Spec::TrafficExtension(Box::new(TrafficExtension { place, wasm: module }));
            Resource::new(mesh, Kind::TrafficExtension, stage, namespace, name, spec)
        }
    };
    let revision = options.istio_revision.iter().map(|revision| (REVISION.into(), revision.clone()));
    plugin.metadata.labels.extend(revision);
    plugin
}

//! EnvoyFilters that put the native module in the place of the filter in WebAssembly, plugin by plugin.
//!
//! Each replaces the filter that Istio made of a plugin, so that there is always exactly one of the two, in one place of the
//! chain: where the selector, the proxy's version or the plugin's name do not fit, the plugin stays. istiod patches what it
//! has built (`patchHTTPFilters` in istio/pilot/pkg/networking/core/envoyfilter/listener_patch.go), so it does not matter
//! which of the two objects it learns of first. The module's configuration is discovered by itself (ECDS), as a plugin's
//! is: a change of it ends no call.

use graylane_decide::Role;
use graylane_decide::config::Config;
use serde_json::{Value as Json, json};

use super::plugin::Variable;
use super::replace::{self, FILTERS};
use super::{Kind, Resource, Stage};
use crate::lower::Configurations;
use crate::mesh::{Fields, Mesh};
use crate::native;
use crate::serialise;

/// Label of pods that have the module's file.
pub const LABEL: &str = "graylane.dev/native";

/// Versions of proxies that the module was tried in: Istio 1.31 has Envoy 1.39, whose ABI the module is written for. A
/// newer proxy keeps the plugin.
pub const PROXIES: &str = r"^1\.31[.-].*";

/// One beside each plugin.
pub fn all(mesh: &Mesh, file: &str) -> Vec<Resource> {
    let mut all = Vec::new();
    let told = Configurations::of(mesh);
    for namespace in mesh.namespaces() {
        all.extend([Role::Inbound, Role::Outbound].map(|role| {
            let labels = Fields::from_iter([label()]);
            let filter = Filter {
                role,
                name: role.name().to_owned(),
                environment: Vec::new(),
                config: told.within(role, namespace),
            };
            resource(mesh, file, namespace, &labels, &filter)
        }));
    }
    for (ingress, gateway) in mesh.gateways() {
        let own = gateway.selector.iter().map(|(name, value)| (name.clone(), json!(value)));
        let labels = own.chain([label()]).collect();
        let filter = Filter {
            role: Role::Gateway,
            name: ingress.resource(),
            environment: super::plugin::without_plan(mesh, &ingress),
            config: told.gateway(&ingress),
        };
        all.push(resource(mesh, file, &gateway.namespace, &labels, &filter));
    }
    all
}

fn label() -> (String, Json) {
    (LABEL.to_owned(), json!("true"))
}

/// The filter that takes a plugin's place.
struct Filter {
    role: Role,
    /// What the plugin is called, after the mesh.
    name: String,
    environment: Vec<Variable>,
    config: Config,
}

fn resource(mesh: &Mesh, file: &str, namespace: &str, labels: &Fields, filter: &Filter) -> Resource {
    let role = filter.role;
    let is_gateway = role == Role::Gateway;
    let name = format!("{namespace}.{}", super::resource_name(mesh, &filter.name));
    let own = format!("graylane.native/{name}");
    let text = serialise::json_text(&filter.config);
    // A condition or a sticky key of that name.
    let reads_claims = is_gateway && text.contains(r#""claim":"#);
    let mut patches = vec![configuration(file, filter, (&name, &own), &text)];
    for (before, behind) in FILTERS {
        let plugin = format!("{before}{name}{behind}");
        if reads_claims {
            let claims = json!({"name": format!("{own}.claims"), "typed_config": native::claims()});
            patches.push(replace::patch(role, &plugin, "INSERT_BEFORE", Some(PROXIES), &claims));
        }
        let ours = replace::discovered(&own, &[native::FILTER]);
        patches.push(replace::patch(role, &plugin, "REPLACE", Some(PROXIES), &ours));
    }
    let spec = Fields::from_iter([
        ("workloadSelector".to_owned(), json!({"labels": labels})),
        ("configPatches".to_owned(), json!(patches)),
    ]);
    let stage = if is_gateway { Stage::Gateway } else { Stage::Plugins };
    let name = format!("native-{}", filter.name);
    Resource::new(mesh, Kind::EnvoyFilter, stage, namespace, &name, super::Spec::Fields(spec))
}

/// The module's configuration, under a name by which a filter asks for it.
fn configuration(file: &str, own_filter: &Filter, (plugin, own): (&str, &str), text: &str) -> Json {
    let role = own_filter.role;
    let environment: Vec<(&str, &str)> = own_filter
        .environment
        .iter()
        .filter_map(|variable| Some((&*variable.name, variable.value.as_deref()?)))
        .collect();
    let filter = native::filter(file, &format!("{}/{plugin}", role.name()), &environment, text);
    replace::configuration(role, own, Some(PROXIES), &filter)
}

//! What no value of the chart changes.

use std::collections::BTreeMap;

use graylane_decide::Role;
use graylane_decide::config::End;
use graylane_decide::names::SUBSET_HEADER;
use graylane_mesh::{native, serialise};
use serde_json::{Map, Value as Json, json};

use super::blocks;
use crate::document::model::Outside;
use crate::lower;
use crate::mesh::{Ingress, Mesh, Service};
use crate::resources::{self, Kind, Options};
use crate::routes::{self, HostRoutes};

/// All of it.
#[must_use]
pub fn data(mesh: &Mesh, options: &Options) -> Json {
    let shown = blocks::exposed(mesh, options.without_filter);
    let services: Map<String, Json> = mesh
        .services
        .iter()
        .map(|one| {
            (
                one.name.clone(),
                service(one, mesh, shown.get(one.name.as_str()).map_or(&[][..], Vec::as_slice)),
            )
        })
        .collect();
    let ingresses = mesh.ingresses();
    let roles = Role::ALL.iter().flat_map(|role| {
        let several = if *role == Role::Gateway { &ingresses[..] } else { &ingresses[..1] };
        several.iter().map(|ingress| of_role(mesh, *role, ingress))
    });
    json!({
        "mesh": mesh.document.mesh.name,
        "header": mesh.header,
        "subsetHeader": SUBSET_HEADER,
        "tenants": mesh.tenants,
        "withoutFilter": options.without_filter,
        "services": services,
        "filterServices": filter_services(mesh),
        "gatewayHosts": gateway_hosts(mesh),
        "roles": roles.collect::<Vec<_>>(),
        "resources": resources_of(mesh, options),
        "exposed": resources::host_frame(mesh),
    })
}

/// The configuration of a role; of several gateways each has the name by which its plugin refers to it.
fn of_role(mesh: &Mesh, role: Role, ingress: &Ingress<'_>) -> Json {
    let mut json = json!({
        "config": lower::without_choices(mesh, role, ingress),
        "sticky": lower::sticky_of(mesh, role, ingress, Vec::new()),
        "knowsDestinations": role != Role::Inbound,
    });
    // What participants are is worked out by the chart.
    json["sticky"].as_object_mut().map(|sticky| sticky.remove("tenants"));
    if role == Role::Gateway && ingress.name.is_some() {
        json["name"] = json!(ingress.resource());
    }
    json
}

/// The name by which a plugin's configuration is found: its role's, or that of one of several gateways.
fn configuration_of(mesh: &Mesh, resource: &resources::Resource, role: &Json) -> Json {
    if role != Role::Gateway.name() {
        return role.clone();
    }
    let names = mesh.ingresses().into_iter().map(|ingress| ingress.resource());
    let is_own = |name: &String| {
        [name.clone(), format!("native-{name}")]
            .iter()
            .any(|name| resources::resource_name(mesh, name) == resource.metadata.name)
    };
    names.into_iter().find(is_own).map_or_else(|| role.clone(), Json::from)
}

fn service(service: &Service, mesh: &Mesh, exposed: &[Json]) -> Json {
    let written = &mesh.document.services[&service.name];
    let weights = written.rollout.iter().flat_map(|rollout| &rollout.weights);
    let top =
        weights.filter(|(_, share)| share.from() == End::Top).map(|(name, _)| (name.clone(), json!("top")));
    let salt = written.rollout.as_ref().and_then(|rollout| rollout.salt.clone());
    json!({
        "host": service.host,
        "baseline": service.baseline,
        "subsets": service.subsets.keys().collect::<Vec<_>>(),
        "fallsBack": service.falls_back,
        "salt": salt.unwrap_or_else(|| service.host.clone()),
        "from": top.collect::<Map<_, _>>(),
        "routes": own_choices(service, mesh),
        "exposed": exposed,
        "names": service.names.hosts,
    })
}

/// By route: its baseline, and what it says itself of pins and rollout; what it does not say is as values say it.
fn own_choices(service: &Service, mesh: &Mesh) -> Map<String, Json> {
    let written = &mesh.document.services[&service.name];
    let inside = written.routes.iter().cloned();
    let outside = written.expose.iter().flat_map(|expose| &expose.routes).map(Outside::as_route);
    let written = inside.map(Some).chain([None]).chain(outside.map(Some));
    let own = |(written, is): (Option<crate::document::model::Route>, &crate::mesh::Route)| {
        let written = written?;
        let mut own = Map::from_iter([("baseline".to_owned(), json!(is.baseline))]);
        let alone = written.stands_alone();
        if alone || written.pins.is_some() {
            own.insert("pins".to_owned(), json!(is.pins));
        }
        if alone || written.rollout.is_some() {
            own.insert("rollout".to_owned(), json!(is.rollout.as_ref().map(lower::rollout)));
        }
        Some((is.name.clone().unwrap_or_default(), Json::from(own)))
    };
    written.zip(service.all_routes()).filter_map(own).collect()
}

/// Further hosts by which gateways know a service, by its name.
fn gateway_hosts(mesh: &Mesh) -> Map<String, Json> {
    let services = lower::at_gateway(mesh).into_iter().filter(|service| !service.hosts.is_empty());
    services.map(|service| (service.name, service.hosts.into())).collect()
}

/// Services as the filter reads them, without pins and rollouts. By route: nothing where values choose, else all of it.
fn filter_services(mesh: &Mesh) -> Vec<Json> {
    let mut services = Vec::new();
    for (service, is) in lower::services(mesh).iter().zip(&mesh.services) {
        let mut json = serialise::json(service);
        let mut routes = Vec::new();
        for (route, is_route) in
            service.routes.iter().zip(is.all_routes().filter(|route| route.name.is_some()))
        {
            let fixed = is_route.baseline != is.baseline;
            routes.push(if fixed {
                serialise::json(route)
            } else {
                json!({"name": route.name, "chosen": true})
            });
        }
        if let Some(fields) = json.as_object_mut() {
            fields.remove("pins");
            fields.remove("rollout");
            fields.insert("routes".to_owned(), routes.into());
        }
        services.push(json);
    }
    services
}

/// The resources, and for those that values change, what the chart needs to make the rest.
fn resources_of(mesh: &Mesh, options: &Options) -> Vec<Json> {
    let inside = routes::inside(mesh);
    let inside: BTreeMap<&str, &HostRoutes<'_>> =
        inside.iter().map(|host| (host.host.as_str(), host)).collect();
    let rules = resources::destination_rules_for_chart(mesh);
    let mut rules: BTreeMap<String, resources::Resource> = rules
        .into_iter()
        .map(|rule| (rule.metadata.namespace.clone() + "/" + &rule.metadata.name, rule))
        .collect();
    let mut all = Vec::new();
    for resource in resources::resources(mesh, options) {
        let mut entry = Map::new();
        let mut object = resource.json();
        match resource.kind() {
            // Those of public hosts the chart makes itself, for the hosts that its values name.
            Kind::VirtualService => {
                let host = object["spec"]["hosts"][0].as_str().unwrap_or_default();
                let at_gateways = object["spec"].get("gateways").is_some();
                let (Some(host), false) = (inside.get(host), at_gateways) else { continue };
                let own: Vec<Json> =
                    host.blocks.iter().map(|one| blocks::block(mesh, one, options.without_filter)).collect();
                object["spec"]["http"] = json!([]);
                entry.insert("blocks".to_owned(), own.into());
            }
            Kind::DestinationRule => {
                let title = resource.metadata.namespace.clone() + "/" + &resource.metadata.name;
                if let Some(rule) = rules.remove(&title) {
                    object = rule.json();
                }
                entry.extend(fallbacks(mesh, &object));
            }
            Kind::WasmPlugin | Kind::TrafficExtension => {
                let wasm = object["spec"].get("wasm").is_some();
                let module = if wasm { &mut object["spec"]["wasm"] } else { &mut object["spec"] };
                let role = configuration_of(mesh, &resource, &module["pluginConfig"]["role"]);
                entry.insert("role".to_owned(), role);
                module["pluginConfig"] = json!({});
            }
            Kind::EnvoyFilter => {
                const FILTER: &str = "/spec/configPatches/0/patch/value/typed_config";
                // Of the native module: its configuration is worked out by the chart too.
                if let Some(filter) =
                    object.pointer_mut(FILTER).filter(|filter| filter["@type"] == native::FILTER)
                {
                    let role = filter["filter_name"].as_str().and_then(|name| name.split('/').next());
                    let role = configuration_of(mesh, &resource, &json!(role));
                    entry.insert("native".to_owned(), role);
                    filter["filter_config"]["value"] = json!("");
                }
            }
            _ => {}
        }
        entry.insert("object".to_owned(), object);
        all.push(entry.into());
    }
    all
}

/// Which subsets of a DestinationRule are made only if somebody is pinned to a canary.
fn fallbacks(mesh: &Mesh, object: &Json) -> Option<(String, Json)> {
    let host = object["spec"]["host"].as_str().unwrap_or_default();
    let fallbacks = resources::host_fallbacks(mesh, host);
    (!fallbacks.is_empty()).then(|| ("fallbacks".to_owned(), json!(fallbacks)))
}

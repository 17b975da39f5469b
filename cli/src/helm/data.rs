//! What no value of the chart changes.

use anyhow::Result;
use graylane_decide::Role;
use graylane_decide::config::End;
use graylane_decide::names::SUBSET_HEADER;
use serde_json::{Map, Value as Json, json};

use crate::lower;
use crate::mesh::{Mesh, Service};
use crate::resources::{self, Kind, Options};

/// All of it.
///
/// # Errors
/// Never in practice: all of it is text, numbers, lists and maps.
pub fn data(mesh: &Mesh, options: &Options) -> Result<Json> {
    let services: Map<String, Json> =
        mesh.services.iter().map(|one| (one.name.clone(), service(mesh, one, options))).collect();
    let roles = Role::ALL.map(|role| {
        json!({
            "config": lower::without_choices(mesh, role),
            "sticky": lower::sticky_of(mesh, role, Vec::new()),
            "knowsDestinations": role != Role::Inbound,
        })
    });
    let roles = roles.into_iter().map(|mut role| {
        // What participants are is worked out by the chart.
        role["sticky"].as_object_mut().map(|sticky| sticky.remove("tenants"));
        role
    });
    Ok(json!({
        "mesh": mesh.document.mesh.name,
        "header": mesh.header,
        "subsetHeader": SUBSET_HEADER,
        "tenants": mesh.tenants,
        "withoutFilter": options.without_filter,
        "services": services,
        "filterServices": filter_services(mesh)?,
        "roles": roles.collect::<Vec<_>>(),
        "resources": resources_of(mesh, options)?,
        "exposed": resources::exposed_frame(mesh)?,
    }))
}

fn service(mesh: &Mesh, service: &Service, options: &Options) -> Json {
    let written = &mesh.document.services[&service.name];
    let weights = written.rollout.iter().flat_map(|rollout| &rollout.weights);
    let top =
        weights.filter(|(_, share)| share.from() == End::Top).map(|(name, _)| (name.clone(), json!("top")));
    let own = |(route, is): (&crate::document::model::Route, &crate::mesh::Route)| {
        let mut choices = Map::new();
        if route.pins.is_some() {
            choices.insert("pins".to_owned(), json!(is.pins));
        }
        if route.rollout.is_some() {
            choices.insert("rollout".to_owned(), json!(is.rollout.as_ref().map(lower::rollout)));
        }
        (is.name.clone().unwrap_or_default(), Json::from(choices))
    };
    let salt = written.rollout.as_ref().and_then(|rollout| rollout.salt.clone());
    json!({
        "host": service.host,
        "baseline": service.baseline,
        "subsets": service.subsets.keys().collect::<Vec<_>>(),
        "fallsBack": service.falls_back,
        "salt": salt.unwrap_or_else(|| service.host.clone()),
        "from": top.collect::<Map<_, _>>(),
        "routes": written.routes.iter().zip(&service.routes).map(own).collect::<Map<_, _>>(),
        "exposed": resources::exposed_places(mesh, service, options.without_filter),
    })
}

/// Services as the filter reads them, without pins and rollouts; routes by name.
fn filter_services(mesh: &Mesh) -> Result<Vec<Json>> {
    let mut services = Vec::new();
    for service in lower::services(mesh) {
        let mut json = serde_json::to_value(&service)?;
        if let Some(fields) = json.as_object_mut() {
            fields.remove("pins");
            fields.remove("rollout");
            let routes: Vec<&String> = service.routes.iter().map(|route| &route.name).collect();
            fields.insert("routes".to_owned(), json!(routes));
        }
        services.push(json);
    }
    Ok(services)
}

/// The resources, and for those that values change, what the chart needs to make the rest.
fn resources_of(mesh: &Mesh, options: &Options) -> Result<Vec<Json>> {
    let mut all = Vec::new();
    for resource in resources::resources(mesh, options) {
        let mut object = resource.json()?;
        let mut entry = Map::new();
        let host =
            object["spec"]["hosts"][0].as_str().or(object["spec"]["host"].as_str()).map(ToOwned::to_owned);
        match resource.kind() {
            // Those of public hosts the chart makes itself, for the hosts that its values name.
            Kind::VirtualService => {
                let Some(rules) =
                    host.and_then(|host| resources::host_blocks(mesh, &host, options.without_filter))
                else {
                    continue;
                };
                object["spec"]["http"] = json!([]);
                entry.extend(rules);
            }
            Kind::DestinationRule => {
                let host = host.unwrap_or_default();
                let (subsets, fallbacks) = resources::host_subsets(mesh, &host)?;
                object["spec"]["subsets"] = subsets;
                entry.insert("fallbacks".to_owned(), fallbacks);
            }
            Kind::WasmPlugin | Kind::TrafficExtension => {
                let wasm = object["spec"].get("wasm").is_some();
                let module = if wasm { &mut object["spec"]["wasm"] } else { &mut object["spec"] };
                entry.insert("role".to_owned(), module["pluginConfig"]["role"].clone());
                module["pluginConfig"] = json!({});
            }
            _ => {}
        }
        entry.insert("object".to_owned(), object);
        all.push(entry.into());
    }
    Ok(all)
}

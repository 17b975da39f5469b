//! Which resources keep their names: those that one rendered resource stands for alone, so that applying it replaces them
//! in place.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Made;
use super::drafts::Drafts;
use super::prove::stays;
use super::read::{Found, HTTP_ROUTE, Resource};
use crate::document::source::Span;
use crate::traffic::{MESH, World, full_host};

/// Why a resource cannot keep its name, and where it is.
pub type Why = (Option<Span>, String);

/// Gives the file's resources the names of those that they replace; says which cannot keep theirs.
pub fn keep(made: &mut Made, found: &Found, world: &World, drafts: &Drafts, rendered: &[Json]) -> Vec<Why> {
    let mut pairs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, resource) in found.known.iter().enumerate() {
        if resource.kind == HTTP_ROUTE {
            continue;
        }
        if !stays(place, resource, made, drafts) {
            let own =
                rendered.iter().enumerate().filter(|(_, json)| stands_for(json, place, resource, world));
            pairs.insert(place, own.map(|(index, _)| index).collect());
        }
    }
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    pairs.values().flatten().for_each(|index| *counts.entry(*index).or_default() += 1);
    let mut why = Vec::new();
    if found.is_of_gateway_api() {
        why.push((None, "HTTPRoutes do not keep their names: Istio merges those of one host, so the old ones and the new ones are beside each other without a gap".to_owned()));
    }
    for (place, own) in &pairs {
        let resource = &found.known[*place];
        let problem = match own[..] {
            [] => Some("nothing that the file renders corresponds to it".to_owned()),
            [index] if counts.get(&index) == Some(&1) => {
                let problem = differs(resource, &rendered[index]);
                if problem.is_none() {
                    give(made, resource, &rendered[index], rendered);
                }
                problem
            }
            [_] => Some("one rendered resource replaces it and others".to_owned()),
            _ => Some(format!("{} rendered resources replace it", own.len())),
        };
        let text = |problem| format!("{}: its name is not kept: {problem}", resource.title());
        why.extend(problem.map(|problem| (Some(resource.name_place()), text(problem))));
    }
    why
}

/// Is a rendered resource about the same requests, or the same pods?
fn stands_for(json: &Json, place: usize, resource: &Resource, world: &World) -> bool {
    if json["kind"] != resource.kind.as_str() {
        return false;
    }
    if resource.kind == "DestinationRule" {
        let host = resource.spec["host"].as_str().unwrap_or_default();
        return json["spec"]["host"] == full_host(host, &resource.namespace);
    }
    let Some(own) = world.virtual_services.iter().find(|own| own.resource == place) else { return false };
    let gateways: Vec<&str> = match json["spec"]["gateways"].as_array() {
        Some(names) => names.iter().filter_map(Json::as_str).collect(),
        None => vec![MESH],
    };
    let host = json["spec"]["hosts"][0].as_str().unwrap_or_default();
    let here = gateways.iter().filter(|gateway| own.gateways.iter().any(|name| name == *gateway));
    here.into_iter().any(|gateway| own.hosts.iter().any(|name| own.host_at(gateway, name) == host))
}

/// What would not be the same, or would be left of the old one, once the new one is applied over it.
fn differs(resource: &Resource, json: &Json) -> Option<String> {
    let home = json["metadata"]["namespace"].as_str().unwrap_or_default();
    if home != resource.namespace {
        return Some(format!("the file's is in namespace {home}"));
    }
    let (old, new) = (&resource.spec, &json["spec"]);
    let mut fields = old.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    // Those of the mesh only need not say so.
    let left = fields.find(|key| {
        new.get(key).is_none() && !(*key == "gateways" && old[*key] == serde_json::json!([MESH]))
    });
    if let Some(left) = left {
        return Some(format!("`{left}` would be left in it"));
    }
    if resource.kind != "DestinationRule" {
        return None;
    }
    if old.get("trafficPolicy") != new.get("trafficPolicy") {
        return Some("its trafficPolicy is written differently".to_owned());
    }
    let subsets = |spec: &Json| spec["subsets"].as_array().cloned().unwrap_or_default();
    let missing = subsets(old).into_iter().find(|subset| !subsets(new).contains(subset))?;
    let name = missing["name"].as_str().unwrap_or_default();
    Some(format!("subset {name} would be gone before the routes that lead to it"))
}

/// Writes a name into the file.
fn give(made: &mut Made, resource: &Resource, json: &Json, rendered: &[Json]) {
    if json["metadata"]["name"] == resource.name.as_str() {
        return;
    }
    let name = Some(resource.name.clone());
    let host = json["spec"]["hosts"][0].as_str().or(json["spec"]["host"].as_str()).unwrap_or_default();
    let at_gateways = json["spec"].get("gateways").is_some();
    if at_gateways {
        let same =
            |other: &&Json| other["spec"].get("gateways").is_some() && other["spec"]["hosts"][0] == host;
        // At several gateways with routes of their own the names say which.
        let service = made.file.services.values_mut().find(|service| service.is_shown_at(host));
        if let Some(service) = service
            && rendered.iter().filter(same).count() == 1
        {
            service.names.hosts.insert(host.to_owned(), resource.name.clone());
        }
        return;
    }
    let service = made.names.get(host).and_then(|name| made.file.services.get_mut(name));
    match service {
        Some(service) if resource.kind == "DestinationRule" => service.names.destination_rule = name,
        Some(service) => service.names.virtual_service = name,
        None => {}
    }
}

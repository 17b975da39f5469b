//! Resources of others that are about the same hosts, and which of them Istio uses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::gateway_api;
use super::names::{full_host, group_is_istio};
use super::request::MESH;
use super::rival::Rival;
use super::virtual_service::{VIRTUAL_SERVICE, VirtualService};
use super::world::World;

/// A time after all others: that of a resource that is not there yet.
const NOT_YET: &str = "9999";

/// As it would be once applied: in the place, and of the age, of the one of its name, or the youngest of all.
#[must_use]
pub fn applied(rendered: &Json, current: &[&Json]) -> Json {
    let own = title(rendered);
    in_place_of(rendered, current.iter().find(|other| title(other) == own).copied())
}

fn in_place_of(rendered: &Json, there: Option<&Json>) -> Json {
    let mut json = rendered.clone();
    json["metadata"]["creationTimestamp"] = match there {
        Some(other) => other["metadata"].get("creationTimestamp").cloned().unwrap_or_else(|| json!("")),
        None => NOT_YET.into(),
    };
    json
}

/// All that is there, with what is rendered in its place.
#[must_use]
pub fn together(current: &[&Json], rendered: &[Json]) -> Vec<Json> {
    let places = by_title(current.iter().copied());
    let own: BTreeSet<String> = rendered.iter().map(title).collect();
    let kept = current.iter().filter(|json| !own.contains(&title(json)));
    let there = |json: &Json| places.get(&title(json)).and_then(|place| current.get(*place)).copied();
    let applied = rendered.iter().map(|json| in_place_of(json, there(json)));
    kept.map(|json| (*json).clone()).chain(applied).collect()
}

fn title(json: &Json) -> String {
    let text = |json: &Json| json.as_str().filter(|text| !text.is_empty()).unwrap_or("default").to_owned();
    format!(
        "{} {}/{}",
        text(&json["kind"]),
        text(&json["metadata"]["namespace"]),
        text(&json["metadata"]["name"])
    )
}

/// Places by title, the first one of each: a mesh may have thousands.
fn by_title<'j>(list: impl Iterator<Item = &'j Json>) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    list.enumerate().for_each(|(place, json)| {
        places.entry(title(json)).or_insert(place);
    });
    places
}

/// Looks for them.
#[must_use]
pub fn rivals(current: &[&Json], rendered: &[Json]) -> Vec<Rival> {
    let all = together(current, rendered);
    let all: Vec<&Json> = all.iter().collect();
    // Sorted as istiod sorts them: the first one counts.
    let mut world = World::of(&all, "");
    world.virtual_services.retain(|own| own.kind == VIRTUAL_SERVICE);
    let titles: BTreeSet<String> = rendered.iter().map(title).collect();
    let ours = |own: &VirtualService| titles.contains(&format!("VirtualService {}", own.title));
    let places = by_title(current.iter().copied());
    let place = |wanted: &str| places.get(wanted).copied();
    let mut found: Vec<Rival> = Vec::new();
    for (age, other) in world.virtual_services.iter().enumerate().filter(|(_, own)| !ours(own)) {
        for (own_age, own) in world.virtual_services.iter().enumerate().filter(|(_, own)| ours(own)) {
            let Some((at, host)) = shared(own, other) else { continue };
            let Some(resource) = place(&format!("VirtualService {}", other.title)) else { continue };
            let (first, second) = if age < own_age { (other, own) } else { (own, other) };
            let text = if at == MESH {
                format!(
                    "VirtualService {} is for the same host, {host}: inside the mesh Istio uses the older one, {}, and ignores {}",
                    other.title, first.title, second.title
                )
            } else {
                format!(
                    "VirtualService {} is for the same host, {host}: at gateway {at} Istio concatenates the rules of \
                     both, those of the older one, {}, first",
                    other.title, first.title
                )
            };
            let help = format!(
                "delete it once what is rendered is there: kubectl delete virtualservice -n {} {}",
                other.namespace,
                other.title.split('/').next_back().unwrap_or_default()
            );
            found.push(Rival { resource, text, help });
        }
    }
    found.extend(destination_rules(current, rendered));
    found.extend(gateway_api::rivals(current, rendered));
    found
}

/// A place and a host that both are for.
fn shared(own: &VirtualService, other: &VirtualService) -> Option<(String, String)> {
    let places = own.gateways.iter().filter(|place| other.gateways.contains(place));
    places.into_iter().find_map(|place| {
        let mut hosts = own.hosts.iter().map(|host| own.host_at(place, host));
        let host =
            hosts.find(|host| other.hosts.iter().any(|theirs| other.host_at(place, theirs) == *host))?;
        Some((place.clone(), host))
    })
}

fn destination_rules(current: &[&Json], rendered: &[Json]) -> Vec<Rival> {
    let host = |json: &Json| {
        let namespace = json["metadata"]["namespace"].as_str().unwrap_or("default");
        full_host(json["spec"]["host"].as_str().unwrap_or_default(), namespace)
    };
    let is = |json: &Json| json["kind"] == "DestinationRule" && group_is_istio(json);
    let mut found = Vec::new();
    let titles: BTreeSet<String> = rendered.iter().map(title).collect();
    let others = current.iter().enumerate().filter(|(_, json)| is(json) && !titles.contains(&title(json)));
    for (resource, other) in others {
        let wanted = host(other);
        let Some(own) = rendered.iter().filter(|json| is(json)).find(|own| host(own) == wanted) else {
            continue;
        };
        let same_namespace = own["metadata"]["namespace"] == other["metadata"]["namespace"];
        let how = if same_namespace {
            "Istio merges both: of the trafficPolicy, and of a subset of the same name, the older one's wins"
        } else {
            "Istio uses the one in the caller's namespace, then the one in the host's"
        };
        found.push(Rival {
            resource,
            text: format!("{} is for the same host, {}: {how}", title(other), host(other)),
            help: format!(
                "delete it once what is rendered is there: kubectl delete destinationrule -n {} {}",
                other["metadata"]["namespace"].as_str().unwrap_or("default"),
                other["metadata"]["name"].as_str().unwrap_or_default()
            ),
        });
    }
    found
}

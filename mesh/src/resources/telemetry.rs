//! Telemetry: tenant and subset as tags of Istio's own metrics and spans, read from what the filter writes into the
//! state of a request. No application has a part in it.

use anyhow::{Result, bail};
use graylane_decide::names::{self, filter_state};
use serde_json::{Value as Json, json};

use super::{Kind, Options, Resource, Stage};
use crate::manifest::Resource as Existing;
use crate::mesh::{Fields, Mesh};

/// The metrics that get tags: dashboards, alerts and ramps read no others, and every tag multiplies series.
const METRICS: [&str; 2] = ["REQUEST_COUNT", "REQUEST_DURATION"];

/// One for all pods of a namespace, one for the gateway's pods. Where there is no filter, there is nothing to read.
pub fn all(mesh: &Mesh, options: &Options) -> Vec<Resource> {
    if !mesh.document.telemetry.tracing || options.without_filter || options.url.is_none() {
        return Vec::new();
    }
    let namespaces = mesh.namespaces();
    let mut all = Vec::new();
    for namespace in &namespaces {
        let existing = options.telemetries.iter().find(|existing| covers(existing, namespace));
        let spec = with_tags(existing.map_or_else(Fields::new, |found| fields(&found.spec)), mesh, options);
        let mut resource = resource(mesh, namespace, spec);
        if let Some(existing) = existing {
            // Under its own name: a second one for the same namespace would count for nothing.
            resource.metadata.name.clone_from(&existing.name);
        }
        all.push(resource);
    }
    // In a namespace of ours the gateway's pods have the tags already.
    let gateway = mesh.document.edge.gateway.as_ref();
    if let Some(gateway) = gateway.filter(|gateway| !namespaces.contains(gateway.namespace.as_str())) {
        // Without a selector, one in Istio's root namespace would be one for the whole mesh.
        let selector = Fields::from_iter([("selector".to_owned(), json!({"matchLabels": gateway.selector}))]);
        all.push(resource(mesh, &gateway.namespace, with_tags(selector, mesh, options)));
    }
    all
}

fn resource(mesh: &Mesh, namespace: &str, spec: Fields) -> Resource {
    Resource::new(mesh, Kind::Telemetry, Stage::Sight, namespace, "lanes", super::Spec::Fields(spec))
}

/// Do the Telemetries that exist have tags of ours with other values?
///
/// # Errors
/// When one has; merged, its value would be lost.
pub fn check_merge(mesh: &Mesh, options: &Options) -> Result<()> {
    for existing in &options.telemetries {
        let before = fields(&existing.spec);
        let after = with_tags(before.clone(), mesh, options);
        if let Some(place) = changed("spec", &before.into(), &after.into()) {
            bail!(
                "{} has `{place}` already, with a different value, which would be lost: give that tag another name",
                existing.title()
            );
        }
    }
    Ok(())
}

/// Where something that was there became something else.
fn changed(place: &str, before: &Json, after: &Json) -> Option<String> {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => before.iter().find_map(|(key, value)| {
            let place = format!("{place}.{key}");
            match after.get(key) {
                Some(after) => changed(&place, value, after),
                None => Some(place),
            }
        }),
        (Json::Array(before), Json::Array(after)) => {
            let pairs = before.iter().zip(after).enumerate();
            pairs.into_iter().find_map(|(index, (a, b))| changed(&format!("{place}[{index}]"), a, b))
        }
        _ => (before != after).then(|| place.to_owned()),
    }
}

/// Is a Telemetry for all pods of its namespace? Of those only the oldest counts (istio/api telemetry/v1alpha1).
#[must_use]
pub fn is_for_all_pods(existing: &Existing) -> bool {
    ["selector", "targetRef", "targetRefs"].iter().all(|key| existing.spec[key].is_null())
}

fn covers(existing: &Existing, namespace: &str) -> bool {
    existing.namespace == namespace && is_for_all_pods(existing)
}

fn fields(json: &Json) -> Fields {
    json.as_object().cloned().unwrap_or_default()
}

/// With our tags, in every entry: each is for a provider of its own.
fn with_tags(mut spec: Fields, mesh: &Mesh, options: &Options) -> Fields {
    let tags: Fields = [names::SUBSET_STATE, names::TENANT_STATE]
        .into_iter()
        .map(|state| (state.to_owned(), json!({"value": format!("filter_state['wasm.{state}']")})))
        .collect();
    for entry in entries(spec.entry("metrics").or_insert(Json::Null)) {
        for metric in METRICS {
            let wanted = json!({"metric": metric, "mode": "CLIENT_AND_SERVER"});
            let overrides = list(&mut entry["overrides"]);
            match overrides.iter_mut().find(|one| one["match"] == wanted) {
                Some(one) => put(&mut one["tagOverrides"], &tags),
                None => overrides.push(json!({"match": wanted, "tagOverrides": tags})),
            }
        }
    }
    let tags = span_tags(mesh, options);
    for entry in entries(spec.entry("tracing").or_insert(Json::Null)) {
        put(&mut entry["customTags"], &tags);
    }
    spec
}

/// A span finds its lane without code in the services. Before Istio 1.29 a tag can be made of a header only, and of
/// ours the tenant's alone is still there when a span ends.
fn span_tags(mesh: &Mesh, options: &Options) -> Fields {
    if options.header_tags {
        let header = json!({"header": {"name": mesh.header, "defaultValue": "none"}});
        return Fields::from_iter([(names::TENANT_STATE.to_owned(), header)]);
    }
    let formatter = |state: &str| json!({"formatter": {"value": format!("%FILTER_STATE({}:PLAIN)%", filter_state(state))}});
    [names::SOURCE_STATE, names::SUBSET_STATE, names::TENANT_STATE]
        .into_iter()
        .map(|state| (state.to_owned(), formatter(state)))
        .collect()
}

/// A list, made if there is none.
fn list(value: &mut Json) -> &mut Vec<Json> {
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Json::Array(list) => list,
        _ => unreachable!("it was made a list above"),
    }
}

/// The entries of a list, one of which is made if there is none.
fn entries(value: &mut Json) -> &mut Vec<Json> {
    let entries = list(value);
    if entries.is_empty() {
        entries.push(json!({}));
    }
    entries
}

fn put(value: &mut Json, tags: &Fields) {
    if !value.is_object() {
        *value = json!({});
    }
    for (tag, wanted) in tags {
        value[tag] = wanted.clone();
    }
}

/// Telemetries out of resources that exist, which have to be some.
///
/// # Errors
/// When there are none, or several for all pods of one namespace.
pub fn existing(found: Vec<Existing>) -> Result<Vec<Existing>> {
    let telemetries: Vec<Existing> = found.into_iter().filter(|one| one.kind == "Telemetry").collect();
    if telemetries.is_empty() {
        bail!("no Telemetry found in what --merge-telemetry names");
    }
    for (index, one) in telemetries.iter().enumerate() {
        let others = &telemetries[..index];
        if covers(one, &one.namespace)
            && let Some(other) = others.iter().find(|other| covers(other, &one.namespace))
        {
            bail!(
                "{} and {} are both for all pods of namespace `{}`: Istio uses only the oldest: keep that one",
                other.title(),
                one.title(),
                one.namespace
            );
        }
    }
    Ok(telemetries)
}

//! Telemetry: tenant and subset as tags of Istio's own metrics and spans, read from what the filter writes into the
//! state of a request. No application has a part in it.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use graylane_decide::metrics;
use graylane_decide::names::{self, filter_state};
use serde_json::{Value as Json, json};

use super::{DataPlane, Kind, Options, Resource, Stage, attached};
use crate::document::model::{Gateway, Reporter};
use crate::manifest::Resource as Existing;
use crate::mesh::{Fields, Ingress, Mesh};

/// The metrics that get tags: dashboards, alerts and ramps read no others, and every tag multiplies series.
const COUNTER: &str = "REQUEST_COUNT";
const HISTOGRAM: &str = "REQUEST_DURATION";

/// What they are called, after the mesh.
const LANES: &str = "lanes";

/// One for all pods of a namespace, one for the pods of each gateway. Where there is no filter, there is nothing to read.
pub fn all(mesh: &Mesh, options: &Options) -> Vec<Resource> {
    if !mesh.document.telemetry.tracing || options.without_filter || options.url.is_none() {
        return Vec::new();
    }
    let namespaces = mesh.namespaces();
    let mut all = Vec::new();
    for namespace in &namespaces {
        let existing = options.telemetries.iter().find(|existing| covers(existing, namespace));
        let spec = with_tags(existing.map_or_else(Fields::new, |found| fields(&found.spec)), mesh, options);
        let mut resource = resource(mesh, namespace, LANES, spec);
        if let Some(existing) = existing {
            // Under its own name: a second one for the same namespace would count for nothing.
            resource.metadata.name.clone_from(&existing.name);
        }
        all.push(resource);
    }
    // In a namespace of ours the gateway's pods have the tags already.
    let elsewhere = |(_, gateway): &(Ingress<'_>, &Gateway)| !namespaces.contains(gateway.namespace.as_str());
    for (ingress, gateway) in mesh.gateways().filter(elsewhere) {
        // Without any, one in Istio's root namespace would be one for the whole mesh.
        let selector = attached::policy(gateway);
        let name =
            ingress.name.map_or_else(|| LANES.to_owned(), |_| format!("{}-{LANES}", ingress.resource()));
        all.push(resource(mesh, &gateway.namespace, &name, with_tags(selector, mesh, options)));
    }
    all
}

fn resource(mesh: &Mesh, namespace: &str, name: &str, spec: Fields) -> Resource {
    Resource::new(mesh, Kind::Telemetry, Stage::Sight, namespace, name, super::Spec::Fields(spec))
}

/// Do the Telemetries that exist have tags of ours with other values?
///
/// # Errors
/// When one has; merged, its value would be lost.
pub fn check_merge(mesh: &Mesh, options: &Options) -> Result<()> {
    for existing in &options.telemetries {
        let before = without_ours(fields(&existing.spec));
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

/// Without the tags of metrics that an earlier version of the file had made: what is rendered now says all of them.
fn without_ours(mut spec: Fields) -> Fields {
    let entries = spec.get_mut("metrics").and_then(Json::as_array_mut).into_iter().flatten();
    for overrides in entries.filter_map(|entry| entry.get_mut("overrides")?.as_array_mut()) {
        overrides.retain_mut(|one| {
            let Some(tags) = one.get_mut("tagOverrides").and_then(Json::as_object_mut) else { return true };
            let before = tags.len();
            tags.retain(|name, tag| !is_ours(name, tag["value"].as_str().unwrap_or_default()));
            let is_empty = tags.is_empty() && before > 0;
            // Nothing but a match is left of one that was ours alone.
            !(is_empty
                && one
                    .as_object()
                    .is_some_and(|one| one.keys().all(|key| ["match", "tagOverrides"].contains(&&**key))))
        });
    }
    spec
}

/// Is a tag's expression one that was rendered for it, whichever tenants had no label then?
fn is_ours(name: &str, value: &str) -> bool {
    let own = seen(name);
    let folded = format!(" ? '{}' : {own}", metrics::OTHER);
    [names::SUBSET_STATE, names::TENANT_STATE].contains(&name)
        && (value == own || value.starts_with(&format!("{own} == b'")) && value.ends_with(&folded))
}

/// With our tags, in every entry: each is for a provider of its own.
fn with_tags(spec: Fields, mesh: &Mesh, options: &Options) -> Fields {
    let mut spec = without_ours(spec);
    let said = &mesh.document.telemetry;
    let tags = metric_tags(mesh);
    let mode = mode(&said.reporters, options);
    for entry in entries(spec.entry("metrics").or_insert(Json::Null)) {
        for metric in [Some(COUNTER), said.histograms.then_some(HISTOGRAM)].into_iter().flatten() {
            let wanted = json!({"metric": metric, "mode": mode});
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

/// Expressions of CEL over the state of a request, as `istio.stats` evaluates them.
fn metric_tags(mesh: &Mesh) -> Fields {
    let unlabelled: Vec<&str> = mesh.unlabelled().collect();
    let tags =
        [(names::SUBSET_STATE, seen(names::SUBSET_STATE)), (names::TENANT_STATE, tenant_tag(&unlabelled))];
    tags.into_iter().map(|(name, value)| (name.to_owned(), json!({"value": value}))).collect()
}

fn seen(state: &str) -> String {
    format!("filter_state['wasm.{state}']")
}

/// The tenant as metrics see it: these are all `other`.
#[must_use]
pub fn tenant_tag(unlabelled: &[&str]) -> String {
    let tenant = seen(names::TENANT_STATE);
    // Bytes, not text: Envoy, FilterStateWrapper in source/extensions/filters/common/expr/context.cc.
    let is = |name: &&str| format!("{tenant} == b'{name}'");
    match unlabelled {
        [] => tenant,
        some => {
            let any = some.iter().map(is).collect::<Vec<_>>().join(" || ");
            format!("{any} ? '{}' : {tenant}", metrics::OTHER)
        }
    }
}

/// Whose metrics get tags, in Istio's words. A waypoint is neither of the two sides.
fn mode(reporters: &BTreeSet<Reporter>, options: &Options) -> &'static str {
    let mut sides = reporters.iter();
    match (sides.next(), sides.next()) {
        (Some(Reporter::Client), None) if options.data_plane == DataPlane::Sidecar => "CLIENT",
        (Some(Reporter::Server), None) if options.data_plane == DataPlane::Sidecar => "SERVER",
        _ => "CLIENT_AND_SERVER",
    }
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

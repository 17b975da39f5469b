//! What would change: rendered resources against those that are there, field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::manifest;
use crate::resources::is_of;

/// One thing that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Kind, namespace and name, as in `VirtualService bank/bank-api`.
    pub resource: String,
    /// The field; none: the whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is there; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What would be; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

type Key = (String, String, String);

fn key(json: &Json) -> Key {
    let text = |value: &Json, none: &str| value.as_str().unwrap_or(none).to_owned();
    let kind = text(&json["kind"], "");
    let namespace = text(&json["metadata"]["namespace"], manifest::default_namespace(&kind));
    (kind, namespace, text(&json["metadata"]["name"], ""))
}

fn title((kind, namespace, name): &Key) -> String {
    manifest::title(kind, namespace, name)
}

/// What of a resource is ours: its spec, and the labels and annotations that we write. Everything else (status, managed
/// fields, annotations of others) is a controller's.
fn ours(json: &Json, wanted: Option<&Json>) -> Json {
    let mut part = serde_json::Map::new();
    for body in ["spec", "data"].into_iter().filter(|body| !json[body].is_null()) {
        part.insert(body.to_owned(), json[body].clone());
    }
    // Of a Service, Kubernetes fills in addresses and much else.
    if let (Some(wanted), Some(spec)) =
        (wanted.filter(|json| json["kind"] == "Service"), part.get_mut("spec"))
    {
        let known = |key: &String| wanted["spec"].get(key).is_some();
        spec.as_object_mut().into_iter().for_each(|spec| spec.retain(|key, _| known(key)));
    }
    for kind in ["labels", "annotations"] {
        let keys = wanted.unwrap_or(json)["metadata"][kind].as_object();
        let own = keys
            .into_iter()
            .flatten()
            .filter_map(|(key, _)| Some((key.clone(), json["metadata"][kind].get(key)?.clone())));
        part.insert(format!("metadata.{kind}"), own.collect::<serde_json::Map<_, _>>().into());
    }
    part.into()
}

/// Compares. Resources of the same mesh that graylane made and would not make any more would go; others are left out.
#[must_use]
pub fn compare(current: &[Json], rendered: &[Json], mesh: &str) -> Vec<Change> {
    let index =
        |list: &[Json]| list.iter().map(|json| (key(json), json.clone())).collect::<BTreeMap<Key, Json>>();
    let (current, rendered) = (index(current), index(rendered));
    let mut changes = Vec::new();
    for (key, after) in &rendered {
        match current.get(key) {
            None => changes.push(Change {
                resource: title(key),
                field: None,
                before: None,
                after: Some("created".to_owned()),
            }),
            Some(before) => {
                fields(&title(key), "", &ours(before, Some(after)), &ours(after, None), &mut changes);
            }
        }
    }
    for (key, before) in &current {
        if is_of(mesh, before) && !rendered.contains_key(key) {
            changes.push(Change {
                resource: title(key),
                field: None,
                before: Some("removed".to_owned()),
                after: None,
            });
        }
    }
    changes
}

fn fields(resource: &str, path: &str, before: &Json, after: &Json, changes: &mut Vec<Change>) {
    let at = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                one(resource, &at(key), old.get(key), new.get(key), changes);
            }
        }
        (Json::Array(old), Json::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                one(resource, &format!("{path}[{index}]"), old.get(index), new.get(index), changes);
            }
        }
        _ if before == after => {}
        _ => one_leaf(resource, path, Some(before), Some(after), changes),
    }
}

fn one(resource: &str, path: &str, before: Option<&Json>, after: Option<&Json>, changes: &mut Vec<Change>) {
    match (before, after) {
        (Some(before), Some(after)) => fields(resource, path, before, after, changes),
        (before, after) => one_leaf(resource, path, before, after, changes),
    }
}

fn one_leaf(
    resource: &str,
    path: &str,
    before: Option<&Json>,
    after: Option<&Json>,
    changes: &mut Vec<Change>,
) {
    let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned);
    changes.push(Change {
        resource: resource.to_owned(),
        field: Some(path.to_owned()),
        before: before.map(text),
        after: after.map(text),
    });
}

/// A change in one line, with its end.
#[must_use]
pub fn line(change: &Change) -> String {
    let (resource, field) = (&change.resource, change.field.as_deref().unwrap_or_default());
    match (&change.before, &change.after) {
        (None, Some(_)) if field.is_empty() => format!("+ {resource}\n"),
        (Some(_), None) if field.is_empty() => format!("- {resource}\n"),
        (Some(before), Some(after)) => format!("~ {resource} {field}: {before} → {after}\n"),
        (None, Some(after)) => format!("+ {resource} {field}: {after}\n"),
        (Some(before), None) => format!("- {resource} {field}: {before}\n"),
        (None, None) => String::new(),
    }
}

/// All resources that were found, as JSON.
#[must_use]
pub fn all(found: &[crate::import::Resource]) -> Vec<Json> {
    found.iter().map(|resource| resource.whole.clone()).collect()
}

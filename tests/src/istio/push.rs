//! Applying, and knowing when everybody runs with it.
//!
//! istiod does not report when a change has reached all proxies. So after it has shown that it knows the objects, a marker
//! is changed that reaches every proxy: an empty cluster, by an `EnvoyFilter`. A proxy that shows it has got the
//! first part of a push with everything in it; one that shows the next marker has got all parts, because istiod sends
//! a proxy one push after another, and Envoy reads them in order. The rest is Envoy's own: see `Proxy::settle`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Deserializer, Value as Json, json};

use super::cluster::ROOT;
use super::control_plane::ControlPlane;
use super::kube::folder;
use super::objects::KEPT_LABEL;
use super::proxy::{LIMIT, Proxy};
use super::wait::{Look, until};

/// How long istiod may take to see an object.
const SEEN_LIMIT: Duration = Duration::from_secs(30);
/// The group of the Gateway API.
pub(super) const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// What the markers' names begin with.
const MARKER: &str = "graylane-push-";

impl ControlPlane {
    /// Applies YAML as people do, and waits until every proxy runs with it.
    ///
    /// # Errors
    /// When the API server refuses it, or it does not get everywhere in time.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        // A file that starts with `{` would be read as JSON, and only that.
        let yaml = format!("---\n{yaml}");
        let arguments = ["apply", "-o", "json", "--filename", "-"];
        let objects = objects(&self.kube.kubectl(&arguments, &yaml).await?)?;
        for object in &objects {
            let namespace = if object["kind"] == "Namespace" { "name" } else { "namespace" };
            object["metadata"][namespace].as_str().into_iter().for_each(|namespace| self.kept(namespace));
        }
        self.wait_until_seen(&objects).await?;
        for object in &objects {
            self.wait_until_accepted(object).await?;
        }
        self.push().await
    }

    /// Waits until istiod says of an object of the Gateway API, which is not among those that it shows, that it has read it.
    async fn wait_until_accepted(&self, object: &Json) -> Result<()> {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let (kind, version) = (text(&object["kind"]), text(&object["apiVersion"]));
        let plural = match kind.as_str() {
            "HTTPRoute" => "httproutes",
            "Gateway" => "gateways",
            _ => return Ok(()),
        };
        if !version.starts_with(GATEWAY_API) {
            return Ok(());
        }
        let (namespace, name) = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        let path = format!("{}/{plural}/{name}", folder(&version, Some(&namespace)));
        until(&format!("istiod has accepted {kind} {namespace}/{name}"), SEEN_LIMIT, async || {
            let now = self.kube.get(&path).await?;
            let parents = now["status"]["parents"].as_array();
            let all = parents.into_iter().flatten().map(|parent| &parent["conditions"]);
            let conditions: Vec<&Json> =
                all.chain([&now["status"]["conditions"]]).filter_map(Json::as_array).flatten().collect();
            let holds = |kind: &str| {
                let of = conditions.iter().filter(|one| one["type"] == kind).collect::<Vec<_>>();
                !of.is_empty()
                    && of.iter().all(|one| {
                        one["status"] == "True" && one["observedGeneration"] == now["metadata"]["generation"]
                    })
            };
            let last = if kind == "Gateway" { "Programmed" } else { "ResolvedRefs" };
            let done = holds("Accepted") && holds(last);
            Ok(Look::whether(done, || now["status"].to_string()))
        })
        .await
    }

    /// Deletes what YAML describes, and waits until no proxy runs with it.
    ///
    /// # Errors
    /// When the API server refuses, or it does not get everywhere in time.
    pub async fn delete(&self, yaml: &str) -> Result<()> {
        let yaml = format!("---\n{yaml}");
        let get = ["get", "--ignore-not-found", "-o", "json", "--filename", "-"];
        let gone: Vec<Known> =
            objects(&self.kube.kubectl(&get, &yaml).await?)?.iter().filter_map(Known::of).collect();
        let delete = ["delete", "--ignore-not-found", "--filename", "-"];
        self.kube.kubectl(&delete, &yaml).await?;
        until("istiod has seen what was deleted", SEEN_LIMIT, async || {
            let known = self.known().await?;
            let left: Vec<&Known> = known.iter().filter(|is| gone.iter().any(|gone| gone.is(is))).collect();
            Ok(Look::whether(left.is_empty(), || format!("it still knows {left:?}")))
        })
        .await?;
        self.push().await
    }

    /// Waits until every proxy has what istiod knows by now.
    ///
    /// # Errors
    /// When one does not get it in time.
    pub async fn push(&self) -> Result<()> {
        let mut number = self.pushes.lock().await;
        let proxies = self.proxies();
        if proxies.is_empty() {
            return Ok(());
        }
        for _ in 0..2 {
            *number += 1;
            self.kube.apply(&marker(*number)).await?;
            for proxy in &proxies {
                proxy.wait_for_marker(*number).await?;
            }
        }
        for proxy in &proxies {
            proxy.settle().await?;
        }
        Ok(())
    }

    async fn wait_until_seen(&self, objects: &[Json]) -> Result<()> {
        let wanted: Vec<Known> = objects.iter().filter_map(Known::of).collect();
        until("istiod has seen what was applied", SEEN_LIMIT, async || {
            let known = self.known().await?;
            let has = |wanted: &&Known| {
                !known.iter().any(|known| known.is(wanted) && known.version >= wanted.version)
            };
            let missing: Vec<&Known> = wanted.iter().filter(has).collect();
            Ok(Look::whether(missing.is_empty(), || format!("it does not know {missing:?}")))
        })
        .await
    }

    /// The Istio objects that istiod knows.
    pub(super) async fn known(&self) -> Result<Vec<Known>> {
        let known: Vec<Json> = serde_json::from_str(&self.debug("/debug/configz").await?)?;
        Ok(known.iter().filter_map(Known::of).collect())
    }

    /// Remembers a namespace, so that it is emptied after the example.
    pub(super) fn kept(&self, namespace: &str) {
        if let Ok(mut namespaces) = self.namespaces.lock()
            && !namespaces.iter().any(|is| is == namespace)
        {
            namespaces.push(namespace.to_owned());
        }
    }

    /// The proxies that are up.
    pub(super) fn proxies(&self) -> Vec<Proxy> {
        let Ok(mut proxies) = self.proxies.lock() else { return Vec::new() };
        proxies.retain(|proxy| proxy.strong_count() > 0);
        proxies.iter().filter_map(Weak::upgrade).map(Proxy).collect()
    }

    /// Adds a proxy to those that pushes are waited for.
    pub(super) fn watch(&self, proxy: &Proxy) {
        if let Ok(mut proxies) = self.proxies.lock() {
            proxies.push(Arc::downgrade(&proxy.0));
        }
    }
}

impl Proxy {
    async fn wait_for_marker(&self, number: u64) -> Result<()> {
        let path = format!("/config_dump?resource=dynamic_active_clusters&name_regex={MARKER}.*");
        until(&format!("{} has push {number}", self.pod()), LIMIT, async || {
            let dump = self.get_json(&path).await?;
            let names = dump["configs"].as_array().map(Vec::as_slice).unwrap_or_default();
            let name = |dump: &Json| dump["cluster"]["name"].as_str()?.strip_prefix(MARKER)?.parse().ok();
            let last: Option<u64> = names.iter().filter_map(name).max();
            Ok(Look::whether(last >= Some(number), || format!("its last is {last:?}\n{}", self.log_end())))
        })
        .await
    }
}

/// An Istio object, and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    kind: String,
    group: String,
    /// Namespace.
    pub namespace: String,
    name: String,
    version: u64,
    /// Whether it outlives an example.
    pub stays: bool,
}

impl Known {
    fn of(object: &Json) -> Option<Self> {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let api_version = text(&object["apiVersion"]);
        let (group, _) = api_version.split_once('/')?;
        let metadata = &object["metadata"];
        group.ends_with(".istio.io").then(|| Self {
            kind: text(&object["kind"]).to_ascii_lowercase(),
            group: group.to_owned(),
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            version: metadata["resourceVersion"].as_str().and_then(|is| is.parse().ok()).unwrap_or(0),
            stays: metadata["labels"][KEPT_LABEL] == "true",
        })
    }

    /// Whether it is the same object, whatever the version.
    fn is(&self, other: &Self) -> bool {
        let name = |of: &Self| [of.kind.clone(), of.group.clone(), of.namespace.clone(), of.name.clone()];
        name(self) == name(other)
    }
}

/// What kubectl printed: an object, or a list of them.
fn objects(text: &str) -> Result<Vec<Json>> {
    let mut objects = Vec::new();
    for value in Deserializer::from_str(text).into_iter::<Json>() {
        let mut value = value.context("kubectl prints no JSON")?;
        match value["items"].take() {
            Json::Array(items) => objects.extend(items),
            _ => objects.push(value),
        }
    }
    Ok(objects)
}

fn marker(number: u64) -> Json {
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "graylane-push", "namespace": ROOT, "labels": {KEPT_LABEL: "true"}},
        "spec": {"configPatches": [{
            "applyTo": "CLUSTER", "match": {"context": "ANY"},
            "patch": {"operation": "ADD", "value": {
                "name": format!("{MARKER}{number}"), "type": "STATIC", "connect_timeout": "1s",
            }},
        }]},
    })
}

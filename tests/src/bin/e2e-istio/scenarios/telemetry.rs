//! What istiod makes of the rendered Telemetry and of the fields that `render --mesh-config` prints: tags of spans and
//! lines of access logs, in proxies that run with them; tags of Istio's metrics in what istiod has for a proxy, since the
//! filter that counts them (`istio.stats`) is in Istio's own build of Envoy only.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_decide::metrics::TAGS;
use graylane_mesh::resources::tenant_tag;
use graylane_tests::istio::{ControlPlane, Look, Pod, until};
use serde_json::{Value as Json, json};

use super::examples::has_filter;
use crate::compare::{Way, place, with_core};
use crate::example::{CALLER, Example, INGRESS, graylane};

const LIMIT: Duration = Duration::from_secs(30);

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("observability")?;
    let mut fields = printed_fields(&example).await?;
    // Spans need a receiver; any service will do, since they are not read.
    fields["enableTracing"] = json!(true);
    fields["extensionProviders"] =
        json!([{"name": "spans", "zipkin": {"service": "api.bank.svc.cluster.local", "port": 8080}}]);
    fields["defaultProviders"] = json!({"tracing": ["spans"]});
    plane.set_mesh_config(&fields).await?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    for pod in [CALLER, INGRESS] {
        let dump = mesh.proxy(pod).get_json("/config_dump").await?;
        spans(&dump).with_context(|| format!("spans of {pod}"))?;
        access_log(&dump).with_context(|| format!("the access log of {pod}"))?;
    }
    // A proxy that has all of it still does what the core says.
    with_core(&example, &mesh, &place(&example, "api")?, Way::Caller, 4).await?;

    fields["defaultProviders"] = json!({"tracing": ["spans"], "metrics": ["prometheus"]});
    plane.set_mesh_config(&fields).await?;
    let page = format!("/debug/config_dump?proxyID={CALLER}.{}", example.namespace());
    let both = [("INBOUND", true), ("OUTBOUND", true)];
    let becomes = async |what, tenant: String, sides: [(&'static str, bool); 2]| {
        until(what, LIMIT, async || {
            let dump: Json = serde_json::from_str(&plane.debug(&page).await?)?;
            Ok(metrics(&dump, &tenant, sides)
                .map_or_else(|error| Look::NotYet(format!("{error:#}")), Look::Yes))
        })
        .await
    };
    becomes("istiod tags Istio's metrics", tenant_tag(&[]), both).await?;

    let text = std::fs::read_to_string(format!(
        "{}/../examples/observability/graylane.yaml",
        env!("CARGO_MANIFEST_DIR")
    ))?;
    let cheaper = text
        .replace("gray-v1: {}", "gray-v1: {label: false}")
        .replace("telemetry: {", "telemetry: {reporters: [client], ");
    ensure!(cheaper.matches("label: false").count() + cheaper.matches("[client]").count() == 2, "{cheaper}");
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("graylane.yaml"), cheaper)?;
    let file = folder.path().display().to_string();
    let url = "oci://registry.invalid/graylane:1";
    plane.apply(&graylane(&["render", "-f", &file, "--only", "Telemetry", "--wasm-url", url]).await?).await?;
    let callers = [("INBOUND", false), ("OUTBOUND", true)];
    becomes("istiod tags what callers count", tenant_tag(&["gray-v1"]), callers).await
}

/// The fields of the mesh's configuration that the program prints.
async fn printed_fields(example: &Example) -> Result<Json> {
    let file = format!("{}/../examples/{}", env!("CARGO_MANIFEST_DIR"), example.name);
    let text = graylane(&["render", "-f", &file, "--mesh-config"]).await?;
    let mut values: Json = serde_saphyr::from_str(&text)?;
    let mut fields = values["meshConfig"].take();
    let tags = fields["defaultConfig"]["extraStatTags"].take();
    ensure!(tags == json!(TAGS), "{tags}");
    // Proxies here have no agent that would make a bootstrap of it.
    fields.as_object_mut().context("no fields")?.remove("defaultConfig");
    Ok(fields)
}

fn spans(dump: &Json) -> Result<()> {
    let all = values_of(dump, "custom_tags");
    ensure!(!all.is_empty(), "no span has a tag");
    for tags in all {
        for name in ["tenant", "subset", "source"] {
            let value = format!("%FILTER_STATE(wasm.{name}:PLAIN)%");
            let has = |tag: &Json| tag["tag"] == name && tag["value"] == value.as_str();
            ensure!(tags.as_array().is_some_and(|tags| tags.iter().any(has)), "no {name} in {tags}");
        }
    }
    Ok(())
}

fn access_log(dump: &Json) -> Result<()> {
    let formats: BTreeSet<&str> =
        values_of(dump, "inline_string").into_iter().filter_map(Json::as_str).collect();
    let ours = "%ROUTE_NAME% traceparent=%REQ(TRACEPARENT)% b3=%REQ(X-B3-TRACEID)% pod=%ENVIRONMENT(POD_NAME)% \
                tenant=%FILTER_STATE(wasm.tenant:PLAIN)% subset=%FILTER_STATE(wasm.subset:PLAIN)% \
                source=%FILTER_STATE(wasm.source:PLAIN)%\n";
    ensure!(formats.iter().any(|format| format.ends_with(ours)), "{formats:?}");
    Ok(())
}

/// The requests of these sides have tenant and subset, and of the others not.
fn metrics(dump: &Json, tenant: &str, sides: [(&str, bool); 2]) -> Result<()> {
    let is_tagged = |metric: &Json| {
        let tags = &metric["dimensions"];
        metric["name"] == "requests_total"
            && tags["tenant"] == tenant
            && tags["subset"] == "filter_state['wasm.subset']"
    };
    let listeners = values_of(dump, "listener");
    for (direction, wanted) in sides {
        let mut of_direction = listeners
            .iter()
            .filter(|listener| values_of(listener, "trafficDirection").into_iter().any(|is| is == direction));
        let has_tags = |listener: &&Json| {
            let metrics = values_of(listener, "metrics").into_iter().filter_map(Json::as_array);
            metrics.flatten().any(is_tagged)
        };
        ensure!(
            of_direction.any(has_tags) == wanted,
            "listeners {direction} tag requests_total: wanted {wanted}"
        );
    }
    Ok(())
}

/// Everything that stands under this key, at any depth.
fn values_of<'a>(json: &'a Json, key: &str) -> Vec<&'a Json> {
    match json {
        Json::Object(fields) => {
            let here = fields.get(key).into_iter();
            here.chain(fields.values().flat_map(|value| values_of(value, key))).collect()
        }
        Json::Array(list) => list.iter().flat_map(|value| values_of(value, key)).collect(),
        _ => Vec::new(),
    }
}

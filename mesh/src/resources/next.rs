//! The next image of the filter: for labelled pods, for the pods of a service, for namespaces; then for all.
//!
//! A namespace's plugins name the image, so another image for a namespace is another URL. For some pods of it an EnvoyFilter
//! replaces the filter that istiod makes of the plugin by the same filter with the next image, so each pod runs exactly one of the
//! two, whichever object istiod learns of first (docs/decisions/22-mode-by-workload.md). The agent fetches it as a plugin's:
//! it converts whatever configuration of a filter has a remote module (`MaybeConvertWasmExtensionConfig` in istio/pkg/wasm/convert.go).

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use graylane_decide::{Role, names};
use serde_json::{Value as Json, json};

use super::replace::{self, FILTERS};
use super::{DataPlane, Kind, Options, Resource, Stage};
use crate::lower::Configurations;
use crate::mesh::{Fields, Mesh, Service};
use crate::serialise;

/// Label of pods that get the next image, and of the EnvoyFilters that give it to them.
pub const LABEL: &str = "graylane.dev/image";
/// Its value.
pub const VALUE: &str = "next";

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
/// What the agent puts in its place while the module cannot be fetched: a filter that allows everything.
const FALLBACK: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/// The next image.
#[derive(Clone, Debug, Default)]
pub struct Next {
    /// Where Istio gets it, written as it is.
    pub url: String,
    /// Namespaces, and services as `namespace/service`, whose pods get it besides those with [`LABEL`].
    pub places: Vec<String>,
}

impl Next {
    /// Do all plugins of this namespace get it?
    #[must_use]
    pub fn takes(&self, namespace: &str) -> bool {
        self.places.iter().any(|place| place == namespace)
    }
}

/// Is there what the next image is for?
///
/// # Errors
/// When there is not.
pub fn check(mesh: &Mesh, options: &Options) -> Result<()> {
    let Some(next) = &options.next else { return Ok(()) };
    ensure!(
        options.data_plane == DataPlane::Sidecar,
        "--next: its EnvoyFilters choose pods by label, which waypoints ignore: render waypoints with `--image` alone"
    );
    let gateways: BTreeSet<&str> = mesh.gateways().map(|(_, gateway)| gateway.namespace.as_str()).collect();
    for place in &next.places {
        match place.split_once('/') {
            None => ensure!(
                mesh.namespaces().contains(place.as_str()) || gateways.contains(place.as_str()),
                "--next-in: unknown namespace `{place}`, expected one of {}",
                mesh.namespaces().into_iter().chain(gateways.iter().copied()).collect::<Vec<_>>().join(", ")
            ),
            Some((namespace, service)) => ensure!(
                mesh.namespaces().contains(namespace) && crate::words::is_token(service),
                "--next-in: invalid place `{place}`: expected `namespace/service`, with a namespace of the file, as in `{}/api`",
                mesh.document.mesh.namespace
            ),
        }
    }
    Ok(())
}

/// EnvoyFilters for pods whose namespace has another image.
pub fn all(mesh: &Mesh, options: &Options) -> Vec<Resource> {
    let Some(next) = &options.next else { return Vec::new() };
    let mut all = Vec::new();
    let told = Configurations::of(mesh);
    for namespace in mesh.namespaces().into_iter().filter(|namespace| !next.takes(namespace)) {
        let services = next.places.iter().filter_map(|place| place.split_once('/'));
        let services = services.filter(|(of, _)| *of == namespace).map(|(_, service)| {
            let host =
                mesh.service(service).filter(|one| one.namespace == namespace).map(Service::short_host);
            let label = (names::SERVICE_LABELS[0], host.unwrap_or(service));
            (format!("next-{service}"), label)
        });
        for (name, label) in services.chain([("next".to_owned(), (LABEL, VALUE))]) {
            let roles = [Role::Inbound, Role::Outbound];
            all.extend(
                roles.map(|role| resource(mesh, options, next, (namespace, role, &told), &name, label)),
            );
        }
    }
    all
}

fn resource(
    mesh: &Mesh,
    options: &Options,
    next: &Next,
    (namespace, role, told): (&str, Role, &Configurations<'_>),
    name: &str,
    (label, value): (&str, &str),
) -> Resource {
    let plugin = format!("{namespace}.{}", super::resource_name(mesh, role.name()));
    let own = format!("graylane.{name}/{plugin}");
    let filter = filter(&plugin, role, &next.url, &told.within(role, namespace));
    let ours = replace::discovered(&own, &[WASM, FALLBACK]);
    let mut patches = vec![replace::configuration(role, &own, None, &filter)];
    patches.extend(FILTERS.map(|(before, behind)| {
        replace::patch(role, &format!("{before}{plugin}{behind}"), "REPLACE", None, &ours)
    }));
    let spec = Fields::from_iter([
        ("workloadSelector".to_owned(), json!({"labels": {label: value}})),
        ("configPatches".to_owned(), json!(patches)),
    ]);
    let name = format!("{name}-{}", role.name());
    let spec = super::Spec::Fields(spec);
    let mut resource = Resource::new(mesh, Kind::EnvoyFilter, Stage::Plugins, namespace, &name, spec);
    resource.metadata.labels.insert(LABEL.into(), VALUE.to_owned());
    if let Some(revision) = &options.istio_revision {
        resource.metadata.labels.insert(super::plugin::REVISION.into(), revision.clone());
    }
    resource
}

/// As istiod makes it of a plugin (`buildWasmConfig` in istio/pilot/pkg/model/extensions.go), under the plugin's own name: what is
/// remembered and counted goes on.
fn filter(plugin: &str, role: Role, url: &str, config: &graylane_decide::Config) -> Json {
    let text = serialise::json_text(config);
    let code = match url.strip_prefix("file://") {
        Some(file) => json!({"local": {"filename": file}}),
        // `nil`: not said, for the agent and for validation, which wants a text.
        None => {
            json!({"remote": {"http_uri": {"uri": url, "timeout": "30s", "cluster": "_"}, "sha256": "nil"}})
        }
    };
    json!({
        "@type": WASM,
        "config": {
            "name": plugin,
            "root_id": role.name(),
            "failure_policy": "FAIL_OPEN",
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": code,
                "environment_variables": {"key_values": {"ISTIO_META_WASM_IMAGE_PULL_POLICY": "IfNotPresent"}},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;
    use crate::resources::resources;

    const FILE: &str = "version: 1\nmesh: {name: m, namespace: a, namespaces: [b]}\ntenants: {green: {default: true}}\n\
        edge: {gateway: {selector: {istio: ingressgateway}}}\nservices: {api: {host: api-svc}}\n";

    fn rendered(places: &[&str]) -> (Mesh, Vec<Json>) {
        let loaded = document::load_text("graylane.yaml", FILE).unwrap();
        let mesh = Mesh::of(&crate::check::open(loaded).checked().unwrap());
        let places = places.iter().map(|place| (*place).to_owned()).collect();
        let next = Some(Next { url: "oci://registry/next@sha256:2".to_owned(), places });
        let options =
            Options { url: Some("oci://registry/now@sha256:1".to_owned()), next, ..Options::default() };
        check(&mesh, &options).unwrap();
        let all = resources(&mesh, &options).iter().map(Resource::json).collect();
        (mesh, all)
    }

    fn of_kind<'j>(all: &'j [Json], kind: &str) -> Vec<&'j Json> {
        all.iter().filter(|one| one["kind"] == kind).collect()
    }

    fn filters(all: &[Json]) -> Vec<String> {
        let filters = of_kind(all, "EnvoyFilter").into_iter();
        let filters = filters.filter(|one| one["metadata"]["labels"][LABEL] == VALUE);
        let text = |one: &Json| {
            let selector = one["spec"]["workloadSelector"]["labels"].to_string();
            format!(
                "{}/{} {selector}",
                one["metadata"]["namespace"].as_str().unwrap(),
                one["metadata"]["name"].as_str().unwrap()
            )
        };
        filters.map(text).collect()
    }

    #[test]
    fn labelled_pods_and_those_of_a_service_get_it_by_a_filter_in_place_of_the_plugins() {
        let (mesh, all) = rendered(&["a/api"]);
        let names = filters(&all);
        assert_eq!(
            names.len(),
            6,
            "two for the service, two for labelled pods of each namespace: {names:#?}"
        );
        assert!(
            names.contains(
                &r#"a/m-next-api-outbound {"service.istio.io/canonical-name":"api-svc"}"#.to_owned()
            ),
            "{names:#?}"
        );
        assert!(
            names.contains(&r#"b/m-next-inbound {"graylane.dev/image":"next"}"#.to_owned()),
            "{names:#?}"
        );
        for filter in
            of_kind(&all, "EnvoyFilter").into_iter().filter(|one| one["metadata"]["labels"][LABEL] == VALUE)
        {
            for patch in filter["spec"]["configPatches"].as_array().unwrap() {
                let operation = patch["patch"]["operation"].as_str().unwrap();
                assert!(["ADD", "REPLACE"].contains(&operation), "never a filter more: {patch}");
                if operation == "ADD" {
                    let config = &patch["patch"]["value"]["typed_config"]["config"];
                    let role = Role::named(config["root_id"].as_str().unwrap().as_bytes()).unwrap();
                    let text = config["configuration"]["value"].as_str().unwrap();
                    assert_eq!(
                        serde_json::from_str::<Json>(text).unwrap(),
                        crate::serialise::json(&crate::lower::config(&mesh, role))
                    );
                    assert_eq!(
                        config["vm_config"]["code"]["remote"]["http_uri"]["uri"],
                        "oci://registry/next@sha256:2"
                    );
                }
            }
        }
        for plugin in of_kind(&all, "WasmPlugin") {
            assert_eq!(plugin["spec"]["url"], "oci://registry/now@sha256:1");
        }
    }

    #[test]
    fn a_namespace_gets_it_by_its_plugins_and_the_gateway_by_its_own() {
        let (_, all) = rendered(&["a", "istio-system"]);
        for plugin in of_kind(&all, "WasmPlugin") {
            let now = plugin["metadata"]["namespace"] == "b";
            assert_eq!(plugin["spec"]["url"] == "oci://registry/now@sha256:1", now, "{plugin}");
        }
        assert_eq!(filters(&all).len(), 2, "labelled pods of the other namespace");
    }

    #[test]
    fn places_that_are_not_there_are_errors() {
        let loaded = document::load_text("graylane.yaml", FILE).unwrap();
        let mesh = Mesh::of(&crate::check::open(loaded).checked().unwrap());
        let said = |place: &str, data_plane| {
            let next = Some(Next { url: String::new(), places: vec![place.to_owned()] });
            check(&mesh, &Options { next, data_plane, ..Options::default() }).unwrap_err().to_string()
        };
        let sidecar = DataPlane::Sidecar;
        assert_eq!(
            said("c", sidecar),
            "--next-in: unknown namespace `c`, expected one of a, b, istio-system"
        );
        assert!(said("c/api", sidecar).ends_with("with a namespace of the file, as in `a/api`"));
        assert!(said("a", DataPlane::Ambient).contains("which waypoints ignore"));
    }
}

//! Where plugins get the filter, and which istiod reads them.

use graylane::resources::{Extension, Kind, Options, Resource, resources};
use serde_json::Value as Json;

use super::{mesh, root, url};

/// While Istio is upgraded, only plugins belong to one revision: routes are everybody's. Only the gateway's has a file for its module.
#[test]
fn plugins_are_of_a_revision_and_the_gateways_of_its_image() {
    let mesh = mesh(&root().join("examples/bank"));
    let file = Some("file:///graylane.wasm".to_owned());
    let options = Options {
        url: url(),
        gateway_url: file.clone(),
        istio_revision: Some("next".to_owned()),
        ..Options::default()
    };
    for extension in [Extension::WasmPlugin, Extension::TrafficExtension] {
        for resource in resources(&mesh, &Options { extension, ..options.clone() }) {
            let json = resource.json();
            let module = json["spec"]["url"].as_str().or_else(|| json.pointer("/spec/wasm/url")?.as_str());
            let is_gateway = resource.metadata.namespace == "istio-system";
            let is_plugin = matches!(resource.kind(), Kind::WasmPlugin | Kind::TrafficExtension);
            assert_eq!(json.pointer("/metadata/labels/istio.io~1rev").is_some(), is_plugin, "{json}");
            let wanted = is_plugin.then(|| if is_gateway { file.clone() } else { url() }).flatten();
            assert_eq!(module, wanted.as_deref(), "{json}");
        }
    }
}

#[test]
fn a_hash_key_reaches_the_gateway_alone_and_by_its_variable_only() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1
mesh: {name: m, namespace: m}
tenants: {green: {default: true}}
edge: {gateway: {selector: {istio: ingressgateway}, name: a/b}, traceContext: restart}
sticky: {hash: keyed, hashKeys: {k1: GRAYLANE_STICKY_KEY_1, k2: GRAYLANE_STICKY_KEY_2}, hashKey: k2, keys: [{header: x-user-id}], at: edge}
services:
  api: {expose: {hosts: [a.example]}, subsets: {stable: {v: '1'}, canary: {v: '2'}}, baseline: stable, rollout: {weights: {canary: 5}}}
";
    std::fs::write(folder.path().join("graylane.yaml"), text).unwrap();
    let all = resources(&mesh(folder.path()), &Options { url: url(), ..Options::default() });
    let plugins: Vec<Json> =
        all.iter().filter(|one| one.kind() == Kind::WasmPlugin).map(Resource::json).collect();
    assert_eq!(plugins.len(), 3);
    for plugin in plugins {
        let role = plugin["spec"]["pluginConfig"]["role"].as_str().unwrap().to_owned();
        let env = plugin["spec"]["vmConfig"]["env"].as_array().cloned().unwrap_or_default();
        let host: Vec<&Json> = env.iter().filter(|one| one["valueFrom"] == "HOST").collect();
        match role.as_str() {
            "gateway" => {
                assert_eq!(
                    host.iter().map(|one| &one["name"]).collect::<Vec<_>>(),
                    ["GRAYLANE_STICKY_KEY_1", "GRAYLANE_STICKY_KEY_2"]
                );
                assert!(host.iter().all(|one| one["value"].is_null()), "{host:?}");
            }
            _ => assert!(!plugin.to_string().contains("GRAYLANE_STICKY_KEY"), "{role}: {plugin}"),
        }
    }
}

//! Where plugins get the filter, and which istiod reads them.

use graylane::resources::{Extension, Kind, Options, resources};

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

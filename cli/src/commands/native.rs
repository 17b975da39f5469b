//! What `check` has to say of the native module: its risks, and what there is that would take it into a chain twice, or not at all.

use graylane_decide::Role;
use serde_json::Value as Json;

use crate::document::finding::Findings;
use crate::import::Resource;
use crate::mesh::Mesh;
use crate::resources::{NATIVE_LABEL, NATIVE_PROXIES, is_ours};
use graylane_mesh::native::{FILE, FILTER};

/// How names of plugins begin where istiod makes filters of them, and what it may put behind them.
const PLUGINS: [&str; 2] = ["extensions.istio.io/wasmplugin/", "extensions.istio.io/trafficextension/"];
const TRANSLATED: &str = "~istio-translated-wasmplugin";

/// Annotation by which a sidecar mounts a volume.
const MOUNTS: &str = "sidecar.istio.io/userVolumeMount";

/// What a mesh that takes it has to know.
pub fn risks(mesh: &Mesh, findings: &mut Findings) {
    findings
        .warning(None, "the native module is trusted code in the proxy: it could read each key and token there, and \
            if it crashes, Envoy crashes")
        .help("sign its image, name it by digest, mount it read-only, and let admission policies look at image volumes");
    findings
        .warning(None, "the native module runs only in proxies of Istio 1.31; others keep the filter in WebAssembly")
        .help("keep `--image` as it is for all pods, and render anew with a newer graylane before Istio is upgraded");
    for (ingress, gateway) in mesh.gateways() {
        let text = format!(
            "{} in `{}` runs the native module: without its file the gateway does not become ready, and with a module that is fetched \
             (`remote`) it would serve without one, and a stranger's `{}` would pass",
            ingress.title(),
            gateway.namespace,
            mesh.header
        );
        findings
            .warning(None, text)
            .help("mount the file from an image; switch sidecars first, the gateway last");
    }
}

/// What is there: EnvoyFilters with a native module, the plugins that they replace, and workloads that are labelled for it.
pub fn find(there: &[Resource], findings: &mut Findings) {
    let plugins: Vec<Plugin<'_>> = there.iter().filter_map(Plugin::of).collect();
    for resource in there.iter().filter(|resource| resource.kind == "EnvoyFilter") {
        let patches = resource.spec["configPatches"].as_array().map(Vec::as_slice).unwrap_or_default();
        if patches.iter().any(|patch| is_native(&patch["patch"]["value"])) {
            envoy_filter(resource, patches, &plugins, findings);
        }
    }
    there.iter().for_each(|resource| workload(resource, findings));
}

/// A plugin of ours.
struct Plugin<'r> {
    resource: &'r Resource,
    role: &'r str,
}

impl<'r> Plugin<'r> {
    fn of(resource: &'r Resource) -> Option<Self> {
        let wasm = match resource.kind.as_str() {
            "WasmPlugin" => &resource.spec,
            "TrafficExtension" => &resource.spec["wasm"],
            _ => return None,
        };
        let role = wasm["pluginConfig"]["role"].as_str().or_else(|| wasm["pluginName"].as_str())?;
        (is_ours(&resource.whole) && Role::named(role.as_bytes()).is_some())
            .then_some(Self { resource, role })
    }

    /// As EnvoyFilters name it: with its namespace.
    fn is(&self, name: &str) -> bool {
        name.split_once('.').is_some_and(|(namespace, name)| {
            self.resource.namespace == namespace && self.resource.name == name
        })
    }
}

/// Is this, or what it leads to, the filter of a native module?
fn is_native(value: &Json) -> bool {
    let discovered = value["config_discovery"]["type_urls"].as_array();
    value["typed_config"]["@type"] == FILTER
        || discovered.is_some_and(|urls| urls.iter().any(|url| url == FILTER))
}

fn envoy_filter(resource: &Resource, patches: &[Json], plugins: &[Plugin<'_>], findings: &mut Findings) {
    let place = resource.name_place();
    let title = resource.title();
    let warn = |findings: &mut Findings, text: &str, help: &str| {
        findings.warning(Some(place), format!("{title} {text}")).help(help);
    };
    if resource.spec["workloadSelector"]["labels"][NATIVE_LABEL] != "true" {
        warn(
            findings,
            "puts the native module into pods that may not have its file: those without it do not become ready",
            &format!(
                "select them by the label, as in `workloadSelector: {{labels: {{{NATIVE_LABEL}: \"true\"}}}}`"
            ),
        );
    }
    let native: Vec<&Json> = patches.iter().filter(|patch| is_native(&patch["patch"]["value"])).collect();
    if native.iter().any(|patch| patch["match"]["proxy"]["proxyVersion"] != NATIVE_PROXIES) {
        warn(
            findings,
            "selects proxies other than those that this native module was tested with",
            "select them as `graylane render --native` does: Istio 1.31",
        );
    }
    if native
        .iter()
        .any(|patch| patch.pointer("/patch/value/typed_config/dynamic_module_config/module/remote").is_some())
    {
        warn(
            findings,
            "fetches the module (`remote`): Envoy serves without it until it arrives, and a gateway lets a header from outside pass",
            &format!("mount the file, and write `module: {{local: {{filename: {FILE}}}}}`"),
        );
    }
    let mut replaced: Vec<&str> = Vec::new();
    for patch in native.iter().filter(|patch| patch["applyTo"] == "HTTP_FILTER") {
        let name = patch.pointer("/match/listener/filterChain/filter/subFilter/name").and_then(Json::as_str);
        let plugin = name.and_then(|name| PLUGINS.iter().find_map(|prefix| name.strip_prefix(prefix)));
        match plugin {
            Some(plugin) if patch["patch"]["operation"] == "REPLACE" => {
                replaced.push(plugin.strip_suffix(TRANSLATED).unwrap_or(plugin));
            }
            _ => warn(
                findings,
                "adds the native module to a filter chain in which graylane's plugin decides too",
                "replace the plugin's filter, as `graylane render --native` does",
            ),
        }
    }
    let Some(role) =
        plugins.iter().find(|plugin| replaced.iter().any(|name| plugin.is(name))).map(|plugin| plugin.role)
    else {
        if let Some(name) = replaced.first() {
            let text = format!(
                "replaces the filter of the plugin `{name}`, which does not exist: labelled pods run no filter at all"
            );
            warn(findings, &text, "apply the plugin as well; `graylane render --native` writes both");
        }
        return;
    };
    let beside = plugins.iter().filter(|plugin| {
        plugin.role == role
            && plugin.resource.namespace == resource.namespace
            && !replaced.iter().any(|name| plugin.is(name))
    });
    for plugin in beside {
        let text = format!(
            "is in the same chain as the native module of {title}: {role} requests would be decided twice"
        );
        findings
            .warning(Some(plugin.resource.name_place()), format!("{} {text}", plugin.resource.title()))
            .help("delete this plugin: the native module already replaces another one of the same role");
    }
}

/// A workload with the label, and without the file.
fn workload(resource: &Resource, findings: &mut Findings) {
    let pod = &resource.spec["template"];
    if pod["metadata"]["labels"][NATIVE_LABEL] != "true" {
        return;
    }
    let annotations = &pod["metadata"]["annotations"];
    let templates = annotations["inject.istio.io/templates"].as_str().unwrap_or_default();
    let is_gateway = templates.split(',').any(|template| template.trim() == "gateway");
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut proxies = containers.filter(|container| container["name"] == "istio-proxy");
    let has_mount = proxies.any(|proxy| proxy["volumeMounts"].as_array().is_some_and(|all| !all.is_empty()));
    // Whatever a template of somebody's own mounts.
    let has_file = has_mount || templates.contains(',') || annotations[MOUNTS].is_string() && !is_gateway;
    if !has_file && is_gateway {
        let text = format!(
            "{} has the label `{NATIVE_LABEL}` and its proxy mounts no file: its pods do not become ready",
            resource.title()
        );
        findings.warning(Some(resource.name_place()), text).help(
            "Istio's template for gateways reads no annotation for volumes: patch the gateway with `graylane render --native-pods gateway --native-image \
             REF@sha256:…`",
        );
    } else if !has_file {
        let text = format!(
            "{} has the label `{NATIVE_LABEL}` and mounts no file: its pods do not become ready",
            resource.title()
        );
        findings.warning(Some(resource.name_place()), text).help(format!(
            "add the annotations `sidecar.istio.io/userVolume` and `{MOUNTS}`, as `graylane render --native-pods patch` prints them"
        ));
    }
}

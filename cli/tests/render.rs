//! What `render` writes: the same bytes for the same file, in order, right by Istio's own schemas, and right without
//! the filter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use graylane::document;
use graylane::mesh::Mesh;
use graylane::resources::{DataPlane, Extension, Kind, Options, Resource, resources, stream};
use graylane::{check, istio};
use serde_json::Value as Json;

mod lines;
mod plugins;
mod telemetry;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every example that is in order, by name.
fn examples() -> Vec<(String, Mesh)> {
    let folders = std::fs::read_dir(root().join("examples")).unwrap();
    let mut all: Vec<(String, Mesh)> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("mistakes"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), mesh(&path)))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(all.len() >= 2);
    all
}

fn mesh(path: &Path) -> Mesh {
    Mesh::of(&document::open(&[path.to_owned()]).unwrap().checked().unwrap())
}

/// Those examples whose routes can be those of the Gateway API as they are.
fn in_gateway_api() -> Vec<(String, Mesh)> {
    let names = examples().into_iter().map(|(name, _)| name);
    let all: Vec<(String, Mesh)> = names
        .filter_map(|name| {
            let (mut layers, _) = document::as_written(&[root().join("examples").join(&name)]).unwrap();
            layers.push(vec![("form.yaml".to_owned(), "mesh: {routes: gateway-api}".to_owned())]);
            let file = check::open(document::of_texts(layers)).file?;
            Some((format!("{name}, gateway-api"), Mesh::of(&file)))
        })
        .collect();
    assert!(all.len() >= 8, "{}", all.len());
    all
}

fn url() -> Option<String> {
    // All digits, which YAML would take for a number without quotes.
    Some(format!("oci://registry.example/graylane@sha256:{}", "0".repeat(64)))
}

fn variants() -> Vec<Options> {
    let base = Options { url: url(), ..Options::default() };
    vec![
        base.clone(),
        Options { extension: Extension::TrafficExtension, ..base.clone() },
        Options { data_plane: DataPlane::Ambient, ..base.clone() },
        Options { without_filter: true, ..base.clone() },
        Options { native: Some("/graylane/libgraylane.so".to_owned()), ..base.clone() },
        Options { url: None, ..base },
    ]
}

#[test]
fn every_resource_is_right_by_istios_schema_and_reads_back() {
    for (name, mesh) in examples().into_iter().chain(in_gateway_api()) {
        for options in variants() {
            for resource in resources(&mesh, &options) {
                let json = resource.json();
                let schema = &schema(resource.kind());
                let validator = jsonschema::validator_for(schema).unwrap();
                let errors: Vec<String> = validator
                    .iter_errors(&json)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert_eq!(errors, [""; 0], "{name}: {}", resource.yaml());
                unknown_fields(
                    &json["spec"],
                    &schema["properties"]["spec"],
                    &format!("{name} {}", resource.metadata.name),
                );
                let back: Json = serde_saphyr::from_str(&resource.yaml()).unwrap();
                assert_eq!(back, json, "the YAML says something else");
            }
        }
    }
}

/// Istio's schemas are in the program, those of others in a folder beside them; a ConfigMap is texts by name.
fn schema(kind: Kind) -> Json {
    if kind == Kind::ConfigMap {
        return serde_json::json!({"properties": {"data": {"additionalProperties": {"type": "string"}}}});
    }
    istio::schema(kind.name()).cloned().unwrap_or_else(|| {
        let path = root().join(format!("mesh/schemas/{}.json", kind.name()));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    })
}

/// The API server refuses fields that the schema does not name; a JSON schema by itself does not.
fn unknown_fields(json: &Json, schema: &Json, place: &str) {
    match json {
        Json::Object(fields) => {
            let Some(known) = schema["properties"].as_object() else { return };
            for (key, value) in fields {
                assert!(known.contains_key(key), "{place}: unknown field {key}");
                unknown_fields(value, &known[key], &format!("{place}.{key}"));
            }
        }
        Json::Array(list) => list.iter().for_each(|value| unknown_fields(value, &schema["items"], place)),
        _ => {}
    }
}

#[test]
fn the_order_is_that_of_safe_application_and_the_bytes_are_stable() {
    for (name, mesh) in examples() {
        let options = Options { url: url(), ..Options::default() };
        let all = resources(&mesh, &options);
        let stages: Vec<_> = all.iter().map(Resource::stage).collect();
        assert!(stages.is_sorted(), "{name}: {stages:?}");
        assert_eq!(stream(&all), stream(&resources(&mesh, &options)));
        let names: BTreeSet<(Kind, &str, &str)> = all
            .iter()
            .map(|resource| {
                (resource.kind(), resource.metadata.namespace.as_str(), resource.metadata.name.as_str())
            })
            .collect();
        assert_eq!(names.len(), all.len(), "{name}: two resources of one name");
    }
}

#[test]
fn kinds_can_be_chosen_and_plugins_left_out() {
    let mesh = mesh(&root().join("examples/bank"));
    let kinds =
        |options: &Options| resources(&mesh, options).iter().map(Resource::kind).collect::<BTreeSet<_>>();
    let routing = BTreeSet::from([Kind::DestinationRule, Kind::VirtualService]);
    assert_eq!(kinds(&Options::default()), routing, "without a URL there are no plugins");
    let base = Options { url: url(), ..Options::default() };
    assert_eq!(kinds(&Options { without_filter: true, ..base.clone() }), routing);
    let extension = Options { extension: Extension::TrafficExtension, ..base.clone() };
    assert!(
        kinds(&extension).contains(&Kind::TrafficExtension) && !kinds(&extension).contains(&Kind::WasmPlugin)
    );
    let only = Some(BTreeSet::from([Kind::WasmPlugin, Kind::Telemetry]));
    assert_eq!(kinds(&Options { only, ..base }), BTreeSet::from([Kind::WasmPlugin, Kind::Telemetry]));
}

/// The subsets and weights that a request gets by a VirtualService alone.
fn routed<'a>(http: &'a [Json], headers: &[(&str, &str)], path: &str) -> Vec<(&'a str, u64)> {
    let fits = |one: &Json| {
        let header = |(name, want): (&String, &Json)| {
            headers.iter().any(|(is, value)| is == name && want["exact"] == **value)
        };
        one["headers"].as_object().is_none_or(|wanted| wanted.iter().all(header))
            && one["uri"]["prefix"].as_str().is_none_or(|prefix| path.starts_with(prefix))
            && one["uri"]["exact"].as_str().is_none_or(|exact| path == exact)
    };
    let rule =
        http.iter().find(|rule| rule["match"].as_array().is_none_or(|any| any.iter().any(fits))).unwrap();
    let target = |route: &'a Json| {
        (route["destination"]["subset"].as_str().unwrap(), route["weight"].as_u64().unwrap_or(100))
    };
    rule["route"].as_array().unwrap().iter().map(target).collect()
}

fn http(mesh: &Mesh, name: &str, options: &Options) -> Vec<Json> {
    let all = resources(mesh, options);
    let found =
        all.iter().find(|resource| resource.kind() == Kind::VirtualService && resource.metadata.name == name);
    found.unwrap().json()["spec"]["http"].as_array().unwrap().clone()
}

#[test]
fn beside_each_plugin_an_envoy_filter_replaces_it_where_a_pod_has_the_native_module() {
    let file = "/graylane/libgraylane.so".to_owned();
    let options = Options { url: url(), native: Some(file), ..Options::default() };
    let (mut filters, mut with_claims) = (0, 0);
    for (example, mesh) in examples() {
        let all = resources(&mesh, &options);
        for plugin in all.iter().filter(|resource| resource.kind() == Kind::WasmPlugin) {
            let (name, namespace) = (&plugin.metadata.name, &plugin.metadata.namespace);
            let spec = plugin.json()["spec"].clone();
            let role = spec["pluginName"].as_str().unwrap();
            let own = &mesh.document.mesh.name;
            let native = name.replacen(&format!("{own}-"), &format!("{own}-native-"), 1);
            let of_plugin = |resource: &&Resource| {
                resource.kind() == Kind::EnvoyFilter
                    && resource.metadata.namespace == *namespace
                    && resource.metadata.name == native
            };
            let filter = all.iter().find(of_plugin).unwrap().json();
            assert_eq!(filter["spec"]["workloadSelector"]["labels"]["graylane.dev/native"], "true");
            let patches = filter["spec"]["configPatches"].as_array().unwrap();
            assert!(patches.iter().all(|patch| patch["match"]["proxy"]["proxyVersion"].is_string()));
            let replaced = |prefix: &str| {
                let wanted = format!("extensions.istio.io/{prefix}/{namespace}.{name}");
                patches.iter().any(|patch| {
                    patch["patch"]["operation"] == "REPLACE"
                        && patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"] == wanted
                })
            };
            assert!(replaced("wasmplugin") && replaced("trafficextension"), "{example} {name}");
            let added = &patches[0]["patch"]["value"]["typed_config"];
            let text = added["filter_config"]["value"].as_str().unwrap();
            let configuration: Json = serde_json::from_str(text).unwrap();
            assert_eq!(configuration, spec["pluginConfig"], "{example} {name}");
            let claims =
                patches.iter().filter(|patch| patch["patch"]["operation"] == "INSERT_BEFORE").count();
            assert!(claims == 0 || role == "gateway");
            filters += 1;
            with_claims += usize::from(claims > 0);
        }
        let plain = resources(&mesh, &Options { url: url(), ..Options::default() });
        let kept: Vec<&Resource> =
            all.iter().filter(|resource| !resource.metadata.name.contains("-native-")).collect();
        assert_eq!(stream_of(&kept), stream_of(&plain.iter().collect::<Vec<_>>()), "{example}: nothing else");
    }
    assert!(filters > 10 && with_claims > 0, "{filters} {with_claims}");
}

fn stream_of(all: &[&Resource]) -> Vec<String> {
    all.iter().map(|resource| resource.yaml()).collect()
}

#[test]
fn without_the_filter_tenants_go_by_header_and_weights_split() {
    let mesh = mesh(&root().join("examples/shop"));
    for options in [Options::default(), Options { without_filter: true, ..Options::default() }] {
        let search = http(&mesh, "shop-search", &options);
        assert_eq!(routed(&search, &[("tenant", "gray-v1")], "/"), [("fast", 100)]);
        assert_eq!(
            routed(&search, &[("tenant", "partner-acme")], "/"),
            [("stable", 100)],
            "outside the rollout"
        );
        let weighted = [("cheap", 250), ("fast", 1000), ("stable", 8750)];
        for live in [&[("tenant", "green")][..], &[], &[("tenant", "unheard-of")]] {
            assert_eq!(routed(&search, live, "/"), weighted);
        }
        let orders = http(&mesh, "shop-orders", &options);
        assert_eq!(routed(&orders, &[("tenant", "partner-acme")], "/list"), [("stable", 100)]);
        assert_eq!(
            routed(&orders, &[("tenant", "partner-acme")], "/checkout/1"),
            [("canary", 1), ("stable", 99)]
        );
        assert_eq!(routed(&orders, &[("tenant", "gray-v1")], "/pay"), [("stable", 100)]);
        assert_eq!(routed(&orders, &[], "/list"), [("canary", 25), ("stable", 75)]);
        let web = http(&mesh, "shop-web", &options);
        assert_eq!(routed(&web, &[("tenant", "gray-v1")], "/"), [("canary-or-baseline", 100)]);
    }
}

#[test]
fn with_the_filter_its_choice_counts_first_and_goes_no_further() {
    let mesh = mesh(&root().join("examples/shop"));
    let search = http(&mesh, "shop-search", &Options::default());
    for subset in ["cheap", "fast", "stable"] {
        let value = format!("search.shop.svc.cluster.local/{subset}");
        let headers = [("tenant", "green"), ("x-graylane-subset", value.as_str())];
        assert_eq!(routed(&search, &headers, "/"), [(subset, 100)]);
        let another = [("tenant", "gray-v1"), ("x-graylane-subset", "other.shop.svc.cluster.local/cheap")];
        assert_eq!(routed(&search, &another, "/"), [("fast", 100)], "a choice for another service is none");
    }
    let removed = |rule: &&Json| rule["headers"]["request"]["remove"][0] == "x-graylane-subset";
    assert_eq!(search.iter().filter(removed).count(), 3);
    let plain = http(&mesh, "shop-search", &Options { without_filter: true, ..Options::default() });
    assert!(!serde_json::to_string(&plain).unwrap().contains("x-graylane-subset"), "a stranger could choose");
}

#[test]
fn services_that_share_a_public_host_share_its_virtual_service() {
    let mesh = mesh(&root().join("examples/shop"));
    let shown = http(&mesh, "shop-host-shop.example.com", &Options::default());
    assert_eq!(routed(&shown, &[("tenant", "gray-v1")], "/search?q=x"), [("fast", 100)]);
    assert_eq!(routed(&shown, &[("tenant", "gray-v1")], "/"), [("canary-or-baseline", 100)]);
    assert!(shown.iter().all(|rule| rule["route"][0]["destination"]["port"]["number"] == 8080));
}

#[test]
fn responses_leave_the_mesh_without_our_headers() {
    let mesh = mesh(&root().join("examples/edge"));
    let shown = http(&mesh, "shop-host-shop.example.com", &Options::default());
    let cookie = "%FILTER_STATE(wasm.cookie:PLAIN)%";
    for rule in &shown {
        let response = &rule["headers"]["response"];
        let removed: Vec<&str> =
            response["remove"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
        assert_eq!(removed, ["tenant", "x-graylane-subset", "baggage", "x-graylane-debug"]);
        assert_eq!(response["add"]["set-cookie"], cookie);
    }
    let inside = http(&mesh, "shop-web", &Options::default());
    assert!(inside.iter().all(|rule| rule["headers"]["response"].is_null()), "inside nobody is a stranger");
    let plain =
        http(&mesh, "shop-host-shop.example.com", &Options { without_filter: true, ..Options::default() });
    assert!(!serde_json::to_string(&plain).unwrap().contains(cookie), "nobody would make it");
}

#[test]
fn a_request_authentication_is_written_where_the_file_asks() {
    let text = std::fs::read_to_string(root().join("examples/edge/graylane.yaml")).unwrap();
    let render = "{render: true, issuer: https://id.example, jwksUri: https://id.example/keys}";
    let text = text.replace("{issuer: https://id.example}", render);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("graylane.yaml"), text).unwrap();
    let all = resources(&self::mesh(folder.path()), &Options::default());
    let written: Vec<&Resource> =
        all.iter().filter(|resource| resource.kind() == Kind::RequestAuthentication).collect();
    let [one] = written[..] else { panic!("{written:?}") };
    let json = one.json();
    assert_eq!(one.metadata.namespace, "istio-system");
    let rules = serde_json::json!([{
        "issuer": "https://id.example", "jwksUri": "https://id.example/keys", "forwardOriginalToken": true,
    }]);
    assert_eq!(json["spec"]["jwtRules"], rules);
    assert_eq!(json["spec"]["selector"]["matchLabels"]["istio"], "ingressgateway");
    let validator = jsonschema::validator_for(istio::schema("RequestAuthentication").unwrap()).unwrap();
    assert_eq!(validator.iter_errors(&json).count(), 0);
}

#[test]
fn goldens_are_current() {
    for (name, mesh) in examples() {
        if name == "eighty" {
            // 6,000 lines that say the same eighty times.
            continue;
        }
        let text = stream(&resources(&mesh, &Options { url: url(), ..Options::default() }));
        let path = root().join("examples").join(&name).join("rendered/all.yaml");
        if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(is == text, "examples/{name}/rendered/all.yaml is not current: run `make docs`");
        for (file, text) in graylane::resources::overlays(&mesh) {
            let path = path.with_file_name(file);
            if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let is = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(is == text, "{} is not current: run `make docs`", path.display());
        }
    }
}

#[test]
fn removing_a_tenant_removes_its_topics_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("examples/events/graylane.yaml")).unwrap();
    let write = |text: &str| {
        let loaded = document::load_text("graylane.yaml", text).unwrap();
        let mesh = Mesh::of(&check::open(loaded).checked().unwrap());
        graylane::resources::write(&mesh, &resources(&mesh, &Options::default()), folder.path()).unwrap()
    };
    let overlay = folder.path().join("workers/invoice-mailer/gray-v1/patch.yaml");
    assert_eq!(write(&text).topics_gone, [""; 0]);
    assert!(overlay.is_file());
    let written = write(&text.replace("tenants: [gray-v1]", "tenants: []"));
    let gone =
        ["00-kafkatopic.kafka.bank-orders.gray-v1.yaml", "00-kafkatopic.kafka.bank-payments.gray-v1.yaml"];
    assert_eq!(written.topics_gone, gone);
    assert!(!overlay.exists());
}

#[test]
fn a_folder_has_a_file_for_each_resource_and_none_from_before() {
    let mesh = mesh(&root().join("examples/bank"));
    let folder = tempfile::tempdir().unwrap();
    let listing = || {
        let names = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let with = Options { url: url(), ..Options::default() };
    std::fs::write(folder.path().join("mine.yaml"), "kept: true\n").unwrap();
    graylane::resources::write(&mesh, &resources(&mesh, &with), folder.path()).unwrap();
    let all = listing();
    assert!(
        all.contains("20-wasmplugin.bank.bank-outbound.yaml") && all.contains("kustomization.yaml"),
        "{all:?}"
    );
    let kustomization = std::fs::read_to_string(folder.path().join("kustomization.yaml")).unwrap();
    for name in all.iter().filter(|name| !["kustomization.yaml", "mine.yaml"].contains(&name.as_str())) {
        assert!(kustomization.contains(&format!("- {name}\n")), "{name}");
    }
    graylane::resources::write(&mesh, &resources(&mesh, &Options::default()), folder.path()).unwrap();
    assert!(listing().iter().all(|name| !name.contains("wasmplugin")), "what is no longer rendered goes");
    assert!(listing().contains("mine.yaml"), "what is not ours stays");
}

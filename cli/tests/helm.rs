//! Charts, with the real Helm: the same objects as plain YAML, for the same values. `make e2e-helm` builds Helm and runs
//! these; `$HELM` is the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;

/// Kind, namespace and name.
type Objects = BTreeMap<(String, String, String), Json>;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn helm(args: &[&str]) -> Output {
    let program = std::env::var_os("HELM").expect("$HELM: run `make e2e-helm`");
    Command::new(program).args(args).output().unwrap()
}

fn graylane(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_graylane")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file with every form of a route.
fn forms() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms.yaml")
}

fn image() -> String {
    format!("registry.example/graylane@sha256:{}", "0".repeat(64))
}

fn objects(yaml: &str) -> Objects {
    let documents: Vec<Json> = serde_saphyr::from_multiple(yaml).unwrap();
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    documents
        .into_iter()
        .filter(|object| !object.is_null())
        .map(parsed)
        .map(|object| {
            let metadata = &object["metadata"];
            ((text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])), object)
        })
        .collect()
}

/// With the configuration of a native module as JSON: a chart writes its fields in another order.
fn parsed(mut object: Json) -> Json {
    let value = object.pointer_mut("/spec/configPatches/0/patch/value/typed_config/filter_config/value");
    if let Some(value) = value {
        *value = serde_json::from_str(value.as_str().unwrap()).unwrap();
    }
    object
}

struct Chart {
    folder: TempDir,
    files: Vec<String>,
}

impl Chart {
    fn of(files: &[&Path], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<String> =
            files.iter().flat_map(|file| ["-f".to_owned(), file.display().to_string()]).collect();
        let mut args = vec!["render", "--format", "helm", "--out", folder.path().to_str().unwrap()];
        args.extend(files.iter().map(String::as_str));
        args.extend(options);
        graylane(&args);
        Self { folder, files }
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn template(&self, set: &[&str]) -> Output {
        helm(&[&["template", "release", self.path()], set].concat())
    }

    fn objects(&self, set: &[&str]) -> Objects {
        let output = self.template(set);
        assert!(output.status.success(), "{set:?}: {}", String::from_utf8_lossy(&output.stderr));
        objects(&String::from_utf8(output.stdout).unwrap())
    }

    /// Says why Helm refuses these values.
    fn refused(&self, set: &[&str]) -> String {
        let output = self.template(set);
        assert!(!output.status.success(), "{set:?} is taken");
        String::from_utf8(output.stderr).unwrap()
    }

    fn plain(&self, further: &[&str]) -> Objects {
        let mut args = vec!["render"];
        args.extend(self.files.iter().map(String::as_str));
        args.extend(further);
        objects(&graylane(&args))
    }
}

fn same(chart: &Objects, plain: &Objects) {
    assert_eq!(chart.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (key, object) in plain {
        assert_eq!(&chart[key], object, "{key:?}");
    }
}

#[test]
#[ignore = "needs $HELM"]
fn charts_plain_yaml_and_kustomizations_are_the_same_objects() {
    let (mut count, mut paths) = (0, Vec::new());
    for entry in std::fs::read_dir(example("")).unwrap() {
        let path = entry.unwrap().path();
        // A chart has no words for routes that are external.
        let theirs = ["argo-rollouts", "flagger"].iter().any(|name| path.ends_with(name));
        if !path.is_dir() || path.ends_with("mistakes") || theirs {
            continue;
        }
        paths.push(path);
    }
    paths.push(forms());
    for path in paths {
        let image = image();
        let with: [&[&str]; 6] = [
            &["--image", &image],
            &["--image", &image, "--extension", "traffic-extension"],
            &["--image", &image, "--data-plane", "ambient"],
            &["--image", &image, "--native"],
            &["--without-filter"],
            &[],
        ];
        for options in with {
            // Waypoints stand before services, and the one has none; the other's batch needs a sidecar.
            let of_sidecars = ["header-only", "bank"].iter().any(|name| path.ends_with(name));
            if options.contains(&"ambient") && of_sidecars {
                continue;
            }
            let chart = Chart::of(&[&path], options);
            let lint = helm(&["lint", "--strict", chart.path()]);
            assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
            let plain = chart.plain(options);
            same(&chart.objects(&[]), &plain);
            assert_eq!(chart.template(&[]).stdout, chart.template(&[]).stdout, "two renders differ");
            let folder = tempfile::tempdir().unwrap();
            chart.plain(&[options, &["--out", folder.path().to_str().unwrap()]].concat());
            same(&kustomization(folder.path()), &plain);
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

/// The resources of a kustomization that lists resources only.
fn kustomization(folder: &Path) -> Objects {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let kustomization: Json = serde_saphyr::from_str(&read("kustomization.yaml")).unwrap();
    let keys: Vec<&String> = kustomization.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["apiVersion", "kind", "resources"]);
    let files = kustomization["resources"].as_array().unwrap();
    files.iter().flat_map(|file| objects(&read(file.as_str().unwrap()))).collect()
}

/// A chart with values set is what the file with the same override renders.
fn as_if(example_name: &str, set: &[&str], overrides: &str) -> Objects {
    file_as_if(&example(example_name), set, overrides)
}

fn file_as_if(base: &Path, set: &[&str], overrides: &str) -> Objects {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), overrides).unwrap();
    let image = image();
    let chart = Chart::of(&[base], &["--image", &image]);
    let overridden = chart.plain(&["-f", file.path().to_str().unwrap(), "--image", &image]);
    let set = chart.objects(set);
    same(&set, &overridden);
    set
}

#[test]
#[ignore = "needs $HELM"]
fn a_weight_that_is_set_reaches_routes_and_filter() {
    let set = ["--set", "services.api.weights.canary=50"];
    let all = as_if("bank", &set, "services: {api: {rollout: {weights: {canary: 50}}}}");
    let object = |kind: &str, name: &str| {
        let found = all.iter().find(|((is, _, named), _)| is == kind && named == name);
        found.unwrap().1
    };
    let http = object("VirtualService", "bank-api")["spec"]["http"].as_array().unwrap();
    let last = &http[http.len() - 1]["route"];
    assert_eq!((&last[0]["weight"], &last[1]["weight"]), (&50.into(), &50.into()));
    let plugin = &object("WasmPlugin", "bank-outbound")["spec"]["pluginConfig"];
    assert_eq!(plugin["services"][0]["rollout"]["weights"][0]["buckets"], 5000);
    let json = serde_json::to_vec(plugin).unwrap();
    assert!(graylane_decide::config::parse(&json).is_ok(), "the filter reads it");
}

#[test]
#[ignore = "needs $HELM"]
fn an_environment_takes_the_native_module_or_leaves_it() {
    let image = image();
    let options = ["--image", &image, "--native"];
    let chart = Chart::of(&[&example("bank")], &options);
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), "services: {api: {rollout: {weights: {canary: 50}}}}").unwrap();
    let overrides = ["-f", file.path().to_str().unwrap()];
    let other = "--native=/elsewhere/libgraylane.so";
    same(
        &chart.objects(&["--set", "services.api.weights.canary=50,native.file=/elsewhere/libgraylane.so"]),
        &chart.plain(&[&overrides[..], &["--image", &image, other]].concat()),
    );
    same(&chart.objects(&["--set", "native.enabled=false"]), &chart.plain(&["--image", &image]));
    assert!(chart.refused(&["--set", "native.file=libgraylane.so"]).contains("native/file"));
}

#[test]
#[ignore = "needs $HELM"]
fn every_value_is_what_the_file_would_say() {
    let set = |values: &'static str| ["--set-json", values];
    as_if(
        "bank",
        &set(
            r#"services.api={"weights": {"canary": 0.29}, "tenants": ["green", "gray-v1"], "pins": {"gray-v1": null}}"#,
        ),
        "services: {api: {pins: null, rollout: {weights: {canary: 0.29}, tenants: [green, gray-v1]}}}",
    );
    as_if(
        "bank",
        &set(r#"services={"api": {"weights": {"canary": null}}, "orders": {"weights": {"canary": null}}}"#),
        "services: {api: {rollout: null}, orders: {rollout: null}}",
    );
    as_if(
        "shop",
        &set(r#"services={"web": {"pins": {"partner-acme": "canary"}, "weights": {"canary": 100}}}"#),
        "services: {web: {pins: {partner-acme: canary}, rollout: {weights: {canary: 100}}}}",
    );
    as_if(
        "shop",
        &set(
            r#"services={"web": {"hosts": ["shop.example.org", "*.shop.example.com"]}, "search": {"hosts": ["shop.example.org"]}}"#,
        ),
        "services: {web: {expose: {hosts: [shop.example.org, '*.shop.example.com']}}, search: {expose: {hosts: [shop.example.org]}}}",
    );
    as_if(
        "shop",
        &set(r#"services={"search": {"weights": {"fast": 0, "cheap": 33.33}}}"#),
        "services: {search: {rollout: {weights: {fast: 0, cheap: {percent: 33.33, from: top}}}}}",
    );
}

#[test]
#[ignore = "needs $HELM"]
fn values_choose_in_every_form_of_a_route() {
    let as_if = |values: &str, overrides: &str| {
        file_as_if(&forms(), &["--set-json", values], overrides);
    };
    // Routes that stand alone, that answer or that say something of tenants stay; the others choose as the service.
    as_if(
        r#"services.cart={"pins": {"partner": "canary"}, "weights": {"canary": 30, "next": null}, "tenants": ["green"]}"#,
        "services: {cart: {pins: {partner: canary}, rollout: {weights: {canary: 30, next: null}, tenants: [green]}}}",
    );
    as_if(
        r#"services.web={"weights": {"canary": 50}, "pins": {"gray-v1": "stable", "partner": "canary"}, "hosts": ["a.example.com", "b.example.com"]}"#,
        "services: {web: {pins: {gray-v1: stable, partner: canary}, rollout: {weights: {canary: 50}}, expose: {hosts: [a.example.com, b.example.com]}}}",
    );
    as_if(
        r#"services.pay={"weights": {"canary": 0, "old": 12.34}, "pins": {"gray-v1": "old"}}"#,
        "services: {pay: {pins: {gray-v1: old}, rollout: {weights: {canary: 0, old: 12.34}}}}",
    );
    as_if(
        r#"services={"stock": {"pins": {"partner": "canary"}}, "search-admin": {"pins": {"gray-v1": null}}}"#,
        "services: {stock: {pins: {partner: canary}}, search-admin: {pins: null}}",
    );
}

#[test]
#[ignore = "needs $HELM"]
fn values_that_no_file_could_say_are_refused() {
    let chart = Chart::of(&[&example("shop")], &["--image", &image()]);
    let says = |set: &str, parts: &[&str]| {
        let said = chart.refused(&["--set-json", set]);
        for part in parts {
            assert!(said.contains(part), "{set}: `{part}` is not in {said}");
        }
    };
    says(r#"services.search.weight={"fast": 1}"#, &["services/search", "'weight'"]);
    says(r#"services.serch={}"#, &["'serch'"]);
    says(r#"weights={}"#, &["'weights'"]);
    says(r#"services.search.weights.stable=1"#, &["'stable'"]);
    says(r#"services.search.weights.fast=101"#, &["services/search/weights/fast", "101"]);
    says(r#"services.search.weights.fast=33.333"#, &["services.search.weights.fast: invalid weight 33.333"]);
    says(r#"services.search.weights.fast=99"#, &["services.search.weights: they add up to more than 100 %"]);
    says(r#"services.search.pins.blue="fast""#, &["'blue'"]);
    says(r#"services.search.tenants=["blue"]"#, &["services/search/tenants/0"]);
    says(r#"image.digest="latest""#, &["image/digest"]);
}

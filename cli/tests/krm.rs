//! `graylane krm`, as kustomize and others call it: a list of objects in, a list of objects out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Exit code, standard output, standard error.
fn run(input: &Json) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .arg("krm")
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn list(arguments: &[&str], items: &[Json]) -> Json {
    json!({
        "apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items,
        "functionConfig": {
            "apiVersion": "graylane.dev/v1", "kind": "Render", "metadata": {"name": "shop"}, "spec": {"arguments": arguments},
        },
    })
}

fn answer(input: &Json) -> Json {
    let (code, out, err) = run(input);
    assert_eq!(code, 0, "{err}");
    serde_saphyr::from_str(&out).unwrap()
}

const ARGUMENTS: [&str; 4] = ["--file", "cli/tests/cmd/shop.yaml", "--wasm-url", "file:///graylane.wasm"];

fn names(answer: &Json) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            format!("{} {}", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn what_is_somebody_elses_stays_and_what_is_ours_is_renewed() {
    let other = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "shop"}, "spec": {"x": [1, "01"]}});
    let old = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "shop-gone", "namespace": "shop", "labels": {"app.kubernetes.io/managed-by": "graylane", "app.kubernetes.io/part-of": "shop"}},
        "spec": {"hosts": ["gone.shop.svc.cluster.local"]},
    });
    let first = answer(&list(&ARGUMENTS, &[other.clone(), old]));
    assert_eq!(first["apiVersion"], "config.kubernetes.io/v1");
    assert_eq!(first["items"][0], other, "byte for byte, `01` a text still");
    let all = names(&first);
    assert!(!all.contains(&"VirtualService shop-gone".to_owned()), "{all:?}");
    assert!(all.iter().any(|name| name.starts_with("WasmPlugin ")), "{all:?}");

    // As a transformer it gets its own objects back: nothing changes.
    let again = answer(&list(&ARGUMENTS, first["items"].as_array().unwrap()));
    assert_eq!(again, first);
}

#[test]
fn what_is_no_list_or_no_function_says_what_was_expected() {
    let said = |input: &Json| {
        let (code, out, err) = run(input);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        err
    };
    assert!(
        said(&json!({"kind": "List", "apiVersion": "v1"}))
            .contains("expected a ResourceList of config.kubernetes.io/v1, got `List` of `v1`")
    );
    let mut without = list(&ARGUMENTS, &[]);
    without["functionConfig"] = Json::Null;
    assert!(said(&without).contains("expected `functionConfig: {apiVersion: graylane.dev/v1, kind: Render"));
    let mut other = list(&ARGUMENTS, &[]);
    other["functionConfig"]["kind"] = "ConfigMap".into();
    assert!(said(&other).contains("unknown function `ConfigMap`"));
    assert!(said(&list(&["--out", "x"], &[])).contains("leave out `--out`"));
    assert!(said(&list(&["--nothing"], &[])).contains("unexpected argument '--nothing'"));
    assert!(said(&list(&["--file", "cli/tests/cmd/broken.yaml"], &[])).contains("3 errors"));
}

/// An object of somebody else's with the name of one of ours would be lost without a word.
#[test]
fn what_is_there_by_that_name_is_not_replaced() {
    let theirs = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "shop-inbound", "namespace": "shop"}, "spec": {"url": "oci://x"}});
    let (code, _, err) = run(&list(&ARGUMENTS, &[theirs]));
    assert_eq!(code, 2);
    assert!(err.contains("\"shop-inbound\" already exists, and graylane did not create it"), "{err}");
}

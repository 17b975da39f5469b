//! docs/gitops.md, tried: with the real kustomize (`make e2e-helm` builds it; `$KUSTOMIZE` is the program), under the name that makes
//! it a plugin of kubectl, and the command of Argo CD's plugin as the page has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_graylane");
const IMAGE: &str =
    "registry.example/graylane@sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Objects by kind and name.
fn objects(yaml: &str) -> BTreeMap<String, Json> {
    let all: Vec<Json> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().map(|one| (format!("{} {}", one["kind"], one["metadata"]["name"]), one)).collect()
}

fn rendered() -> BTreeMap<String, Json> {
    let arguments = ["render", "-f", "examples/bank/graylane.yaml", "--image", IMAGE];
    objects(&text(Command::new(PROGRAM).args(arguments).current_dir(root()).output().unwrap()))
}

/// The block of a page of docs/ that begins with this line.
fn block(page: &str, begin: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    let found = blocks.map(|block| block.split_once('\n').unwrap().1).find(|block| block.starts_with(begin));
    found.unwrap_or_else(|| panic!("no block begins with `{begin}`")).to_owned()
}

/// A folder as the page describes it: the file, the function, a link to the program, and somebody else's object.
fn folder(role: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::copy(root().join("examples/bank/graylane.yaml"), folder.path().join("graylane.yaml")).unwrap();
    put("render.yaml", &block("gitops.md", "apiVersion: graylane.dev/v1").replace("REF@sha256:…", IMAGE));
    put("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: bank}\n");
    put("kustomization.yaml", &format!("resources: [service.yaml]\n{role}: [render.yaml]\n"));
    std::os::unix::fs::symlink(PROGRAM, folder.path().join("graylane-krm")).unwrap();
    folder
}

#[test]
#[ignore = "wants $KUSTOMIZE: make e2e-helm"]
fn kustomize_runs_it_as_generator_and_as_transformer() {
    let program = std::env::var_os("KUSTOMIZE").expect("$KUSTOMIZE: run `make e2e-helm`");
    for role in ["generators", "transformers"] {
        let folder = folder(role);
        let build = ["build", "--enable-alpha-plugins", "--enable-exec", "."];
        let built = Command::new(&program).args(build).current_dir(folder.path()).output().unwrap();
        let mut built = objects(&text(built));
        assert!(built.remove("\"Service\" \"api\"").is_some(), "{role}: somebody else's object stays");
        assert_eq!(built, rendered(), "{role}");
    }
}

#[test]
fn a_link_makes_it_a_plugin_of_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kubectl-graylane");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let output = Command::new(&link).args(["check", "--nonsense"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Usage: kubectl graylane check [OPTIONS]"), "{said}");
    let version = text(Command::new(&link).arg("--version").output().unwrap());
    assert!(version.starts_with("graylane "), "{version}");
}

/// Argo CD runs it in the folder of the application, with variables of the application under other names.
#[test]
fn argo_cds_plugin_generates_what_render_prints() {
    let plugin: Json = serde_saphyr::from_str(&block(
        "gitops.md",
        "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin",
    ))
    .unwrap();
    let application = root().join("examples/bank");
    let discovered = plugin["spec"]["discover"]["fileName"].as_str().unwrap();
    assert!(application.join(discovered).exists());
    let words: Vec<String> = serde_json::from_value(plugin["spec"]["generate"]["command"].clone()).unwrap();
    let more: Vec<String> = serde_json::from_value(plugin["spec"]["generate"]["args"].clone()).unwrap();
    let folder = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let output = Command::new(&words[0])
        .args(words[1..].iter().chain(&more))
        .current_dir(application)
        .env("PATH", path)
        .env("ARGOCD_ENV_GRAYLANE_IMAGE", IMAGE)
        .output()
        .unwrap();
    let mut generated = objects(&text(output));
    let mut waves = BTreeMap::new();
    for (name, object) in &mut generated {
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        let wave: u8 =
            annotations.remove("argocd.argoproj.io/sync-wave").unwrap().as_str().unwrap().parse().unwrap();
        waves.insert(name.replace('"', ""), wave);
    }
    assert_eq!(generated, rendered());
    let order = [
        "DestinationRule bank-api",
        "WasmPlugin bank-outbound",
        "VirtualService bank-api",
        "WasmPlugin bank-gateway",
    ];
    let order: Vec<u8> = order.iter().map(|name| waves[*name]).collect();
    assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{waves:?}");
}

/// A workload of each kind, and where its pods' template is.
const WORKLOADS: [(&str, &str, &str); 5] = [
    ("Deployment", "apps/v1", "/spec/template"),
    ("StatefulSet", "apps/v1", "/spec/template"),
    ("Job", "batch/v1", "/spec/template"),
    ("CronJob", "batch/v1", "/spec/jobTemplate/spec/template"),
    ("Rollout", "argoproj.io/v1alpha1", "/spec/template"),
];

#[test]
#[ignore = "wants $KUSTOMIZE: make e2e-helm"]
fn kustomize_makes_a_tenants_workload_of_every_kind_that_runs_workers() {
    let program = std::env::var_os("KUSTOMIZE").expect("$KUSTOMIZE: run `make e2e-helm`");
    for (kind, api, template) in WORKLOADS {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let file = std::fs::read_to_string(root().join("examples/events/graylane.yaml")).unwrap();
        let file = file.replace("  invoice-mailer:\n", &format!("  invoice-mailer:\n    kind: {kind}\n"));
        std::fs::write(path("graylane.yaml"), file).unwrap();
        let mut render = Command::new(PROGRAM);
        render.args(["render", "-f"]).arg(path("graylane.yaml")).arg("--out").arg(path("out"));
        text(render.output().unwrap());
        let pods = serde_json::json!({
            "metadata": {"labels": {"app": "invoice-mailer"}},
            "spec": {"containers": [{"name": "invoice-mailer", "image": "mailer:1", "env": [{"name": "A", "value": "b"}]}]},
        });
        let mut workload = serde_json::json!({
            "apiVersion": api, "kind": kind, "metadata": {"name": "invoice-mailer", "namespace": "bank"},
        });
        let has_selector = !["Job", "CronJob"].contains(&kind);
        workload["spec"] = match kind {
            "CronJob" => {
                serde_json::json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": pods}}})
            }
            _ => serde_json::json!({"template": pods}),
        };
        if has_selector {
            workload["spec"]["selector"] = serde_json::json!({"matchLabels": {"app": "invoice-mailer"}});
        }
        std::fs::write(path("workload.yaml"), workload.to_string()).unwrap();
        let component = "resources: [workload.yaml]\ncomponents: [out/workers/invoice-mailer/gray-v1]\n";
        std::fs::write(path("kustomization.yaml"), component).unwrap();
        let built = Command::new(&program).args(["build", "."]).current_dir(folder.path()).output().unwrap();
        let built: Json = serde_saphyr::from_str(&text(built)).unwrap();
        assert_eq!(built["metadata"]["name"], "invoice-mailer-gray-v1", "{built}");
        let pods = built.pointer(template).unwrap();
        assert_eq!(pods["metadata"]["labels"]["graylane.dev/tenant"], "gray-v1", "{kind}: {built}");
        let container = &pods["spec"]["containers"][0];
        assert_eq!(container["image"], "mailer:1", "{kind}: {built}");
        let value = |name: &str| {
            let all = container["env"].as_array().unwrap();
            all.iter().find(|one| one["name"] == name).map(|one| one["value"].clone())
        };
        assert_eq!(value("A"), Some("b".into()), "{kind}: {built}");
        assert_eq!(value("TOPIC_ORDERS"), Some("orders.gray-v1".into()), "{kind}: {built}");
        assert_eq!(value("CONSUMER_GROUP"), Some("invoice-mailer.gray-v1".into()), "{kind}: {built}");
        if has_selector {
            let selector = &built["spec"]["selector"]["matchLabels"];
            assert_eq!(selector["graylane.dev/tenant"], "gray-v1", "{kind}: {built}");
        }
    }
}

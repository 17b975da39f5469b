//! Every case at every level: the decision alone, in the small host, through the hooks of the native module, in real Envoy
//! with either module.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use graylane::envoy::{config, locate};
use graylane_cases::play::{Played, outside_of_envoy, play};
use graylane_mesh::native;
use graylane_tests::case::{self, Case, Suite};
use graylane_tests::host::native_path;
use graylane_tests::level::Level;
use graylane_tests::level::envoy::{Fleet, Module};
use graylane_tests::level::hooks::Hooks;
use graylane_tests::level::native::Native;
use graylane_tests::level::wasm::Wasm;
use serde_json::json;

/// Runs all suites, each case at a level of its own making; shows everything that failed.
fn check<'s>(
    suites: &'s [Suite],
    level_name: &str,
    level: impl FnMut(&'s Suite) -> Box<dyn Level + 's>,
) -> usize {
    let in_envoy = |case: &Case| case.not_in_envoy.is_none();
    let is_here = if level_name.starts_with("envoy") { in_envoy } else { outside_of_envoy };
    let Played { count, failures } = play(suites, is_here, level);
    println!("{count} cases at level {level_name}");
    assert!(failures.is_empty(), "at level {level_name}:\n{failures}");
    count
}

#[test]
fn natively() {
    check(&case::all().unwrap(), "native", |suite| Box::new(Native::new(suite).unwrap()));
}

#[test]
fn in_the_small_host() {
    check(&case::all().unwrap(), "wasm", |suite| Box::new(Wasm::new(suite).unwrap()));
}

#[test]
fn in_envoy() {
    check_in_envoy(Module::Wasm, "envoy");
}

#[test]
fn in_envoy_with_the_native_module() {
    let suites = case::all().unwrap();
    let Err(refused) = Fleet::start(&[&suites[0]], Module::Native) else {
        return check_in_envoy(Module::Native, "envoy with the native module");
    };
    // Envoy 1.38 lacks functions, which the module says; those before do not know fields of the configuration, and say that.
    // Protobuf varies the spaces in what it says, so that nobody relies on them.
    let refused = format!("{refused:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    let version = version();
    let says = match version.rsplit_once('.').map(|(minor, _)| minor) {
        Some("1.36" | "1.37") => "no such field: 'metrics_namespace'",
        Some("1.38") => LACKS,
        _ => panic!("{version}: {refused}"),
    };
    assert!(refused.contains(says), "{version}: {refused}");
    refused_by_the_module();
    note(Module::Native, "refused");
}

#[test]
fn through_the_hooks_of_the_native_module() {
    check(&case::all().unwrap(), "hooks", |suite| Box::new(Hooks::new(suite).unwrap()));
}

fn check_in_envoy(module: Module, level: &str) {
    let suites = case::all().unwrap();
    // One Envoy for each kind of node.
    let mut by_node: BTreeMap<String, Vec<&Suite>> = BTreeMap::new();
    for suite in &suites {
        by_node.entry(format!("{:?}", suite.node)).or_default().push(suite);
    }
    let fleets: anyhow::Result<BTreeMap<String, Fleet>> =
        by_node.into_iter().map(|(node, suites)| Ok((node, Fleet::start(&suites, module)?))).collect();
    let fleets = match fleets {
        // Some old wheels were built without V8. Elsewhere than in the table of all Envoys that is a failure.
        Err(error) if is_noted() && format!("{error:#}").contains(WITHOUT_WASM) => {
            return note(module, "built without WebAssembly");
        }
        fleets => fleets.unwrap(),
    };
    let count = check(&suites, level, |suite| Box::new(fleets[&format!("{:?}", suite.node)].suite(suite)));
    note(module, &count.to_string());
}

/// What the module says of an Envoy that is too old.
const LACKS: &str = "graylane: this Envoy cannot run the native module: it lacks";

/// With a configuration as Envoys before 1.39 know it the module is loaded: it says what is lacking, and the process ends by itself.
fn refused_by_the_module() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(native_path(), folder.path().join("libgraylane.so")).unwrap();
    let mut filter = native::filter("", "inbound", &[], "{}");
    filter["dynamic_module_config"] = json!({"name": "graylane"});
    let filters = [json!({"name": "inbound", "typed_config": filter})];
    let routes = json!({"route_config": {"virtual_hosts": []}});
    let listener = config::listener("all", 0, "INBOUND", &filters, &routes);
    let node = config::node("sidecar", "pod", "shop", &json!({}));
    let said = Command::new(locate().unwrap())
        .args(["--mode", "validate", "--config-yaml"])
        .arg(config::bootstrap(&node, &[listener], &[]).to_string())
        .env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", folder.path())
        .output()
        .unwrap();
    let (code, said) = (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned());
    assert!(code == Some(1) && said.contains(LACKS), "{code:?}: {said}");
}

/// What an Envoy says that was built without a WebAssembly runtime (source/extensions/common/wasm/wasm_vm.cc).
const WITHOUT_WASM: &str = "envoy.wasm.runtime.v8 runtime. Envoy was compiled without support for it";

/// The version of the Envoy that is used: `…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn version() -> String {
    let said = Command::new(locate().unwrap()).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let version = said.split_once("version: ").and_then(|(_, rest)| rest.split('/').nth(1));
    version.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Is the table of all Envoys being made?
fn is_noted() -> bool {
    std::env::var_os("GRAYLANE_RAN").is_some()
}

/// Adds what was run to the file that `make e2e-envoys` asks for, of which the table of docs/support.md is made.
fn note(module: Module, cases: &str) {
    let Some(path) = std::env::var_os("GRAYLANE_RAN") else { return };
    let module = if module == Module::Native { "native" } else { "filter" };
    let line = format!("{}\t{}\t{module}\t{cases}\n", env!("CARGO_PKG_VERSION"), version());
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

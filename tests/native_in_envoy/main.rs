//! The native module beside the one in WebAssembly, in real Envoys: what could differ without any decision that does.

mod changes;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use graylane::envoy::{Envoy, Options, config, locate};
use graylane_mesh::native;
use graylane_mesh::resources::tenant_tag;
use graylane_tests::echo;
use graylane_tests::host::{module_path, native_path};
use graylane_tests::level::envoy::Module;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

/// What a plugin of this name runs with.
fn configuration(role: &str, revision: &str) -> String {
    json!({
        "version": 1, "revision": revision, "role": role, "header": "tenant",
        "tenants": ["gray", "green"], "default": "green", "policy": {"unknown": "reject"},
        "telemetry": {"metrics": true, "state": true, "source": true},
    })
    .to_string()
}

fn plugin(module: Module, role: &str, configuration: &str) -> Json {
    match module {
        Module::Wasm => config::wasm_filter(role, role, &module_path(), configuration, "FAIL_CLOSED"),
        Module::Native => native::filter(&native_path().display().to_string(), role, &[], configuration),
    }
}

/// Filter state, as access logs and expressions see it. The last two are tags of Istio's metrics.
fn seen() -> String {
    let [labelled, folded] = [&[][..], &["blue", "gray"]].map(tenant_tag);
    format!(
        "%FILTER_STATE(wasm.tenant:PLAIN)% %FILTER_STATE(wasm.source:PLAIN)% %CEL({labelled})% %CEL({folded})%\n"
    )
}

fn listener(name: &str, role: &str, filter: &Json, access_log: Option<&Path>) -> Json {
    let direct = json!({"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]});
    let mut manager = json!({"route_config": {"virtual_hosts": [direct]}, "max_request_headers_kb": 96});
    if let Some(path) = access_log {
        manager["access_log"] = json!([{"name": "file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path, "log_format": {"text_format_source": {"inline_string": seen()}},
        }}]);
    }
    let direction = if role == "outbound" { "OUTBOUND" } else { "INBOUND" };
    let filter = match filter.get("config_discovery") {
        Some(_) => filter.clone(),
        None => json!({"name": role, "typed_config": filter}),
    };
    config::listener(name, 0, direction, &[filter], &manager)
}

fn node() -> Json {
    config::node("sidecar", "pod", "shop", &json!({}))
}

fn send(address: SocketAddr, lines: &str) -> Result<u32> {
    Ok(echo::send(address, format!("GET / HTTP/1.1\r\nhost: api\r\n{lines}\r\n").as_bytes())?.status)
}

/// With the switch by which names of metrics are the same for both modules.
async fn start(listeners: &[Json]) -> Result<Envoy> {
    let mut bootstrap = config::bootstrap(&node(), listeners, &[]);
    let layer = json!({"name": "native", "static_layer": {native::STRIP: true}});
    bootstrap["layered_runtime"] = json!({"layers": [layer]});
    Envoy::start(&locate()?, "native", &bootstrap, Options { concurrency: 2, environment: &[] }).await
}

/// Series of ours, as Prometheus sees them.
async fn series(envoy: &Envoy) -> Result<BTreeSet<String>> {
    let all = envoy.get("/stats/prometheus?filter=graylane").await?;
    let own = all.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    Ok(own.map(ToOwned::to_owned).collect())
}

/// What others see: access log, expressions, series.
async fn seen_by_others(module: Module) -> Result<(Vec<String>, BTreeSet<String>)> {
    let folder = tempfile::tempdir()?;
    let mut listeners = Vec::new();
    for role in ["inbound", "outbound"] {
        let log = folder.path().join(role);
        listeners.push(listener(role, role, &plugin(module, role, &configuration(role, "a1")), Some(&log)));
    }
    let envoy = start(&listeners).await?;
    let mut lines = Vec::new();
    for role in ["inbound", "outbound"] {
        let address = envoy.listener(role).await?;
        let unknown = if role == "inbound" { 400 } else { 200 };
        let requests = [("tenant: gray\r\n", 200), ("", 200), ("tenant: nobody\r\n", unknown)];
        for (headers, status) in requests {
            ensure!(send(address, headers)? == status, "{role} {headers}");
        }
        let path = folder.path().join(role);
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        envoy.wait_until("all is in the log", async || Ok(read().lines().count() == 3)).await?;
        lines.extend(read().lines().map(|line| format!("{role} {line}")));
    }
    let counted = async || {
        let all = series(&envoy).await?;
        let total = |name: &str| -> u64 {
            let of = all.iter().filter(|line| line.starts_with(name));
            of.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Ok(total("graylane_requests_total") == 5 && total("graylane_rejected_total") == 1)
    };
    envoy.wait_until("all is counted", counted).await?;
    Ok((lines, series(&envoy).await?))
}

/// Labels in the order of their names: Envoy has its own, and none that is empty.
fn sorted_labels(all: &BTreeSet<String>) -> BTreeSet<String> {
    let sorted = |line: &String| {
        let (name, rest) = line.split_once('{').unwrap_or((line, "} ?"));
        let (labels, value) = rest.split_once("} ").unwrap_or((rest, ""));
        let labels: BTreeSet<&str> = labels.split(',').filter(|label| !label.is_empty()).collect();
        format!("{name} {labels:?} {value}")
    };
    all.iter().map(sorted).collect()
}

#[test]
fn others_see_the_same_of_both_modules() {
    Runtime::new().unwrap().block_on(async {
        let (wasm_lines, wasm_series) = seen_by_others(Module::Wasm).await.unwrap();
        let (native_lines, native_series) = seen_by_others(Module::Native).await.unwrap();
        assert_eq!(wasm_lines[0], "inbound gray header gray other");
        assert_eq!(wasm_lines[1], "inbound green default green green");
        assert_eq!(wasm_lines, native_lines);
        assert!(wasm_series.len() >= 9, "{wasm_series:?}");
        // By this one `status` tells which of the two it is.
        const MODULE: &str = ",module=\"native\"";
        let with_module = native_series.iter().filter(|line| line.contains(MODULE)).count();
        assert_eq!(with_module, 2, "config_revision of each direction: {native_series:?}");
        let native_series = native_series.iter().map(|line| line.replace(MODULE, "")).collect();
        assert_eq!(sorted_labels(&wasm_series), sorted_labels(&native_series));
    });
}

#[test]
fn two_plugins_a_long_header_and_any_bytes() {
    Runtime::new().unwrap().block_on(async {
        let broken = plugin(Module::Native, "outbound", "\u{1}{");
        let listeners = [
            listener(
                "in",
                "inbound",
                &plugin(Module::Native, "inbound", &configuration("inbound", "1")),
                None,
            ),
            listener("out", "outbound", &broken, None),
            listener("edge", "gateway", &plugin(Module::Native, "gateway", "[]"), None),
        ];
        let envoy = start(&listeners).await.unwrap();
        for name in ["in", "out", "edge"] {
            let address = envoy.listener(name).await.unwrap();
            let long = format!("tenant: gray\r\nx-long: {}\r\n", "x".repeat(60 * 1024));
            assert_eq!(send(address, &long).unwrap(), 200, "{name}");
            let tenant = format!("tenant: {}\r\n", "x".repeat(60 * 1024));
            assert_eq!(send(address, &tenant).unwrap(), if name == "in" { 400 } else { 200 });
            for byte in (1..=255u8).filter(|byte| !matches!(byte, b'\r' | b'\n')) {
                let head = [
                    b"GET / HTTP/1.1\r\nhost: api\r\ntenant: a",
                    &[byte][..],
                    b"b\r\nbaggage: ",
                    &[byte],
                    b"=,\r\n\r\n",
                ];
                // Envoy itself refuses some.
                assert!(echo::send(address, &head.concat()).is_ok(), "{name} {byte}");
            }
        }
        let log = envoy.log();
        assert!(log.contains("outbound has no configuration: requests pass untouched"), "{log}");
        assert!(log.contains("gateway has no configuration: `tenant` and all of ours is removed"), "{log}");
        assert!(!log.contains("failed:"), "{log}");
    });
}

/// No Envoy serves without it. Where the file ends within what its headers promise, that is the system's loader's doing:
/// it reads behind the end, and the process dies before anything of ours runs.
#[test]
fn with_a_file_that_is_cut_short_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(native_path()).unwrap();
    for size in [0, 100, whole.len() / 2] {
        let path = folder.path().join(format!("{size}.so"));
        std::fs::write(&path, &whole[..size]).unwrap();
        let mut filter = plugin(Module::Native, "inbound", &configuration("inbound", "1"));
        filter["dynamic_module_config"]["module"]["local"]["filename"] = json!(path);
        let listeners = [listener("all", "inbound", &filter, None)];
        let Err(refused) = Runtime::new().unwrap().block_on(start(&listeners)) else {
            panic!("{size} bytes run")
        };
        let refused = format!("{refused:#}");
        let said = if size > 100 { "SIGBUS" } else { "ailed to load dynamic module" };
        assert!(refused.contains(said), "{size}: {refused}");
    }
}

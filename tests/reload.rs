//! What a change of configuration leaves in a real Envoy. Each costs some hundred bytes that stay until the VM goes, with a
//! module that holds nothing as well: see docs/upstream.md, which these figures are in.

use std::path::Path;

use anyhow::{Context, Result};
use graylane::envoy::{Envoy, Options, config, locate};
use graylane_tests::discovered;
use graylane_tests::host::module_path;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

/// Changes before it is measured, so that caches and tables have their size.
const WARM: usize = 150;
const CHANGES: usize = 400;
/// Bytes for each change by which two runs with the same module differ at most.
const NOISE: u64 = 40;

/// The least that Envoy takes: one page of memory, nothing in it, every configuration is fine.
const LEAST: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1)))"#;

fn configuration(revision: usize) -> String {
    json!({
        "version": 1, "revision": revision.to_string(), "role": "inbound", "header": "tenant",
        "tenants": ["gray", "green"], "default": "green",
    })
    .to_string()
}

/// A proxy whose only filter is a plugin of this module, discovered in a file.
struct Proxy<'m> {
    envoy: Envoy,
    folder: tempfile::TempDir,
    module: &'m Path,
    changes: usize,
}

impl<'m> Proxy<'m> {
    async fn start(module: &'m Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("discovered.json");
        write(&path, module, "first", 0)?;
        let filter = discovered::filter("plugin", &path, config::WASM);
        let direct = json!({"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]});
        let manager = json!({"route_config": {"virtual_hosts": [direct]}});
        let listener = config::listener("inbound", 0, "INBOUND", &[filter], &manager);
        let node = config::node("sidecar", "pod", "shop", &json!({}));
        let bootstrap = config::bootstrap(&node, &[listener], &[]);
        let envoy =
            Envoy::start(&locate()?, "reload", &bootstrap, Options { concurrency: 1, environment: &[] })
                .await?;
        Ok(Self { envoy, folder, module, changes: 0 })
    }

    /// Changes the plugin's configuration, and waits until it is taken.
    async fn change(&mut self, vm: &str) -> Result<()> {
        self.changes += 1;
        write(&self.folder.path().join("discovered.json"), self.module, vm, self.changes)?;
        let taken = self.changes + 1;
        self.envoy
            .wait_until("the configuration is taken", async || {
                let said = self.envoy.get("/stats?filter=config_reload$").await?;
                Ok(said.trim().ends_with(&format!(": {taken}")))
            })
            .await
    }

    /// Bytes that Envoy has allocated.
    async fn allocated(&self) -> Result<u64> {
        let said: Json = serde_json::from_str(&self.envoy.get("/memory").await?)?;
        said["allocated"].as_str().and_then(|bytes| bytes.parse().ok()).context("no `allocated` in /memory")
    }
}

fn write(path: &Path, module: &Path, vm: &str, revision: usize) -> Result<()> {
    let mut plugin = config::wasm_filter("plugin", "inbound", module, &configuration(revision), "FAIL_OPEN");
    plugin["config"]["vm_config"]["vm_id"] = vm.into();
    discovered::put(path, revision, "plugin", &plugin)
}

/// Bytes that one change leaves, and that all changes together left once their VM is gone.
async fn left(module: &Path) -> Result<(u64, u64)> {
    let mut proxy = Proxy::start(module).await?;
    proxy.change("second").await?;
    let fresh = proxy.allocated().await?;
    for _ in 0..WARM {
        proxy.change("second").await?;
    }
    let before = proxy.allocated().await?;
    for _ in 0..CHANGES {
        proxy.change("second").await?;
    }
    let after = proxy.allocated().await?;
    proxy.change("third").await?;
    let gone = proxy.allocated().await?;
    Ok((after.saturating_sub(before) / CHANGES as u64, gone.saturating_sub(fresh)))
}

#[test]
fn a_change_leaves_what_the_host_keeps_and_nothing_of_ours() {
    let least = tempfile::Builder::new().suffix(".wasm").tempfile().unwrap();
    std::fs::write(&least, wat::parse_str(LEAST).unwrap()).unwrap();
    let (ours, least) = Runtime::new()
        .unwrap()
        .block_on(async { (left(&module_path()).await.unwrap(), left(least.path()).await.unwrap()) });
    println!("a change leaves {} bytes, with the least module {}", ours.0, least.0);
    println!("after a change of VM {} bytes are left, with the least module {}", ours.1, least.1);
    assert!(ours.0 <= least.0 + NOISE, "of a change: {ours:?}, and of the least module {least:?}");
    // The VM's end gives back what its changes had left; V8 and the allocator keep some for the next one.
    let all = ours.0 * (WARM + CHANGES) as u64;
    assert!(ours.1 <= all / 4, "of {all} bytes {} are left", ours.1);
}

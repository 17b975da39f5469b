//! Configurations of the native module that come, go, and stand beside one another in one Envoy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use graylane::envoy::Envoy;
use graylane_mesh::native;
use graylane_tests::discovered;
use graylane_tests::level::envoy::Module;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};

use crate::{configuration, listener, plugin, send, series, start};

/// The native module, with a configuration that is discovered in a file.
fn in_file(name: &str, path: &Path) -> Json {
    discovered::filter(name, path, native::FILTER)
}

fn discover(path: &Path, version: usize, role: &str, text: &str) -> Result<()> {
    discovered::put(path, version, role, &plugin(Module::Native, role, text))
}

fn resident(envoy: &Envoy) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", envoy.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a resident size")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// How many changes without `GRAYLANE_SOAK`.
const CHANGES: usize = 12;
/// How much an Envoy may grow while configurations change, once it has seen a few, in KiB.
const GROWTH: u64 = 2048;

/// Configurations come and go under load, broken ones among them: no request fails, and each is decided. They come as fast
/// as Envoy takes them; `GRAYLANE_SOAK` says for how many seconds instead, with one a second (`make soak-native`).
#[test]
fn configurations_change_under_load() {
    let soak: Option<usize> = std::env::var("GRAYLANE_SOAK").ok().map(|text| text.parse().unwrap());
    let changes = soak.unwrap_or(CHANGES);
    let pace = Duration::from_millis(if soak.is_some() { 1000 } else { 1 });
    Runtime::new().unwrap().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inbound.json");
        discover(&path, 0, "inbound", &configuration("inbound", "1")).unwrap();
        let log = folder.path().join("log");
        let envoy =
            start(&[listener("all", "inbound", &in_file("inbound", &path), Some(&log))]).await.unwrap();
        let address = envoy.listener("all").await.unwrap();
        let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
        let sizes = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        ask(address);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let change = async {
                let mut sizes = Vec::new();
                let mut tick = interval(pace);
                tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for version in 1..=changes {
                    tick.tick().await;
                    change(&envoy, &path, version).await?;
                    sizes.push(resident(&envoy)?);
                }
                anyhow::Ok(sizes)
            };
            let sizes = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(change));
            stop.store(true, Ordering::Relaxed);
            sizes
        })
        .unwrap();
        let (first, last) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
        assert!(last < first + GROWTH, "grows: {sizes:?} KiB");
        // Nothing of what was counted got lost between configurations.
        let total = sent.load(Ordering::Relaxed);
        let want = format!("graylane_rejected_total{{direction=\"inbound\",reason=\"unknown\"}} {total}");
        envoy.wait_until(&want, async || Ok(series(&envoy).await?.contains(&want))).await.unwrap();
        println!(
            "{changes} configurations, {} requests, 0 failed; KiB after the first, half of them, all: {}, {first}, {last}",
            2 * total,
            sizes[0]
        );
    });
}

/// One request that is served, one that is refused: by nobody else than us.
fn ask(address: SocketAddr) {
    assert_eq!(send(address, "tenant: gray\r\n").unwrap(), 200);
    assert_eq!(send(address, "tenant: nobody\r\n").unwrap(), 400, "decided by nobody");
}

/// Another configuration, each third one broken; waits until Envoy has it.
async fn change(envoy: &Envoy, path: &Path, version: usize) -> Result<()> {
    let is_broken = version.is_multiple_of(3);
    let text = if is_broken {
        format!("{{ broken {version}")
    } else {
        configuration("inbound", &format!("{:x}", version + 1))
    };
    discover(path, version, "inbound", &text)?;
    let runs = format!("graylane_config_revision{{direction=\"inbound\",module=\"native\"}} {}", version + 1);
    // Each is a gauge or a line of the log that can be waited for.
    if is_broken {
        envoy.wait_for_log("the last good one", version / 3).await
    } else {
        envoy.wait_until(&runs, async || Ok(series(envoy).await?.contains(&runs))).await
    }
}

/// Of one role: each listener's requests are decided by its own, also while the other one's changes, and with a name that both have.
#[test]
fn two_configurations_at_once() {
    let knows = |tenants: &[&str], revision: &str| {
        let own = json!({"tenants": tenants, "default": tenants[0]});
        let mut all: Json = serde_json::from_str(&configuration("inbound", revision)).unwrap();
        all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        all.to_string()
    };
    Runtime::new().unwrap().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        for [first, second] in [["inbound/a", "inbound/b"], ["inbound/same", "inbound/same"]] {
            let path = folder.path().join("first.json");
            discover(&path, 0, first, &knows(&["gray", "green"], "1")).unwrap();
            let envoy = start(&[
                listener("a", "inbound", &in_file(first, &path), None),
                listener(
                    "b",
                    "inbound",
                    &plugin(Module::Native, second, &knows(&["red", "blue"], "2")),
                    None,
                ),
            ])
            .await
            .unwrap();
            let (a, b) = (envoy.listener("a").await.unwrap(), envoy.listener("b").await.unwrap());
            let status = |address, tenant: &str| send(address, &format!("tenant: {tenant}\r\n")).unwrap();
            for (tenant, in_a, in_b) in [("gray", 200, 400), ("blue", 400, 200), ("black", 400, 400)] {
                assert_eq!((status(a, tenant), status(b, tenant)), (in_a, in_b), "{first} {second} {tenant}");
            }
            discover(&path, 1, first, &knows(&["black", "white"], "3")).unwrap();
            envoy.wait_until("the first one changes", async || Ok(status(a, "black") == 200)).await.unwrap();
            for (tenant, in_a, in_b) in [("gray", 400, 400), ("blue", 400, 200), ("black", 200, 400)] {
                assert_eq!((status(a, tenant), status(b, tenant)), (in_a, in_b), "{first} {second} {tenant}");
            }
            // What cannot be read leaves its own last good one, and not the other's.
            discover(&path, 2, first, "{").unwrap();
            envoy.wait_for_log("the last good one", 1).await.unwrap();
            assert_eq!((status(a, "gray"), status(b, "blue")), (400, 200), "{first} {second}");
            if first != second {
                assert_eq!((status(a, "black"), status(a, "blue")), (200, 400));
            }
        }
    });
}

#[test]
fn of_ten_megabytes_the_last_good_one_stays() {
    Runtime::new().unwrap().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inbound.json");
        discover(&path, 0, "inbound", &configuration("inbound", "1")).unwrap();
        let envoy = start(&[listener("all", "inbound", &in_file("inbound", &path), None)]).await.unwrap();
        let address = envoy.listener("all").await.unwrap();
        let large = format!("{{\"nobody\": \"{}\"}}", "x".repeat(10 << 20));
        discover(&path, 1, "inbound", &large).unwrap();
        envoy.wait_for_log("the last good one", 1).await.unwrap();
        ask(address);
    });
}

//! What graylane costs besides requests: start, memory, loading a configuration, remembering for a long time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use graylane_decide::Role;

use crate::machine;
use crate::paths::{Effort, minimum};
use crate::scenario::{PRIMING, SCENARIOS, Setup};
use crate::stage::{ListenerKey, Stage, Workshop};
use crate::variant::Variant;

fn sidecar(variant: Variant, setup: Setup) -> BTreeSet<ListenerKey> {
    [Role::Inbound, Role::Outbound].map(|role| (variant, setup, role.name())).into()
}

/// Memory and start of a proxy with some workers.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// With what.
    pub variant: Variant,
    /// Worker threads.
    pub workers: u32,
    /// Resident memory after a few thousand requests, MiB.
    pub rss: f64,
    /// From its start until it takes requests, milliseconds.
    pub ready: f64,
}

/// How many times as often those are started that need little memory: which pages of Envoy's own program are resident differs by 1 MiB
/// from start to start, which is more than they need.
pub const MORE: u32 = 4;

/// Starts proxies with an inbound and an outbound listener.
///
/// # Errors
/// When one does not start.
pub fn starts(shop: &Workshop, effort: &Effort) -> Result<Vec<Start>> {
    let mut starts = Vec::new();
    for workers in [1, 2, 4] {
        for variant in
            [Variant::Nothing, Variant::Noop, Variant::LuaMetadata, Variant::Graylane, Variant::Native]
        {
            let (mut rss, mut ready) = (Vec::new(), Vec::new());
            let is_heavy = matches!(variant, Variant::Noop | Variant::Graylane);
            for _ in 0..effort.starts * if is_heavy { 1 } else { MORE } {
                let stage = shop.start(&sidecar(variant, Setup::Plain), workers)?;
                ready.push(initialization(shop, &stage)?);
                for scenario in [&SCENARIOS[0], &SCENARIOS[3]] {
                    let mut client = stage.client((variant, Setup::Plain, scenario.role.name()))?;
                    let mut number = 0;
                    client.flow(2000, |text| {
                        scenario.write(number, text);
                        number += 1;
                    })?;
                }
                rss.push(machine::rss(stage.envoy.pid())?);
            }
            starts.push(Start { variant, workers, rss: minimum(&rss), ready: minimum(&ready) });
        }
    }
    Ok(starts)
}

/// Envoy's own measure, `server.initialization_time_ms`: from its start until its workers take connections.
fn initialization(shop: &Workshop, stage: &Stage) -> Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = shop
            .runtime
            .block_on(stage.envoy.get("/stats/prometheus?filter=server.initialization_time_ms"))?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.split(' ').nth(1)?.parse().ok())
        };
        match value("envoy_server_initialization_time_ms_sum") {
            Some(milliseconds) if milliseconds > 0.0 => return Ok(milliseconds),
            _ => ensure!(Instant::now() < deadline, "Envoy does not tell how long it took to start"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Loading a configuration of so many services.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// By which module.
    pub variant: Variant,
    /// How many services.
    pub services: u32,
    /// Size of the configuration, KiB.
    pub size: f64,
    /// CPU time of a worker more than with one service, milliseconds.
    pub cpu: f64,
    /// Memory of the process more than with one service, MiB.
    pub rss: f64,
}

/// Loads large configurations; each is read by the main thread twice and by the worker once.
///
/// # Errors
/// When Envoy does not start.
pub fn loads(shop: &Workshop, effort: &Effort) -> Result<Vec<Load>> {
    let measure = |variant: Variant, services: u32| -> Result<(f64, f64)> {
        let setup = Setup::Services(services);
        let (mut cpu, mut rss) = (Vec::new(), Vec::new());
        for _ in 0..effort.starts {
            let stage = shop.start(&[(variant, setup, Role::Outbound.name())].into(), 1)?;
            cpu.push(stage.worker.cpu()? as f64 / 1e6);
            rss.push(machine::rss(stage.envoy.pid())?);
        }
        Ok((minimum(&cpu), minimum(&rss)))
    };
    let mut loads = Vec::new();
    for variant in [Variant::Native, Variant::Graylane] {
        let (base_cpu, base_rss) = measure(variant, 1)?;
        for services in [100, 1000, 5000] {
            let (cpu, rss) = measure(variant, services)?;
            let config = Setup::Services(services).config(Role::Outbound)?;
            let size = serde_json::to_string(&config)?.len() as f64 / 1024.0;
            loads.push(Load { variant, services, size, cpu: cpu - base_cpu, rss: rss - base_rss });
        }
    }
    Ok(loads)
}

/// Memory of the process as ids pass through.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    /// Ids so far, and MiB.
    pub points: Vec<(u64, f64)>,
}

impl Ids {
    /// Growth since the first 200,000 ids, MiB.
    pub fn growth(&self) -> f64 {
        let first = self.points.first().map_or(0.0, |(_, rss)| *rss);
        self.points.last().map_or(0.0, |(_, rss)| *rss) - first
    }
}

/// Sends gray requests, each with a new request id and a new trace id.
///
/// # Errors
/// When Envoy does not start or a request fails.
pub fn ids(shop: &Workshop, effort: &Effort, progress: &indicatif::ProgressBar) -> Result<Ids> {
    const FIRST: u64 = 200_000;
    let stage = shop.start(&sidecar(Variant::Graylane, Setup::Plain), 1)?;
    let mut client = stage.client((Variant::Graylane, Setup::Plain, Role::Inbound.name()))?;
    let more = (effort.ids * 1e6) as u64;
    let first = FIRST.min(more);
    let total = first + more;
    progress.set_length(total);
    let (mut number, mut result) = (0u64, Ids::default());
    let mut next = first;
    while number * 2 < total {
        client.flow(1024, |text| {
            PRIMING.write(number, text);
            number += 1;
        })?;
        progress.set_position(number * 2);
        if number * 2 >= next {
            result.points.push((number * 2, machine::rss(stage.envoy.pid())?));
            next += more.div_ceil(10);
        }
    }
    result.points.push((number * 2, machine::rss(stage.envoy.pid())?));
    Ok(result)
}

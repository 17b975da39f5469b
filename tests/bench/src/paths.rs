//! CPU time of a request on each path through each variant.
//!
//! A round visits every scenario, and there every variant in an order of its own, for a short while: long enough to
//! be measured, short enough that many rounds fall between two disturbances. Envoy is started anew a few times, since
//! a process keeps the luck it has with its memory.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;

use crate::client::Client;
use crate::scenario::{BODIES, PRIMING, SCENARIOS, Scenario, Setup, mix};
use crate::stage::{Place, Stage, Workshop};
use crate::variant::Variant;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often Envoy is started anew.
    pub sittings: u32,
    /// Rounds in each.
    pub rounds: u32,
    /// Requests in a round and scenario, for each variant.
    pub requests: usize,
    /// Requests at a fixed rate.
    pub paced: u32,
    /// Millions of unique ids.
    pub ids: f64,
    /// How often a start is repeated.
    pub starts: u32,
}

/// What a cell of the table was measured from: microseconds a request, one value a round.
pub type Rounds = BTreeMap<(&'static str, Variant), Vec<f64>>;

/// The lowest value.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn place(variant: Variant, scenario: &Scenario) -> Place {
    (variant, scenario.setup, scenario.role.name())
}

/// The variants that a run compares.
pub fn variants(shop: &Workshop) -> impl Iterator<Item = Variant> {
    let has_other = shop.modules.other.is_some();
    Variant::ALL.into_iter().filter(move |variant| has_other || *variant != Variant::Other)
}

fn with_body(variant: Variant) -> bool {
    matches!(variant, Variant::Nothing | Variant::Noop | Variant::Graylane | Variant::LuaMetadata)
}

fn pairs(shop: &Workshop) -> Vec<(Scenario, Variant)> {
    let mut pairs = Vec::new();
    for scenario in SCENARIOS {
        pairs.extend(
            variants(shop).filter(|variant| variant.can(&scenario)).map(|variant| (scenario, variant)),
        );
    }
    for scenario in BODIES {
        pairs.extend(
            Variant::ALL.into_iter().filter(|variant| with_body(*variant)).map(|variant| (scenario, variant)),
        );
    }
    pairs
}

/// One cell for a while. Numbers go on, so that ids are new.
struct Cell {
    scenario: Scenario,
    variant: Variant,
    client: Client,
    primer: Option<Client>,
    next: u64,
}

impl Cell {
    fn open(stage: &Stage, (scenario, variant): (Scenario, Variant), next: u64) -> Result<Self> {
        let primer = scenario.primed.then(|| stage.client(place(variant, &PRIMING))).transpose()?;
        Ok(Self { scenario, variant, client: stage.client(place(variant, &scenario))?, primer, next })
    }

    fn flow(&mut self, count: usize) -> Result<()> {
        let (scenario, next) = (&self.scenario, &mut self.next);
        self.client.flow(count, |text| {
            scenario.write(*next, text);
            *next += 1;
        })
    }

    /// Sends requests, and gives the microseconds of CPU time that one took.
    fn run(&mut self, stage: &Stage, requests: usize) -> Result<f64> {
        let requests = if self.scenario.path == "/body" { requests.div_ceil(16) } else { requests };
        // What the one before it left in the caches is not its fault.
        let warm = 4 * requests;
        if let Some(primer) = &mut self.primer {
            let mut number = self.next;
            primer.flow(requests + warm, |text| {
                PRIMING.write(number, text);
                number += 1;
            })?;
        }
        self.flow(warm)?;
        let before = stage.worker.cpu()?;
        self.flow(requests)?;
        let spent = stage.worker.cpu()? - before;
        Ok(spent as f64 / 1000.0 / requests as f64)
    }
}

/// Measures all paths, or those with a text in their name, and of these all variants or one.
///
/// # Errors
/// When Envoy does not start or a request fails.
pub fn measure(
    shop: &Workshop,
    effort: &Effort,
    (only, variant): (Option<&str>, Option<&str>),
    progress: &ProgressBar,
) -> Result<Rounds> {
    let mut pairs = pairs(shop);
    pairs.retain(|(scenario, _)| only.is_none_or(|only| scenario.title.contains(only)));
    pairs.retain(|(_, is)| variant.is_none_or(|variant| is.name() == variant));
    let places = pairs
        .iter()
        .flat_map(|(scenario, variant)| [place(*variant, scenario), place(*variant, &PRIMING)])
        .filter(|(variant, setup, _)| variant.can(&Scenario { setup: *setup, ..PRIMING }))
        .collect();
    let mut rounds = Rounds::new();
    progress.set_length(u64::from(effort.sittings * effort.rounds));
    for sitting in 0..u64::from(effort.sittings) {
        let stage = shop.start(&places, 1)?;
        let mut cells = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            let mut cell = Cell::open(&stage, *pair, (sitting << 48) | ((index as u64) << 32))?;
            // Warm: compiled, metrics defined, slots of the memory in use.
            let services = if let Setup::Services(count) = cell.scenario.setup { count as usize } else { 0 };
            cell.run(&stage, effort.requests.max(services))?;
            cells.push(cell);
        }
        for round in 0..u64::from(effort.rounds) {
            // The scenarios stay in order, the variants of each take turns.
            let seed = (sitting << 32) | round;
            let position = |title| pairs.iter().position(|(scenario, _)| scenario.title == title);
            cells.sort_by_cached_key(|cell| {
                (position(cell.scenario.title), mix(seed ^ mix(cell.variant as u64)))
            });
            for cell in &mut cells {
                let value = cell.run(&stage, effort.requests)?;
                rounds.entry((cell.scenario.title, cell.variant)).or_default().push(value);
            }
            progress.inc(1);
        }
    }
    Ok(rounds)
}

/// Requests a second for latencies.
pub const RATE: u32 = 2000;

/// p50, p99 and p99.9 on the everyday path of a pod's requests, in microseconds.
///
/// # Errors
/// When Envoy does not start or a request fails.
pub fn latencies(shop: &Workshop, effort: &Effort) -> Result<Vec<(Variant, [f64; 3])>> {
    let scenario = SCENARIOS[3];
    let variants: Vec<Variant> = variants(shop).filter(|variant| with_body(*variant)).collect();
    let stage = shop.start(&variants.iter().map(|variant| place(*variant, &scenario)).collect(), 1)?;
    let mut times: BTreeMap<Variant, Vec<Duration>> = BTreeMap::new();
    let mut number = 0;
    // In turns as well: a disturbance is everybody's.
    for turn in 0..8 {
        for variant in &variants {
            let mut client = stage.client(place(*variant, &scenario))?;
            let count = if turn == 0 { effort.paced.div_ceil(32) } else { effort.paced.div_ceil(7) };
            let taken = client.pace(RATE, count, |text| {
                scenario.write(number, text);
                number += 1;
            })?;
            if turn > 0 {
                times.entry(*variant).or_default().extend(taken);
            }
        }
    }
    let quantiles = |mut times: Vec<Duration>| {
        times.sort_unstable();
        let at = |share: f64| {
            let place = ((times.len() as f64 * share) as usize).min(times.len() - 1);
            times[place].as_secs_f64() * 1e6
        };
        [at(0.5), at(0.99), at(0.999)]
    };
    Ok(times.into_iter().map(|(variant, times)| (variant, quantiles(times))).collect())
}

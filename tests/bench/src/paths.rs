//! CPU time of a request on each path through each variant.
//!
//! A round visits every scenario, and there every variant in an order of its own, for some bursts: each long enough to be
//! measured, and so short (2 to 3 ms) that many fall between two disturbances of a machine that others use as well.
//! Envoy is restarted a few times, since the memory layout of a process stays the same.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;

use crate::client::Client;
use crate::scenario::{BODIES, PRIMING, SCENARIOS, Scenario, Setup, mix};
use crate::stage::{ListenerKey, Stage, Workshop};
use crate::variant::Variant;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often Envoy is restarted.
    pub sittings: u32,
    /// Rounds in each.
    pub rounds: u32,
    /// Bursts in a round and scenario, for each variant.
    pub bursts: u32,
    /// Requests in a burst.
    pub requests: usize,
    /// Requests at a fixed rate.
    pub paced: u32,
    /// Millions of unique ids.
    pub ids: f64,
    /// How often a start is repeated.
    pub starts: u32,
}

/// What a cell of the table was measured from: microseconds a request, one value a burst.
pub type Rounds = BTreeMap<(&'static str, Variant), Vec<f64>>;

/// The lowest value.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The lowest but for a tenth: what one gets often, where the lowest may be luck.
pub fn tenth(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 10).copied().unwrap_or(f64::NAN)
}

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn place(variant: Variant, scenario: &Scenario) -> ListenerKey {
    (variant, scenario.setup, scenario.role.name())
}

/// The variants that a run compares.
pub fn variants(shop: &Workshop) -> impl Iterator<Item = Variant> {
    let has_other = shop.modules.other.is_some();
    Variant::ALL.into_iter().filter(move |variant| has_other || *variant != Variant::Other)
}

fn with_body(variant: Variant) -> bool {
    matches!(
        variant,
        Variant::Nothing | Variant::Noop | Variant::Graylane | Variant::LuaMetadata | Variant::Native
    )
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
        let warm = requests;
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
                for _ in 0..effort.bursts {
                    let value = cell.run(&stage, effort.requests)?;
                    rounds.entry((cell.scenario.title, cell.variant)).or_default().push(value);
                }
            }
            progress.inc(1);
        }
    }
    Ok(rounds)
}

/// Requests a second for latencies.
pub const RATE: u32 = 2000;

/// Latencies of a variant on the everyday path of a pod's requests.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// p50, p99 and p99.9 in microseconds: of each turn, and of the turns the middle one.
    pub quantiles: [f64; 3],
    /// Milliseconds that the worker waited for its core in a turn, the middle one: what the machine did to it.
    pub waited: f64,
}

/// Turns in which the variants are measured, one after the other.
const TURNS: u32 = 21;

/// Latencies at [`RATE`]. In turns, since a disturbance is everybody's, and the middle one of them, since a stall of ten
/// milliseconds makes twenty requests late and that would be the p99 of that run.
///
/// # Errors
/// When Envoy does not start or a request fails.
pub fn latencies(shop: &Workshop, effort: &Effort) -> Result<Vec<(Variant, Latency)>> {
    let scenario = SCENARIOS[3];
    let variants: Vec<Variant> = variants(shop).filter(|variant| with_body(*variant)).collect();
    let stage = shop.start(&variants.iter().map(|variant| place(*variant, &scenario)).collect(), 1)?;
    let mut turns: BTreeMap<Variant, Vec<Latency>> = BTreeMap::new();
    let mut number = 0;
    for turn in 0..=TURNS {
        for variant in &variants {
            let mut client = stage.client(place(*variant, &scenario))?;
            let before = stage.worker.waited()?;
            let taken = client.pace(RATE, effort.paced.div_ceil(TURNS), |text| {
                scenario.write(number, text);
                number += 1;
            })?;
            // The first one warms up.
            if turn > 0 {
                let waited = (stage.worker.waited()? - before) as f64 / 1e6;
                turns.entry(*variant).or_default().push(Latency { quantiles: quantiles(taken), waited });
            }
        }
    }
    Ok(turns.into_iter().map(|(variant, turns)| (variant, middle(&turns))).collect())
}

fn middle(turns: &[Latency]) -> Latency {
    let middle = |values: Vec<f64>| median(&values);
    Latency {
        quantiles: std::array::from_fn(|place| {
            middle(turns.iter().filter_map(|turn| turn.quantiles.get(place)).copied().collect())
        }),
        waited: middle(turns.iter().map(|turn| turn.waited).collect()),
    }
}

fn quantiles(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort_unstable();
    [0.5, 0.99, 0.999].map(|share| {
        let place = ((times.len() as f64 * share) as usize).min(times.len() - 1);
        times[place].as_secs_f64() * 1e6
    })
}

//! `make bench`: what graylane costs in real Envoy, as docs/performance.md.
//!
//! | file | its subject |
//! |-|-|
//! | `machine` | cores, CPU time, memory |
//! | `client` | the load |
//! | `scenario` | what is sent |
//! | `variant` | what is compared |
//! | `stage` | Envoys |
//! | `paths` | CPU time and latency of requests |
//! | `life` | start, memory, large configurations, ten million ids |
//! | `report` | the tables, and the targets |

mod client;
mod life;
mod machine;
mod paths;
mod report;
mod scenario;
mod stage;
mod variant;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use paths::Effort;
use report::Measured;
use stage::Workshop;
use variant::Modules;

const USAGE: &str =
    "usage: graylane-bench [--smoke] [--ids MILLIONS] [--only TEXT [--variant NAME]] [--starts] [--check] [--other MODULE | --earlier MODULE]
  --smoke         once through everything, in seconds: does the bench still run? Writes nothing
  --ids MILLIONS  how many unique ids are to pass through; 10 unless said
  --only TEXT     the paths with this in their name, and nothing else; writes nothing
  --variant NAME  of these paths this variant alone, for a profiler to look at
  --starts        memory and start of proxies, and nothing else; writes nothing
  --check         fail if a target is missed
  --other MODULE  compare with another build of the filter as well; writes nothing
  --earlier MODULE  the same with the build that targets name, as it was at commit cd95fc1; writes";

struct Arguments {
    smoke: bool,
    only: Option<String>,
    variant: Option<String>,
    starts: bool,
    ids: f64,
    check: bool,
    other: Option<PathBuf>,
    is_earlier: bool,
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        smoke: false,
        only: None,
        variant: None,
        starts: false,
        ids: 10.0,
        check: false,
        other: None,
        is_earlier: false,
    };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        match &*argument {
            "--smoke" => arguments.smoke = true,
            "--ids" => arguments.ids = rest.next().and_then(|text| text.parse().ok()).context(USAGE)?,
            "--only" => arguments.only = Some(rest.next().context(USAGE)?),
            "--variant" => arguments.variant = Some(rest.next().context(USAGE)?),
            "--starts" => arguments.starts = true,
            "--check" => arguments.check = true,
            "--other" | "--earlier" => {
                arguments.is_earlier = argument == "--earlier";
                arguments.other = Some(rest.next().context(USAGE)?.into());
            }
            _ => bail!("{USAGE}"),
        }
    }
    Ok(arguments)
}

fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {percent:>3} %  {elapsed}");
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let built = root.join("target/wasm32-wasip1/wasm");
    let modules = Modules {
        graylane: root.join("dist/graylane.wasm"),
        native: root.join("dist/libgraylane.so"),
        noop: built.join("graylane_bench_noop.wasm"),
        naive: built.join("graylane_bench_naive.wasm"),
        other: arguments.other,
    };
    for module in [&modules.graylane, &modules.native, &modules.noop, &modules.naive] {
        ensure!(module.is_file(), "{} is not there: run `make bench`", module.display());
    }
    let effort = if arguments.smoke {
        Effort { sittings: 1, rounds: 1, bursts: 1, requests: 64, paced: 64, ids: 0.02, starts: 1 }
    } else {
        Effort {
            sittings: 3,
            rounds: 6,
            bursts: 10,
            requests: 96,
            paced: 21_000,
            ids: arguments.ids,
            starts: 2,
        }
    };
    // Long enough for a profiler to see something.
    let bursts = if arguments.variant.is_some() { 16 * effort.bursts } else { effort.bursts };
    let effort = Effort { bursts, ..effort };
    let writes = !arguments.smoke && (modules.other.is_none() || arguments.is_earlier);
    let size = usize::try_from(std::fs::metadata(&modules.graylane)?.len())?;
    let shop = Workshop::new(modules, scenario::BODY)?;
    let machine = machine::describe(&shop.envoy, size);
    if arguments.starts {
        let text = report::starts(&life::starts(&shop, &effort)?);
        std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
        return Ok(());
    }
    let progress = bar("paths");
    let rounds =
        paths::measure(&shop, &effort, (arguments.only.as_deref(), arguments.variant.as_deref()), &progress)?;
    progress.finish_and_clear();
    if arguments.only.is_some() {
        let text = report::paths(&rounds, paths::minimum) + &report::paths(&rounds, paths::tenth);
        std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
        return Ok(());
    }
    let latencies = paths::latencies(&shop, &effort)?;
    let starts = life::starts(&shop, &effort)?;
    let loads = life::loads(&shop, &effort)?;
    let progress = bar("ids");
    let ids = life::ids(&shop, &effort, &progress)?;
    progress.finish_and_clear();
    let measured = Measured { machine, effort, rounds, latencies, starts, loads, ids };
    let tables = report::tables(&measured);
    // The one thing for stdout.
    std::io::Write::write_all(&mut std::io::stdout(), tables.as_bytes())?;
    if writes {
        report::write(&root, &measured, &tables)?;
    }
    let missed = report::missed(&measured);
    ensure!(!arguments.check || missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}

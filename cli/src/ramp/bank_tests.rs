//! A rollout with a pause, a window, hooks and a point of no return, run against a Prometheus and a clock of the tests.

mod cut_off;
mod turn;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json as Body, Router};
use serde_json::{Value as Json, json};

use super::apply::Apply;
use super::journal::{Approval, By, Event, Journal, Record};
use super::run::{Progress, Run};
use super::{Desk, Opened};
use crate::lower;
use crate::prometheus::{Prometheus, Several};
use crate::resources::Options;

/// A Monday, 08:30 in Berlin.
const MONDAY: u64 = 1_796_023_800;

const FILE: &str = "version: 1
mesh: {name: bank, namespace: bank}
tenants: {green: {default: true}, load: {judge: false}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout:
      weights: {canary: 0}
      steps: [5, 25, 100]
      hold: 60s
";

/// What the world is like.
#[derive(Default)]
struct World {
    file: PathBuf,
    clock: AtomicU64,
    /// How far Prometheus' clock is ahead.
    ahead: AtomicU64,
    bad: AtomicBool,
    asked: Mutex<Vec<String>>,
}

async fn answer(
    State(world): State<Arc<World>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Body<Json> {
    let query = query["query"].clone();
    let one = |labels: Json, value: String| json!({"metric": labels, "value": [1, value]});
    let is_canary = query.contains("\"canary\"");
    let result = if query.contains("config_revision") {
        let revision = match Desk::open(std::slice::from_ref(&world.file)).unwrap() {
            Opened::Desk(desk) => u64::from_str_radix(&lower::revision(&desk.mesh), 16).unwrap(),
            Opened::Broken(_) => 0,
        };
        vec![one(json!({"namespace": "bank", "pod": "p", "direction": "outbound"}), revision.to_string())]
    } else if query == "vector(time())" {
        let there = world.clock.load(Ordering::SeqCst) + world.ahead.load(Ordering::SeqCst);
        vec![one(json!({}), there.to_string())]
    } else if query.contains("by (le)") {
        [("5", "900"), ("10", "995"), ("+Inf", "1000")].map(|(le, n)| one(json!({"le": le}), n.into())).into()
    } else if query.contains("vector(0)") {
        let errors = if is_canary && world.bad.load(Ordering::SeqCst) { "0.5" } else { "0" };
        vec![one(json!({}), errors.into())]
    } else {
        vec![one(json!({}), "1000".into())]
    };
    world.asked.lock().unwrap().push(query);
    Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

struct Bank {
    world: Arc<World>,
    run: Run,
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Bank {
    /// A rollout with this in it, at this weight.
    async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("graylane.yaml");
        let more = more.replace("HERE", &folder.path().display().to_string());
        std::fs::write(&file, format!("{FILE}{more}")).unwrap();
        let world = Arc::new(World { file: file.clone(), clock: MONDAY.into(), ..World::default() });
        let router = Router::new().route("/api/v1/query", get(answer)).with_state(Arc::clone(&world));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        let run = Self::run(&world, &file, &url);
        Self { world, run, folder, server }
    }

    fn run(world: &Arc<World>, file: &Path, url: &str) -> Run {
        let clock = Arc::clone(world);
        Run {
            paths: vec![file.to_owned()],
            service: "api".into(),
            canary: None,
            prometheus: Several::only(Prometheus::new(url).unwrap()),
            apply: Apply {
                command: None,
                options: Options::default(),
                settle: Duration::ZERO,
                limit: Duration::from_secs(60),
                say: Box::new(|_| ()),
            },
            hold: None,
            requests: 100,
            anew: false,
            journal: Journal::open(&file.with_file_name("log.jsonl"), "api").unwrap(),
            git: None,
            synced_by: Vec::new(),
            cluster: None,
            clock: Box::new(move || clock.clock.load(Ordering::SeqCst)),
        }
    }

    /// Looks until there is nothing more to do at once.
    async fn look(&mut self) -> Progress {
        for _ in 0..30 {
            match self.run.look().await.unwrap() {
                Progress::On(_) | Progress::Advance(_) => {}
                other => return other,
            }
        }
        panic!("it goes on and on: {:?}", self.events());
    }

    /// Looks, lets a step's time pass, and looks again.
    async fn step(&mut self) -> Progress {
        self.look().await;
        self.pass(60);
        self.look().await
    }

    fn pass(&self, seconds: u64) {
        self.world.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    fn weight(&self) -> String {
        let text = std::fs::read_to_string(&self.world.file).unwrap();
        let line = text.lines().find(|line| line.contains("weights:")).unwrap();
        line.trim().to_owned()
    }

    fn events(&self) -> Vec<Event> {
        let all = self.run.journal.records.iter().map(|record| record.event);
        all.filter(|event| *event != Event::Look).collect()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.world.file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&self.world.file, text.replace(from, to)).unwrap();
    }

    fn bad(&self, bad: bool) {
        self.world.bad.store(bad, Ordering::SeqCst);
    }

    /// Lines that a hook wrote.
    fn wrote(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ran")).unwrap_or_default()
    }

    fn approve(&mut self, step: &str, name: &str, outside_window: bool) {
        let mut record = Record::now("api", "canary", 0.0, Event::Approve, String::new());
        record.by = Some(By::Person);
        (record.step, record.salt) = (Some(step.into()), Some("api.bank.svc.cluster.local".into()));
        record.approval = Some(Approval { name: name.into(), ticket: None, outside_window });
        self.run.journal.add(record).unwrap();
    }
}

fn says(progress: &Progress, part: &str) {
    assert!(format!("{progress:?}").contains(part), "`{part}` is not in {progress:?}");
}

#[tokio::test]
async fn a_bad_verdict_holds_from_the_point_of_no_return_on() {
    let mut bank = Bank::new("      noReturn: 25\n").await;
    bank.look().await;
    bank.bad(true);
    says(&bank.step().await, "Aborted");
    assert_eq!(bank.weight(), "weights: {canary: 0}");

    let mut bank = Bank::new("      noReturn: 25\n").await;
    bank.step().await;
    assert_eq!(bank.weight(), "weights: {canary: 25}", "the weight itself is the first at which it holds");
    assert!(bank.events().contains(&Event::NoReturn));
    bank.bad(true);
    for _ in 0..3 {
        let held = bank.step().await;
        assert!(matches!(held, Progress::Held(_)), "{held:?}");
        says(&held, "50.00 % of its requests failed");
        says(&held, "--past-no-return");
    }
    assert_eq!(bank.weight(), "weights: {canary: 25}");
    assert_eq!(bank.events().iter().filter(|event| **event == Event::Held).count(), 1, "written once");

    // Lowered by hand, and told to go on: users have written all the same.
    bank.edit("{canary: 25}", "{canary: 5}");
    says(&bank.look().await, "Stopped");
    bank.run.resume().unwrap();
    let held = bank.step().await;
    assert!(matches!(held, Progress::Held(_)), "{held:?}");
    says(&held, "had its point of no return, 25 %");
    assert_eq!(bank.weight(), "weights: {canary: 5}");

    bank.bad(false);
    for _ in 0..2 {
        let held = bank.step().await;
        assert!(matches!(held, Progress::Held(_)), "{held:?}");
        says(&held, "50.00 % of its requests failed");
        says(&held, "graylane ramp run api --resume");
    }
    assert_eq!(bank.weight(), "weights: {canary: 5}", "a good look alone is not enough");
    bank.run.anew = true;
    bank.run.resume().unwrap();
    bank.run.anew = false;
    assert!(matches!(bank.step().await, Progress::Held(_)), "nor is --anew");
    bank.run.resume().unwrap();
    assert_eq!(bank.events().last(), Some(&Event::Resume), "in the log");
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 5}", "watched anew");
    bank.step().await;
    assert_eq!(bank.weight(), "weights: {canary: 25}", "repaired, it goes on");
    // Bad again, it holds again.
    bank.bad(true);
    bank.step().await;
    bank.bad(false);
    assert!(matches!(bank.step().await, Progress::Held(_)));
}

#[tokio::test]
async fn a_pause_waits_for_one_who_may() {
    let more = "      approvers: [ada]\n      hooks: {before: {25: \"echo $GRAYLANE_SERVICE $GRAYLANE_CANARY $GRAYLANE_FROM $GRAYLANE_TO >> HERE/ran\"}}\n";
    let mut bank = Bank::new(more).await;
    bank.edit("[5, 25, 100]", "[5, {pause: approve}, 25, 100, {pause: approve}]");
    says(
        &bank.step().await,
        "25 % waits for an approval: `graylane ramp approve api --by NAME`, by one of ada",
    );
    bank.approve("25", "eve", false);
    bank.approve("100", "ada", false);
    bank.pass(3600);
    says(&bank.look().await, "waits for an approval");
    assert_eq!((bank.weight().as_str(), bank.wrote().as_str()), ("weights: {canary: 5}", ""));
    bank.approve("25", "ada", false);
    bank.look().await;
    assert_eq!(
        (bank.weight().as_str(), bank.wrote().as_str()),
        ("weights: {canary: 25}", "api canary 5 25\n")
    );
    bank.step().await;
    says(&bank.step().await, "the promotion waits for an approval");
    bank.approve("promote", "ada", false);
    says(&bank.look().await, "is promoted");
}

#[tokio::test]
async fn a_step_up_waits_for_its_window_and_an_abort_does_not() {
    let window = "      approvers: [ada]\n      windows: [{days: [mon, tue], from: \"09:00\", to: \"16:00\", zone: Europe/Berlin}]\n";
    let mut bank = Bank::new(window).await;
    let first = bank.look().await;
    says(&first, "5 % waits for a window: the next one opens on Mon 2026-11-30 09:00 Europe/Berlin");
    says(&first, "--outside-window");
    bank.pass(30 * 60);
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 5}");
    // 16:00: closed until tomorrow.
    bank.pass(7 * 3600);
    says(&bank.look().await, "Tue 2026-12-01 09:00");
    bank.approve("25", "ada", false);
    says(&bank.look().await, "Tue 2026-12-01 09:00");
    bank.approve("25", "ada", true);
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 25}", "a named person goes on");
    bank.bad(true);
    says(&bank.step().await, "Aborted");
    assert_eq!(bank.weight(), "weights: {canary: 0}");
}

#[tokio::test]
async fn a_window_is_not_believed_to_a_clock_that_is_an_hour_off() {
    let window = "      windows: [{days: [mon], from: \"08:00\", to: \"16:00\", zone: Europe/Berlin}]\n";
    let mut bank = Bank::new(window).await;
    bank.world.ahead.store(3600, Ordering::SeqCst);
    says(&bank.look().await, "differ by 3600 s");
    assert_eq!(bank.weight(), "weights: {canary: 0}");
    bank.world.ahead.store(59, Ordering::SeqCst);
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 5}");
}

#[tokio::test]
async fn a_hook_that_fails_or_hangs_holds_its_step_and_is_run_again() {
    let more = "      hooks: {before: {5: \"sh HERE/hook\"}, timeout: 1s}\n";
    let mut bank = Bank::new(more).await;
    let hook = bank.folder.path().join("hook");
    let is = |text: &str| std::fs::write(&hook, text).unwrap();
    is("echo no table; exit 7");
    says(&bank.look().await, "the hook before 5 % failed with exit code 7: no table; it is run again");
    is("echo waiting; sleep 600 & wait");
    says(&bank.look().await, "was killed after 1 s, see `hooks.timeout`: waiting");
    assert_eq!(bank.weight(), "weights: {canary: 0}");
    let ran: Vec<_> = bank.run.journal.records.iter().filter_map(|record| record.hook.clone()).collect();
    assert_eq!(ran.iter().map(|ran| ran.exit).collect::<Vec<_>>(), [Some(7), None]);
    assert_eq!(ran[0].lines, ["no table"]);
    is(&format!("echo x >> {}", bank.folder.path().join("ran").display()));
    // It is killed between its hook and its step.
    says(&bank.run.look().await.unwrap(), "the hook before 5 % succeeded");
    let file = bank.world.file.clone();
    assert_eq!(bank.weight(), "weights: {canary: 0}");
    bank.run.journal = Journal::open(&file.with_file_name("log.jsonl"), "api").unwrap();
    bank.look().await;
    assert_eq!((bank.weight().as_str(), bank.wrote().as_str()), ("weights: {canary: 5}", "x\n"), "once");
}

#[tokio::test]
async fn the_hook_after_an_abort_is_run_until_it_succeeds() {
    let more =
        "      hooks: {afterAbort: \"echo $GRAYLANE_FROM $GRAYLANE_TO >> HERE/ran; test -e HERE/fine\"}\n";
    let mut bank = Bank::new(more).await;
    bank.look().await;
    bank.bad(true);
    for _ in 0..2 {
        let retry = bank.step().await;
        assert!(matches!(retry, Progress::Retry(_)), "{retry:?}");
        says(&retry, "is aborted, but the hook after the abort failed with exit code 1");
        assert_eq!(bank.weight(), "weights: {canary: 0}", "the abort stands");
    }
    std::fs::write(bank.folder.path().join("fine"), "").unwrap();
    says(&bank.look().await, "Aborted");
    let wrote = bank.wrote();
    assert!(wrote.lines().all(|line| line == "5 0"), "{wrote}");
    says(&bank.look().await, "Aborted");
    assert_eq!(bank.wrote(), wrote, "not again");
}

#[tokio::test]
async fn only_those_who_take_part_are_judged() {
    let mut bank = Bank::new("").await;
    bank.edit("tenants: {green: {default: true}", "tenants: {gray: {}, green: {default: true}");
    bank.edit("hold: 60s", "hold: 60s\n      tenants: [green, load]");
    bank.step().await;
    let asked = bank.world.asked.lock().unwrap().clone();
    let figures: Vec<_> = asked.iter().filter(|query| query.contains("istio_request")).collect();
    assert!(
        !figures.is_empty() && figures.iter().all(|query| query.contains("tenant=~\"green\"")),
        "{figures:#?}"
    );
}

#[tokio::test]
async fn a_step_waits_that_takes_users_off_another_canary_past_its_point_of_no_return() {
    let mut bank = Bank::new("      noReturn: 25\n").await;
    bank.edit("canary: {version: v2}", "canary: {version: v2}, more: {version: v3}");
    bank.edit("{canary: 0}", "{canary: 0, more: 25}");
    bank.run.canary = Some("canary".into());
    says(&bank.look().await, "takes users off another canary, and `more` has 25 % of the users");
    assert_eq!(bank.weight(), "weights: {canary: 0, more: 25}");
    assert!(bank.events().is_empty());
}

//! A rollout as a bank runs it, by hand: what commands refuse, and what they say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::routing::get;
use axum::{Json as Body, Router};
use serde_json::{Value as Json, json};

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
      weights: {canary: 5}
      steps: [5, 25, {pause: approve}, 100]
      noReturn: 25
      approvers: [ada]
      hooks: {before: {25: sh hook.sh}, afterAbort: sh after.sh, timeout: 1s}
alerts: {errorRatio: {canaryOverBaseline: 2}}
";

struct Bank(tempfile::TempDir);

impl Bank {
    fn new() -> Self {
        let bank = Self(tempfile::tempdir().unwrap());
        bank.put("graylane.yaml", FILE);
        bank
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path("graylane.yaml")).unwrap()
    }

    fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = self.output(line);
        let both = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(both).unwrap())
    }

    fn output(&self, line: &str) -> Output {
        let words = line.split_whitespace();
        let program = Path::new(env!("CARGO_BIN_EXE_graylane"));
        Command::new(program).args(words).current_dir(self.0.path()).output().unwrap()
    }

    fn says(&self, line: &str, code: i32, parts: &[&str]) {
        let (is, said) = self.run(line);
        assert_eq!(is, Some(code), "{line}: {said}");
        for part in parts {
            assert!(said.contains(part), "{line}: `{part}` is not in {said}");
        }
    }
}

#[test]
fn a_hook_that_fails_or_hangs_is_in_the_way_of_a_step_by_hand() {
    let bank = Bank::new();
    bank.put("hook.sh", "echo no column; exit 4\n");
    bank.says(
        "ramp next api",
        2,
        &["hook before 25 % failed with exit code 4: no column: nothing is written"],
    );
    bank.put("hook.sh", "sleep 600\n");
    bank.says("ramp set api 25", 2, &["was killed after 1 s, see `hooks.timeout`"]);
    assert_eq!(bank.text(), FILE);
    bank.says("ramp status api", 0, &["the last one was killed after 1 s"]);
    bank.put(
        "hook.sh",
        "echo $GRAYLANE_SERVICE $GRAYLANE_CANARY $GRAYLANE_FROM $GRAYLANE_TO ${#GRAYLANE_REVISION}\n",
    );
    let point = "25 % is past the point of no return";
    bank.says("ramp next api", 0, &["hook: api canary 5 25 12", point, "canary 5 % → 25 %"]);
    bank.says("ramp set api 100", 2, &["100 % waits for an approval"]);
    let said = bank.run("ramp set api 100 --force").1;
    let pause = "warning: --force leaves out the pause before 100 %, which one of ada has to end\n";
    assert!(said.contains(pause) && said.contains("25 % → 100 %"), "{said}");
    assert_eq!(said.matches("warning").count(), 1, "{said}");
}

#[test]
fn what_was_written_stays_written() {
    let bank = Bank::new();
    bank.put("hook.sh", "");
    bank.says("ramp next api", 0, &[]);
    // By hand, in an editor.
    bank.put("graylane.yaml", &bank.text().replace("{canary: 25}", "{canary: 2}"));
    let had = "`canary` had its point of no return, 25 % (`noReturn`), at 20";
    bank.says("ramp abort api", 2, &[had, "--past-no-return"]);
    bank.says("ramp set api 1", 2, &[had]);
    bank.says(
        "off",
        0,
        &["warning: `api`: `canary` had its point", "the baseline, which may not be able to read"],
    );
    bank.says("off --service api", 0, &["warning: `api`"]);
    // A file with errors elsewhere is no way around it.
    let whole = bank.text();
    bank.put(
        "graylane.yaml",
        &whole.replace("hold:", "").replace("green: {default: true}", "green: {default: true}, GREEN!: {}"),
    );
    bank.says("ramp abort api", 2, &["has or had its point of no return, 25 %"]);
    bank.put("graylane.yaml", &whole.replace("noReturn: 25", "noReturn: soon"));
    bank.says("ramp abort api", 2, &["has or had its point of no return"]);
    bank.put("graylane.yaml", &whole);
    bank.put("after.sh", "exit 1\n");
    bank.says(
        "ramp abort api --past-no-return",
        0,
        &["canary 2 % → 0 %", "the hook after the abort failed with exit code 1"],
    );
    bank.put("after.sh", "");
    bank.says("ramp abort api", 0, &["stays at 0 %", "the hook after the abort succeeded"]);
    let again = bank.run("ramp abort api").1;
    assert!(again.contains("stays at 0 %") && !again.contains("hook"), "{again}");
    // The next rollout has its own way back.
    bank.says("ramp next api", 0, &["0 % → 5 %"]);
    bank.says("ramp abort api", 0, &["5 % → 0 %"]);
}

#[test]
fn one_approval_is_for_one_step_and_a_subset_without_an_entry_waits_too() {
    let bank = Bank::new();
    let steps = "steps: [5, {pause: approve}, 25, {pause: approve}, 100]";
    let file = FILE.replace("steps: [5, 25, {pause: approve}, 100]", steps);
    bank.put(
        "graylane.yaml",
        &file.replace("canary: {version: v2}", "canary: {version: v2}, other: {version: v3}"),
    );
    let pause = file.replace("steps: [5, {pause: approve}", "steps: [{pause: approve}, 5, {pause: approve}");
    // Two at once: the first takes the step, and the approval with it.
    bank.put("hook.sh", "sleep 0.5\n");
    bank.says("ramp approve api --by ada", 0, &["allows 25 %"]);
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| bank.run("ramp next api").0));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(2)), "{codes:?}");
    assert!(bank.text().contains("{canary: 25}"), "{}", bank.text());
    bank.put(
        "graylane.yaml",
        &pause.replace("canary: {version: v2}", "canary: {version: v2}, other: {version: v3}"),
    );
    bank.says("ramp set api other=5", 2, &["5 % waits for an approval"]);
}

#[test]
fn what_force_leaves_out_is_printed_and_in_the_log_with_who_answers_for_it() {
    let bank = Bank::new();
    let windows = "windows: [{days: [mon], from: \"09:00\", to: \"09:01\", zone: UTC}]\n      noReturn: 25";
    let file = FILE
        .replace("[5, 25, {pause: approve}, 100]", "[5, {pause: approve}, 25, 50, {pause: approve}, 100]");
    bank.put("graylane.yaml", &file);
    let last = || -> Json {
        let log = std::fs::read_to_string(bank.path("graylane-ramp-api.jsonl")).unwrap();
        serde_json::from_str(log.lines().last().unwrap()).unwrap()
    };
    let all = json!([
        "the step 25 %",
        "the pause before 25 %, which one of ada has to end",
        "the hook before 25 %: `sh hook.sh`",
        "the step 50 %",
        "the pause before 100 %, which one of ada has to end",
        "the way back: 25 % is the point of no return, and from there on `canary` is not taken back without --past-no-return",
    ]);
    let said = bank.run("ramp set api 100 --force --by ben --ticket CHG-7").1;
    for what in all.as_array().unwrap() {
        let line = format!("warning: --force leaves out {}\n", what.as_str().unwrap());
        assert!(said.contains(&line), "`{line}` is not in {said}");
    }
    assert_eq!(last()["forced"], all);
    assert_eq!(last()["answer"], json!({"name": "ben", "ticket": "CHG-7"}));
    bank.put("after.sh", "");
    bank.put("graylane.yaml", &bank.text().replace("hooks:", "# hooks:"));
    bank.says("ramp abort api --past-no-return --by ada", 0, &["back past the point of no return"]);
    let record = last();
    assert!(record["forced"][0].as_str().unwrap().starts_with("the point of no return: `canary` has 100 %"));
    assert_eq!((&record["event"], &record["answer"]), (&json!("abort"), &json!({"name": "ada"})));
    // What does not leave out anything is not forced.
    bank.says("ramp set api 4 --force", 0, &["0 % → 4 %"]);
    assert_eq!((&last()["forced"], &last()["answer"]), (&Json::Null, &Json::Null));
    bank.put("graylane.yaml", &bank.text().replace("noReturn: 25", windows));
    bank.says("ramp set api 5 --force", 0, &["--force leaves out the window: the next one opens on Mon"]);
}

#[test]
fn another_canary_does_not_take_users_past_the_point_of_no_return() {
    let bank = Bank::new();
    let file = FILE.replace("canary: {version: v2}", "canary: {version: v2}, also: {version: v3}");
    bank.put("graylane.yaml", &file.replace("{canary: 5}", "{also: 0, canary: 25}"));
    let why = "`canary` has 25 % of the users, and its point of no return is 25 %";
    // `also` comes first, so it takes the place of users of `canary`.
    bank.says("ramp set api also=50 --force", 2, &[why, "--past-no-return"]);
    assert!(bank.text().contains("{also: 0, canary: 25}"), "{}", bank.text());
    bank.says("ramp set api also=50 --force --past-no-return", 0, &["also 0 % → 50 %"]);
    // And back: `canary` moves up, away from some of its users.
    bank.says("ramp abort api --canary also", 2, &["its point of no return"]);
}

#[test]
fn hooks_run_in_the_folder_of_the_first_file() {
    let bank = Bank::new();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir(elsewhere.path().join("it")).unwrap();
    std::fs::write(elsewhere.path().join("it/graylane.yaml"), FILE).unwrap();
    std::fs::write(elsewhere.path().join("it/hook.sh"), "echo it is $(cat here)\n").unwrap();
    std::fs::write(elsewhere.path().join("it/here"), "found").unwrap();
    let file = elsewhere.path().join("it/graylane.yaml");
    bank.says(&format!("ramp next api -f {}", file.display()), 0, &["it is found", "5 % → 25 %"]);
    std::fs::write(&file, FILE).unwrap();
    std::fs::remove_file(elsewhere.path().join("it/graylane-ramp-api.jsonl")).unwrap();
    bank.says(&format!("ramp next api -f {}", elsewhere.path().join("it").display()), 0, &["it is found"]);
}

#[test]
fn status_shows_who_opened_a_closed_window() {
    let bank = Bank::new();
    let windows = "windows: [{days: [mon], from: \"09:00\", to: \"09:01\", zone: UTC}]\n      noReturn: 25";
    bank.put("graylane.yaml", &FILE.replace("noReturn: 25", windows));
    bank.says("ramp approve api --by ada --outside-window", 0, &["allows 25 %"]);
    bank.says("ramp status api", 0, &["approval  25: by ada, outside of every window too"]);
}

#[test]
fn status_tells_machines_the_same() {
    let bank = Bank::new();
    bank.put("hook.sh", "");
    bank.says("ramp next api", 0, &[]);
    let status = || {
        let output = bank.output("ramp status api --output json");
        serde_json::from_slice::<Json>(&output.stdout).unwrap()
    };
    let is = status();
    assert_eq!(is["noReturn"], json!({"percent": "25", "reached": true}));
    assert_eq!(is["approval"], json!({"step": "100", "approvers": ["ada"], "by": null}));
    assert_eq!(is["pauses"], json!(["100"]));
    assert_eq!(is["hooks"]["before"]["25"], "sh hook.sh");
    assert_eq!(is["judged"], json!({"tenants": ["green"], "leftOut": ["load"], "all": false}));
    let log = std::fs::read_to_string(bank.path("graylane-ramp-api.jsonl")).unwrap();
    let mut held: Json = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    held["event"] = json!("held");
    held["time"] = json!("2026-03-01T09:00:00Z");
    bank.put("graylane-ramp-api.jsonl", &format!("{log}{held}\n"));
    bank.says(
        "ramp status api",
        0,
        &["25 %, held since 2026-03-01T09:00:00Z: waits for `graylane ramp run api --resume`"],
    );
    bank.put("graylane-ramp-api.jsonl", &log);
    bank.says("ramp approve api --by ada --outside-window", 1, &["has no windows"]);
    bank.says("ramp approve api --by ada --ticket CHG-1", 0, &["`ada` allows 100 % of `canary`"]);
    bank.says("ramp approve api --by ada", 0, &["allowed 100 % at", "already"]);
    assert_eq!(status()["approval"]["by"], "ada");
}

#[test]
fn alerts_say_that_there_is_no_way_back_and_leave_out_who_is_not_judged() {
    let bank = Bank::new();
    let alert =
        |bank: &Bank| bank.run("render --image registry.example/x:1 --no-pin --only PrometheusRule").1;
    let before = alert(&bank);
    assert!(before.contains("tenant!~") && !before.contains("past its point of no return"), "{before}");
    bank.put("graylane.yaml", &FILE.replace("{canary: 5}", "{canary: 25}"));
    let after = alert(&bank);
    assert!(after.contains("It is past its point of no return (25 %)"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_without_those_who_are_not_judged() {
    let series = |tenant: &str, value: &str| {
        json!({
            "metric": {"namespace": "bank", "workload": "api-v1", "direction": "inbound", "tenant": tenant, "subset": "stable",
                       "source": "header", "service": ""},
            "value": [1, value],
        })
    };
    let data = json!({"resultType": "vector", "result": [series("green", "60"), series("load", "385")]});
    let answer = json!({"status": "success", "data": data});
    let router = Router::new().route("/api/v1/query", get(async move || Body(answer)));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let bank = Bank::new();
    let line = format!("report --output json --prometheus {url}");
    let output = tokio::task::block_in_place(|| bank.output(&line));
    server.abort();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("without requests of load (`judge: false`)"), "{said}");
    let map = String::from_utf8_lossy(&output.stdout).into_owned();
    // Of five minutes.
    assert!(map.contains(" 12.0") && !map.contains(" 77.0") && !map.contains(" 89.0"), "{map}");
}

//! The demo's promises to machines and to the machine: its JSON, and that nothing is left behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    command.args(["demo", "--quiet"]);
    command
}

#[test]
fn every_scenario_is_a_row_of_its_own() {
    let output = demo().args(["--output", "json", "--users", "60"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["scenarios"].as_array().unwrap();
    assert!(rows.len() >= 12, "{}", rows.len());
    for row in rows {
        assert_eq!(row["ok"], true, "{row}");
        for text in ["name", "sent", "source"] {
            assert!(row[text].as_str().is_some_and(|text| !text.is_empty()), "{row}");
        }
        assert!(row["hops"].as_array().is_some_and(|hops| !hops.is_empty()), "{row}");
    }
    let named = |part: &str| rows.iter().any(|row| row["name"].as_str().unwrap().contains(part));
    for part in [
        "gray user, end to end",
        "live user, end to end",
        "request id",
        "trace id",
        "baggage",
        "pod label",
        "unknown tenant",
        "at 25 %",
        "at 50 %",
        "share a salt",
        "mode: observe",
        "after it has answered",
    ] {
        assert!(named(part), "no row about `{part}`");
    }
}

#[test]
fn a_file_with_the_least_that_check_accepts_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graylane.yaml");
    let text = "version: 1\nmesh: {name: one, namespace: one}\ntenants: {green: {default: true}}\nservices: {web: {subsets: {stable: {}}}}\n";
    std::fs::write(&file, text).unwrap();
    let output = demo().args(["--output", "json", "--users", "5", "-f"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["scenarios"].as_array().unwrap();
    assert!(rows.len() >= 6 && rows.iter().all(|row| row["ok"] == true), "{json}");
    // There are no gray users there.
    assert!(rows.iter().all(|row| !row["name"].as_str().unwrap().contains("gray")), "{json}");
    let twice = demo().args(["--path", "web,web", "-f"]).arg(&file).output().unwrap();
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("`web` twice"));
}

#[test]
fn what_was_reported_of_the_demo_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/regressions/demo");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let output = demo().args(["--users", "30", "-f"]).arg(&file).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&said));
    }
}

/// Processes whose parent is this one.
fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        // The fields behind the name, which is in parentheses: state, parent.
        .filter(|pid| {
            let stat = stat(*pid);
            let parent_field =
                stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
            parent_field == Some(parent)
        })
        .collect()
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// Stops a demo in the middle with a signal; nothing that it started is left.
fn stopped_by(signal: &str, code: Option<i32>) {
    let mut child = demo().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    wait_until("three Envoys are up", || children(pid).len() >= 3);
    let envoys = children(pid);
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), code);
    wait_until("its Envoys are gone", || !envoys.iter().any(|envoy| is_alive(*envoy)));
}

#[test]
fn nothing_is_left_when_it_is_interrupted() {
    stopped_by("-INT", Some(2));
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    stopped_by("-KILL", None);
}

#[test]
fn kept_it_prints_addresses_that_answer() {
    let mut child = demo()
        .args(["--keep", "--users", "20"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let page = lines.find_map(|line| Some(line.split_once("live: ")?.1.to_owned())).unwrap();
    let gateway = lines.find(|line| line.ends_with(" the gateway")).unwrap();
    let address = gateway.split_whitespace().next().unwrap().to_owned();
    let answer = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = graylane::http::direct().build().unwrap();
        let get = async |url: String| client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(get(page.clone()).await.contains("<title>Lanes of bank</title>"));
        // A program that was built before the playground says so.
        let playground = get(format!("{page}playground")).await;
        let its =
            if graylane::playground::is_there() { "\"name\":\"bank.yaml\"" } else { "run `make playground`" };
        assert!(playground.contains(its), "{}", playground.chars().take(300).collect::<String>());
        // Another site cannot read it under a name of its own that leads here.
        let other = client.get(format!("{page}playground")).header("host", "elsewhere.example").send().await;
        assert_eq!(other.unwrap().status(), 403);
        // Somebody comes all the time, so every box appears.
        let deadline = Instant::now() + Duration::from_secs(60);
        while get(format!("{page}content")).await.matches(r#"class="name""#).count() < 5 {
            assert!(Instant::now() < deadline, "the page does not move");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let request =
            client.get(format!("{address}/?run=mine&path=api,ledger,orders")).header("tenant", "gray-v1");
        request.send().await.unwrap().text().await.unwrap()
    });
    assert_eq!(answer, "api canary\nledger stable\norders canary\n");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

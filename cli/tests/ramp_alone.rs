//! `graylane ramp` without Git and without a cluster that is known: what ends a run, and what people are told.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const FILE: &str = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout:
      weights: {canary: 5}
      steps: [1, 5, 50, 100]
      noReturn: 25
";

/// How long something may take.
const LIMIT: Duration = Duration::from_secs(60);

fn graylane(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    command.args(words).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit {:?}: {}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_a_run_that_is_alone() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("graylane.yaml"), FILE).unwrap();
        let path = root.join("said");
        let words =
            ["ramp", "run", "api", "--prometheus", "http://127.0.0.1:1", "--apply", "cat > /dev/null"];
        let mut command = graylane(root, &words);
        command.args(["--settle", "0s", "--image", "r.example/x:1", "--no-pin", "--interval", "1h"]);
        command.stderr(std::fs::File::create(&path).unwrap());
        let mut run = Running(command.spawn().unwrap());
        let told = || std::fs::read_to_string(&path).unwrap();
        // Its command has run, and it waits.
        until("it waits", || told().contains("5 % is applied: unknown which pods run it"));
        let pid = run.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let mut code = None;
        until("it ends", || {
            code = run.0.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.unwrap().code(), Some(2), "{}", told());
        assert!(told().contains(&format!("error: ended by SIG{signal}")), "{}", told());
    }
}

/// Between two steps, and where there are none.
#[test]
fn whoever_passes_the_point_of_no_return_is_told() {
    let notice = "30 % is past the point of no return: from then on `canary` is not taken back without --past-no-return";
    for file in [FILE.to_owned(), FILE.replace("      steps: [1, 5, 50, 100]\n", "")] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("graylane.yaml"), &file).unwrap();
        let set = |weight: &str| said(&graylane(root, &["ramp", "set", "api", weight]).output().unwrap());
        let told = set("20");
        assert!(told.starts_with("exit Some(0)") && !told.contains("no return"), "{told}");
        let told = set("30");
        assert!(told.starts_with("exit Some(0)") && told.contains(notice), "{told}");
        let told = set("40");
        assert!(told.starts_with("exit Some(0)") && !told.contains("no return"), "once: {told}");
        let log = std::fs::read_to_string(root.join("graylane-ramp-api.jsonl")).unwrap();
        assert_eq!(log.matches("\"event\":\"noReturn\"").count(), 1, "{log}");
        let told = set("20");
        assert!(told.starts_with("exit Some(2)") && told.contains("pass --past-no-return"), "{told}");
    }
}

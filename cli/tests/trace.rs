//! `graylane trace` on access logs that real Envoys wrote, those of `graylane demo`, and on the sample of them that the guide shows.
//! `GRAYLANE_DOCS=write` writes the sample anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use graylane::trace::{id, join, read};
use serde_json::{Value as Json, json};

/// A request whose header was lost and restored, and one of which an application lost everything.
const RESTORED: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const LOST: &str = "0af7651916cd43dd8448eb211c80319c";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn trace(id: &str, logs: &Path) -> (Option<i32>, Json) {
    let output = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .current_dir(root())
        .args(["trace", id, "-f", "examples/bank/graylane.yaml", "--output", "json", "--logs"])
        .arg(logs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let mut json: Json =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    for hop in json["hops"].as_array_mut().unwrap() {
        assert!(!hop["time"].take().is_null(), "{hop}");
    }
    (output.status.code(), json)
}

/// The lines of some requests, as they are written.
fn lines_of<'l>(log: &'l str, ids: &[&str]) -> Vec<&'l str> {
    let (all, skipped) = read(log);
    assert_eq!(skipped, 0, "Envoys write nothing else");
    let wanted: Vec<_> =
        ids.iter().flat_map(|one| join(&all, &id(one))).map(|(line, _)| line.clone()).collect();
    log.lines().filter(|line| read(line).0.first().is_some_and(|line| wanted.contains(line))).collect()
}

#[test]
fn real_envoys_write_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("access.log");
    let demo = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(["demo", "--quiet", "--users", "60", "--output", "json", "--logs"])
        .arg(&logs)
        .output()
        .unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let log = std::fs::read_to_string(&logs).unwrap();
    let sample = root().join("examples/bank/access.log");
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&sample, lines_of(&log, &[RESTORED, LOST]).join("\n") + "\n").unwrap();
    }

    let (code, restored) = trace(RESTORED, &logs);
    assert_eq!((code, &restored["left"]), (Some(0), &Json::Null), "{restored:#}");
    let way = |json: &Json, key: &str| -> Vec<Json> {
        json["hops"].as_array().unwrap().iter().map(|hop| hop[key].clone()).collect()
    };
    assert_eq!(way(&restored, "to"), ["api", "ledger", "orders"]);
    assert_eq!(way(&restored, "from"), ["gateway", "api", "ledger"]);
    assert_eq!(way(&restored, "source"), ["header", "memory", "memory"]);
    assert_eq!(way(&restored, "tenant"), ["gray-v1"; 3]);
    assert_eq!(way(&restored, "subset"), ["canary", "stable", "canary"]);
    assert_eq!(way(&restored, "reason"), ["pin", "baseline", "pin"]);

    let (code, lost) = trace(LOST, &logs);
    assert_eq!((code, &lost["left"]["hop"]), (Some(1), &json!(1)), "{lost:#}");
    assert_eq!(way(&lost, "source"), ["header", "default"]);
    assert_eq!(way(&lost, "byTime"), [false, true]);

    // The guide's sample tells the same.
    for (id, real) in [(RESTORED, restored), (LOST, lost)] {
        assert_eq!(trace(id, &sample).1, real, "make it anew with GRAYLANE_DOCS=write");
    }
}

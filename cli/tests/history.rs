//! `graylane history` and the commit of a revision, in real Git repositories, and the page that shows them: rewritten with
//! GRAYLANE_DOCS=write (`make docs`).

mod repository;

use std::path::Path;

use axum::Router;
use axum::routing::get;
use repository::{FILE, commit, git, graylane, json, shown, text, weight};

/// A rollout by a run, over which a person writes, from its first commit to its promotion.
fn rollout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    git(root, 1, &["init", "--quiet"]);
    commit(root, 1, "graylane.yaml", FILE, "Begin the rollout of api");
    let run = "api: canary 1 % → 5 %\n\npass\n\nGraylane-Service: api\nGraylane-Verdict: pass: errors: 0.1 % against 0.1 %\n\
               Graylane-Runner: deploy@ci-7\nGraylane-Ticket: CHG-1042\n";
    commit(root, 2, "graylane.yaml", &weight("5"), run);
    commit(root, 3, "graylane.yaml", &weight("5").replace("# A rollout", "# The rollout"), "Words");
    commit(root, 4, "graylane.yaml", &weight("0"), "Back: customers call");
    commit(
        root,
        5,
        "graylane.yaml",
        &weight("0").replace("baseline: stable", "baseline: stabel"),
        "A mistake",
    );
    commit(root, 6, "graylane.yaml", &weight("100"), "All in");
    let promoted =
        weight("0").replace("baseline: stable", "baseline: canary").replace("{canary: 0}", "{stable: 0}");
    commit(root, 7, "graylane.yaml", &promoted, "Promote");
    let next = promoted.replace("release-42", "release-43").replace("gray-v1: canary", "gray-v1: stable");
    commit(
        root,
        8,
        "graylane.yaml",
        &next.replace("      gate: gray-v1 # judged before a live user is moved\n", ""),
        "Prepare the next one",
    );
    folder
}

#[test]
fn the_page_shows_what_is_printed() {
    let folder = rollout();
    let lines = ["graylane history api", "graylane history --revision 0212f41ff47d"];
    shown("docs/rollout.md", "history", folder.path(), &lines);
}

#[test]
fn machines_get_the_same() {
    let folder = rollout();
    let report = json(folder.path(), &["history", "api", "-n", "4"]);
    let entries = report["entries"].as_array().unwrap();
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| (entry["changes"][0]["kind"].as_str().unwrap(), entry["moved"].as_f64().unwrap()))
        .collect();
    assert_eq!(kinds, [("salt", 0.0), ("promoted", 0.0), ("weight", 100.0), ("weight", 5.0)]);
    let report = json(folder.path(), &["history", "api"]);
    let run = &report["entries"][4];
    assert_eq!(
        (&run["runner"], &run["ticket"], &run["author"]),
        (&"deploy@ci-7".into(), &"CHG-1042".into(), &"t".into())
    );
    assert_eq!((&run["changes"][0]["from"], &run["changes"][0]["to"]), (&"1".into(), &"5".into()));
    assert_eq!(report["skipped"][0]["error"], "`api` has no subset `stabel`");
    // The revision of each leads back to the commit that brought it, and not to one that changed words only.
    let revision = run["revision"].as_str().unwrap();
    let found = json(folder.path(), &["history", "--revision", revision]);
    assert_eq!(found["id"], run["commit"]["id"]);
}

#[test]
fn another_salt_moves_as_many_as_chance_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    git(root, 1, &["init", "--quiet"]);
    commit(root, 1, "graylane.yaml", &weight("50"), "Begin");
    commit(root, 2, "graylane.yaml", &weight("50").replace("release-42", "release-43"), "Reshuffle");
    std::fs::write(root.join("graylane.yaml"), weight("25").replace("release-42", "release-43")).unwrap();
    let report = json(root, &["history", "api"]);
    assert_eq!(report["entries"][0]["commit"], serde_json::Value::Null, "not committed");
    assert_eq!(
        (&report["entries"][0]["moved"], &report["entries"][1]["moved"]),
        (&25.0.into(), &50.0.into())
    );
}

#[test]
fn what_is_not_there_is_said() {
    let folder = rollout();
    for (words, wanted) in [
        (&["history", "orders"][..], "no service `orders`, and had none"),
        (&["history", "--revision", "000000000000"], "of none of the last 8 commits of the file"),
        (&["history", "--revision", "main"], "expected the 12 hex digits"),
        (&["history", "api", "-f", "missing.yaml"], "cannot find `missing.yaml`"),
    ] {
        let (code, out, said) = text(&graylane(folder.path(), words));
        assert!(code == Some(2) && out.is_empty() && said.contains(wanted), "{words:?}: {code:?} {said}");
    }
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", folder.path().display());
    git(clone.path(), 9, &["clone", "--quiet", "--depth", "2", &from, "."]);
    let (code, out, said) = text(&graylane(clone.path(), &["history", "api"]));
    assert!(
        code == Some(0) && said.contains("git fetch --unshallow") && out.lines().count() == 3,
        "{out}{said}"
    );
}

/// Which of the pods run something else, and of which commit it is.
#[tokio::test(flavor = "multi_thread")]
async fn status_prints_commits() {
    let folder = rollout();
    let report = json(folder.path(), &["history", "api"]);
    let revision = |entry: usize| report["entries"][entry]["revision"].as_str().unwrap().to_owned();
    let series = |pod: &str, revision: &str| {
        let value = u64::from_str_radix(revision, 16).unwrap().to_string();
        serde_json::json!({"metric": {"namespace": "shop", "pod": pod, "direction": "outbound"}, "value": [1, value]})
    };
    let result = [series("a", &revision(0)), series("b", &revision(4)), series("c", "123456")];
    let body = serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": result}})
        .to_string();
    let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let answer = move |query: axum::extract::Query<std::collections::BTreeMap<String, String>>| async move {
        if query["query"].contains("config_revision") { body } else { nothing.to_owned() }
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/api/v1/query", get(answer))).await.unwrap();
    });
    let status = |root: &Path, words: &[&str]| {
        text(&graylane(root, &[&["status", "--prometheus", &url], words].concat()))
    };
    let (_, out, said) = status(folder.path(), &[]);
    let id = |entry: usize| report["entries"][entry]["commit"]["id"].as_str().unwrap();
    assert!(said.contains(&format!("(commit {} of 2026-03-08T09:00:00Z)", id(0))), "{said}");
    assert!(
        out.contains(&format!("another configuration, commit {} of 2026-03-02T09:00:00Z", id(4))),
        "{out}"
    );
    let (_, out, _) = status(folder.path(), &["--output", "json"]);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["commits"][&revision(4)]["id"], id(4));
    assert_eq!(out["commits"].as_object().unwrap().len(), 2);
}

//! `graylane user` in real Git repositories, and the page that shows it: rewritten with GRAYLANE_DOCS=write (`make docs`).

mod repository;

use std::path::Path;
use std::process::{Command, Output};

use repository::{FILE, commit, git, graylane, shown, text, weight};
use serde_json::Value as Json;

/// Of bucket 1890 under the salt `release-42`: on the canary from 25 % on.
const KEY: &str = "user-8";

fn user(folder: &Path, arguments: &[&str]) -> Output {
    graylane(folder, &[&["user"], arguments].concat())
}

fn json(folder: &Path, arguments: &[&str]) -> Json {
    repository::json(folder, &[&["user"], arguments].concat())
}

/// What changed, each as `day from to because`.
fn changes(report: &Json) -> Vec<String> {
    let one = |change: &Json| {
        let text = |key: &str| change[key].as_str().unwrap_or("-").to_owned();
        let day = change["commit"]["time"].as_str().map_or("-", |time| &time[8..10]);
        format!("{day} {} {} {}", text("from"), text("to"), text("because"))
    };
    report["changes"].as_array().unwrap().iter().map(one).collect()
}

/// A rollout that goes up, back and up again, in a file that is renamed and broken on the way.
fn of_a_rollout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    git(root, 1, &["init", "--quiet"]);
    commit(root, 1, "lanes.yaml", FILE, "Begin the rollout of api");
    commit(root, 2, "lanes.yaml", &weight("25"), "api: canary 1 % to 25 %");
    commit(root, 3, "other.txt", "text", "Something else");
    git(root, 4, &["mv", "lanes.yaml", "graylane.yaml"]);
    git(root, 4, &["commit", "--quiet", "--message", "Rename the file"]);
    commit(root, 5, "graylane.yaml", &weight("0"), "api: back to 0 %, too many errors");
    commit(root, 6, "graylane.yaml", &FILE.replace("baseline: stable", "baseline: stabel"), "A mistake");
    commit(root, 7, "graylane.yaml", &weight("50"), "api: canary to 50 %");
    folder
}

#[test]
fn the_page_shows_what_is_printed() {
    let folder = of_a_rollout();
    let lines = [format!("graylane user {KEY}"), format!("graylane user {KEY} --at 2026-03-03")];
    shown("docs/rollout.md", "user", folder.path(), &lines.each_ref().map(String::as_str));
}

#[test]
fn changes_are_found_over_renames_and_mistakes() {
    let folder = of_a_rollout();
    let report = json(folder.path(), &[KEY]);
    let wanted = [
        "01 - stable new rollout",
        "02 stable canary weights",
        "05 canary stable weights",
        "07 stable canary weights",
    ];
    assert_eq!(changes(&report), wanted);
    assert_eq!(report["skipped"][0]["error"], "`api` has no subset `stabel`");
    assert_eq!(report["skipped"][0]["commit"]["time"], "2026-03-06T09:00:00Z");
    let side = &report["sides"][0];
    assert_eq!((&side["subset"], &side["percent"]), (&"canary".into(), &50.0.into()));
    assert_eq!(side["since"]["commit"]["subject"], "api: canary to 50 %");
    // The filter's own functions say the same.
    let (_, out, _) = text(
        &Command::new(env!("CARGO_BIN_EXE_graylane"))
            .args(["explain", "--path", "gateway,api", "-H", &format!("x-user-id: {KEY}"), "-o", "json"])
            .current_dir(folder.path())
            .output()
            .unwrap(),
    );
    let hop = serde_json::from_str::<Json>(&out).unwrap()["hops"][0].clone();
    assert_eq!(
        (&hop["unit"], &hop["bucket"], &hop["subset"]),
        (&report["unit"], &side["bucket"], &side["subset"])
    );
    // A link has the history of the file that it leads to.
    std::os::unix::fs::symlink("graylane.yaml", folder.path().join("link.yaml")).unwrap();
    assert_eq!(changes(&json(folder.path(), &[KEY, "-f", "link.yaml"])), wanted);
}

#[test]
fn a_time_is_answered_by_the_commit_before_it() {
    let folder = of_a_rollout();
    let subset = |at: &str| {
        let report = json(folder.path(), &[KEY, "--at", at]);
        assert!(report["commit"]["time"].as_str().unwrap() <= at, "{report}");
        report["sides"][0]["subset"].as_str().unwrap().to_owned()
    };
    assert_eq!(subset("2026-03-01T09:00:00Z"), "stable");
    assert_eq!(subset("2026-03-04"), "canary");
    assert_eq!(subset("2026-03-06T12:00:00Z"), "stable", "what is broken was never applied");
    assert_eq!(subset("2027-01-01"), "canary");
    for (at, wanted) in [
        ("2026-03-01T08:59:59Z", "the history of the file begins at 2026-03-01T09:00:00Z"),
        ("yesterday", "invalid time `yesterday`: expected RFC 3339"),
    ] {
        let (code, out, said) = text(&user(folder.path(), &[KEY, "--at", at]));
        assert!(code == Some(2) && out.is_empty() && said.contains(wanted), "{said}");
    }
}

#[test]
fn what_is_not_committed_counts_as_now() {
    let folder = of_a_rollout();
    std::fs::write(folder.path().join("graylane.yaml"), weight("1")).unwrap();
    let report = json(folder.path(), &[KEY]);
    assert_eq!((&report["commit"], &report["sides"][0]["subset"]), (&Json::Null, &"stable".into()));
    assert_eq!(changes(&report).last().unwrap(), "- canary stable weights");
    let (_, out, _) = text(&user(folder.path(), &[KEY]));
    assert!(out.contains("not committed"), "{out}");
}

#[test]
fn salts_and_merges_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let over = |percent: u32| format!("services: {{api: {{rollout: {{weights: {{canary: {percent}}}}}}}}}\n");
    git(root, 1, &["init", "--quiet"]);
    commit(root, 1, "lanes/a.yaml", &weight("25"), "Begin");
    git(root, 2, &["checkout", "--quiet", "-b", "change"]);
    commit(root, 2, "over/b.yaml", &over(0), "An overlay, on a branch");
    git(root, 3, &["checkout", "--quiet", "main"]);
    commit(root, 3, "lanes/notes.txt", "text", "No YAML");
    git(root, 4, &["merge", "--quiet", "--no-edit", "change"]);
    commit(root, 5, "over/b.yaml", &over(30), "More in the overlay");
    let both = changes(&json(root, &[KEY, "-f", "lanes", "-f", "over"]));
    // A merge counts when it is merged, and what is not there yet says nothing.
    assert_eq!(both, ["01 - canary new rollout", "04 canary stable weights", "05 stable canary weights"]);
    commit(
        root,
        6,
        "lanes/a.yaml",
        &weight("25").replace("keys:", "salt: other\n  keys:"),
        "Another salt of units",
    );
    git(root, 7, &["rm", "--quiet", "-r", "lanes"]);
    git(root, 7, &["commit", "--quiet", "--message", "Gone"]);
    commit(root, 8, "lanes/a.yaml", &weight("25"), "Back");
    commit(
        root,
        9,
        "lanes/a.yaml",
        &weight("25").replace("release-42", "release-45"),
        "Another salt of the rollout",
    );
    let wanted = [
        "01 - canary new rollout",
        "06 canary stable sticky.salt",
        "07 stable - rollout removed",
        "08 - canary new rollout",
        "09 canary stable salt",
    ];
    assert_eq!(changes(&json(root, &[KEY, "-f", "lanes"])), wanted);
    let gone = text(&user(root, &[KEY, "-f", "lanes", "--at", "2026-03-07T10:00:00Z"]));
    assert!(gone.0 == Some(2) && gone.2.contains("the file was not there"), "{gone:?}");
}

#[test]
fn a_shallow_clone_says_that_it_is_one() {
    let folder = of_a_rollout();
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", folder.path().display());
    git(clone.path(), 9, &["clone", "--quiet", "--depth", "1", &from, "."]);
    let (code, out, said) = text(&user(clone.path(), &[KEY]));
    assert!(
        code == Some(0) && out.contains("2026-03-07T09:00:00Z or before") && !out.contains("changed"),
        "{out}"
    );
    assert!(said.contains("the history is cut off") && said.contains("git fetch --unshallow"), "{said}");
    let (code, _, said) = text(&user(clone.path(), &[KEY, "--at", "2026-03-02"]));
    assert!(code == Some(2) && said.contains("git fetch --unshallow"), "{said}");
}

#[test]
fn without_history_the_side_is_still_shown() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("graylane.yaml"), FILE).unwrap();
    let wants = |arguments: &[&str], path: Option<&str>, wanted: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
        command.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap());
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let run = |command: &mut Command| text(&command.output().unwrap());
        command.arg("user").args(arguments).current_dir(root);
        let (code, out, said) = run(&mut command);
        assert!(code == Some(0) && out.contains("stable") && said.contains(wanted), "{wanted}: {out}{said}");
        let (code, _, said) = run(command.args(["--at", "2026-03-02"]));
        assert!(code == Some(2) && said.contains("--at needs the history of the file"), "{said}");
    };
    wants(&[KEY], None, "not a git repository");
    wants(&[KEY], Some("/nowhere"), "the command `git` is not there");
    git(root, 1, &["init", "--quiet"]);
    wants(&[KEY], None, "when it changed is not known");
    commit(root, 1, "other.txt", "text", "Something else");
    git(root, 2, &["rm", "--quiet", "--cached", "graylane.yaml"]);
    git(root, 2, &["commit", "--quiet", "--message", "Leave it out"]);
    let (_, out, _) = text(&user(root, &[KEY]));
    assert!(out.contains("not committed"), "{out}");
}

#[test]
fn routes_and_external_weights() {
    let folder = tempfile::tempdir().unwrap();
    let text_ = FILE.replace(
        "    baseline: stable\n",
        "    baseline: stable\n    routes:\n      - {name: pay, match: [{uri: {prefix: /pay}}], rollout: {weights: {canary: 100}}}\n      \
         - {name: same, match: [{uri: {prefix: /x}}]}\n",
    ) + "  theirs: {routing: external, rollout: {weights: external}}\n";
    std::fs::write(folder.path().join("graylane.yaml"), text_).unwrap();
    let output = user(folder.path(), &[KEY]);
    let (code, out, said) = text(&output);
    assert_eq!(code, Some(0), "{said}");
    assert!(out.contains("api (pay)") && !out.contains("api (same)"), "{out}");
    assert!(said.contains("another controller sets the weights of `theirs`"), "{said}");
}

/// The way from open units to keyed ones and to another key, with the keys of now, and without the older one.
#[test]
fn another_hash_moves_users_and_a_key_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let hashed = |how: &str| weight("50").replace("keys:", &format!("{how}\n  keys:"));
    let keys = "hashKeys: {k1: GRAYLANE_OLD_TEST_KEY, k2: GRAYLANE_NEW_TEST_KEY}";
    git(root, 1, &["init", "--quiet"]);
    commit(root, 1, "graylane.yaml", &weight("50"), "Begin");
    commit(
        root,
        2,
        "graylane.yaml",
        &hashed("hash: keyed\n  hashKeys: {k1: GRAYLANE_OLD_TEST_KEY}"),
        "Keyed",
    );
    commit(
        root,
        3,
        "graylane.yaml",
        &hashed(&format!("hash: keyed\n  hashKey: k1\n  {keys}")),
        "Another key is known",
    );
    commit(
        root,
        4,
        "graylane.yaml",
        &hashed(&format!("hash: keyed\n  hashKey: k2\n  {keys}")),
        "Another key",
    );
    let ask = |words: &[&str], old: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
        command.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GRAYLANE_NEW_TEST_KEY", "000102030405060708090a0b0c0d0e0f");
        if old {
            command.env("GRAYLANE_OLD_TEST_KEY", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        }
        text(&command.args(words).current_dir(root).output().unwrap())
    };
    let told = |key: &str, old: bool| {
        let (code, out, said) = ask(&["user", key, "-o", "json"], old);
        assert_eq!(code, Some(0), "{said}");
        (changes(&serde_json::from_str(&out).unwrap()), said)
    };
    // Of some users, so that each change moves one.
    let users: Vec<Vec<String>> = (0..20).map(|user| told(&format!("user-{user}"), true).0).collect();
    for wanted in ["02", "04"] {
        let because = if wanted == "02" { "sticky.hash" } else { "sticky.hashKey" };
        let of_day = users.iter().flatten().filter(|change| change.starts_with(wanted)).collect::<Vec<_>>();
        assert!(
            !of_day.is_empty() && of_day.iter().all(|change| change.ends_with(&format!(" {because}"))),
            "{users:?}"
        );
    }
    assert!(!users.iter().flatten().any(|change| change.starts_with("03")), "{users:?}");
    let (changed, said) = told("user-1", false);
    let [first, gone, back] = &changed[..] else { panic!("{changed:?}") };
    assert!(first.starts_with("01 - ") && first.ends_with(" new rollout"), "{changed:?}");
    assert!(gone.starts_with("02 ") && gone.ends_with(" - sticky.hash"), "{changed:?}");
    assert!(back.starts_with("04 - ") && back.ends_with(" sticky.hashKey"), "{changed:?}");
    assert!(said.contains("and 1 after it cannot be told: units are made with the hash key `k1`"), "{said}");
    assert!(said.contains("set GRAYLANE_OLD_TEST_KEY") && !said.contains("not in order"), "{said}");
    let (code, _, said) = ask(&["user", "user-1", "--at", "2026-03-03T12:00:00Z"], false);
    assert!(code == Some(2) && said.contains("set GRAYLANE_OLD_TEST_KEY"), "{said}");
    let (code, out, said) = ask(&["history", "api"], false);
    assert!(
        code == Some(0) && out.contains("sticky.hashKey k1 → k2") && out.contains("sticky.hash open → keyed"),
        "{out}{said}"
    );
    assert!(!out.contains("Another key is known") && out.matches("50 %").count() >= 2, "{out}");
}

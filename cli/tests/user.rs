//! `graylane user` in real Git repositories, and the page that shows it: rewritten with GRAYLANE_DOCS=write (`make docs`).

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

const FILE: &str = include_str!("../../examples/ramp/graylane.yaml");
/// Of bucket 1890 under the salt `release-42`: on the canary from 25 % on.
const KEY: &str = "user-8";

/// Runs git as of a day of March 2026: the same input makes the same commits.
fn git(folder: &Path, day: u32, arguments: &[&str]) {
    let time = format!("2026-03-{day:02}T09:00:00Z");
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "core.autocrlf=false",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(folder)
        .envs([("GIT_AUTHOR_DATE", &*time), ("GIT_COMMITTER_DATE", &*time)])
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(folder: &Path, day: u32, name: &str, text: &str, message: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    git(folder, day, &["add", "--all"]);
    git(folder, day, &["commit", "--quiet", "--message", message]);
}

fn weight(percent: &str) -> String {
    FILE.replace("canary: 1}", &format!("canary: {percent}}}"))
}

fn user(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    // Nothing above the temporary folder counts, and a user's own settings change nothing.
    command.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap());
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        settings.path(),
        "[log]\ndiffMerges = off\nshowSignature = true\nabbrevCommit = true\n[color]\nui = always\n[diff]\nrenames = false\n\
         [core]\npager = false\nquotePath = true\n[format]\npretty = fuller\n",
    )
    .unwrap();
    command.env("GIT_CONFIG_GLOBAL", settings.path());
    command.arg("user").args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(folder: &Path, arguments: &[&str]) -> Json {
    let (code, out, said) = text(&user(folder, &[arguments, &["--output", "json"]].concat()));
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&out).unwrap()
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
fn repository() -> tempfile::TempDir {
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
    let folder = repository();
    let mut shown = String::new();
    for line in [format!("graylane user {KEY}"), format!("graylane user {KEY} --at 2026-03-03")] {
        let words: Vec<&str> = line.split(' ').skip(2).collect();
        let (code, out, said) = text(&user(folder.path(), &words));
        assert_eq!(code, Some(0), "{said}");
        shown += &format!("$ {line}\n{out}{said}\n");
    }
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rollout.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (head, rest) = text.split_once("<!-- user -->\n").expect("the place of the output");
    let (_, tail) = rest.split_once("<!-- /user -->").expect("its end");
    let now =
        format!("{head}<!-- user -->\n```text\n{}\n```\n<!-- /user -->{tail}", lines.join("\n").trim_end());
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&page, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&page).unwrap() == now,
        "docs/rollout.md is not current: run `make docs`"
    );
}

#[test]
fn changes_are_found_over_renames_and_mistakes() {
    let folder = repository();
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
    let folder = repository();
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
    let folder = repository();
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
    let folder = repository();
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

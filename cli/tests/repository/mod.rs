//! Git repositories of tests: what is done in them on a day of March 2026, and what `graylane` says there.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

/// The file of a rollout.
pub const FILE: &str = include_str!("../../../examples/ramp/graylane.yaml");

/// Runs git as of a day of March 2026: the same input makes the same commits.
pub fn git(folder: &Path, day: u32, arguments: &[&str]) {
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

/// Writes a file and commits it.
pub fn commit(folder: &Path, day: u32, name: &str, text: &str, message: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    git(folder, day, &["add", "--all"]);
    git(folder, day, &["commit", "--quiet", "--message", message]);
}
/// The file with this weight of the canary.
pub fn weight(percent: &str) -> String {
    FILE.replace("canary: 1}", &format!("canary: {percent}}}"))
}
/// What `graylane` says in this folder.
pub fn graylane(folder: &Path, arguments: &[&str]) -> Output {
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
    command.args(arguments).current_dir(folder).output().unwrap()
}
/// Exit code, stdout and stderr.
pub fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What `graylane … --output json` prints.
pub fn json(folder: &Path, arguments: &[&str]) -> Json {
    let (code, out, said) = text(&graylane(folder, &[arguments, &["--output", "json"]].concat()));
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&out).unwrap()
}

/// A page shows what these commands print, between two comments of this name.
pub fn shown(page: &str, name: &str, folder: &Path, commands: &[&str]) {
    let mut shown = String::new();
    for line in commands {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let (code, out, said) = text(&graylane(folder, &words));
        assert_eq!(code, Some(0), "{said}");
        shown += &format!("$ {line}\n{out}{said}\n");
    }
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = text.split_once(&begin).expect("the place of the output");
    let (_, tail) = rest.split_once(&end).expect("its end");
    let now = format!("{head}{begin}```text\n{}\n```\n{end}{tail}", lines.join("\n").trim_end());
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == now, "{page} is not current: run `make docs`");
}

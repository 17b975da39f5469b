//! `graylane ramp` as pages show it: every `shell` block that follows a comment with a folder is run, line by line, in a copy
//! of that folder, since it edits files. With GRAYLANE_DOCS=write what is printed is written into the page (`make docs`).

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What a line of the shell prints, and its exit code where it is not 0.
fn output(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_graylane")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let run = Command::new("sh")
        .args(["-c", &format!("{line} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .output();
    let run = run.unwrap();
    let code = run.status.code().unwrap_or(-1);
    let code = if code == 0 { String::new() } else { format!("[exit {code}]\n") };
    String::from_utf8(run.stdout).unwrap() + &code
}

/// The page with what its commands print.
fn run(page: &str, text: &str) -> String {
    let mut new = String::new();
    let mut copy: Option<tempfile::TempDir> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        new += &format!("{line}\n");
        if let Some(folder) =
            line.strip_prefix("<!-- in a copy of ").and_then(|rest| rest.strip_suffix(" -->"))
        {
            let fresh = tempfile::tempdir().unwrap();
            for entry in std::fs::read_dir(root().join(folder)).unwrap_or_else(|_| panic!("{page}: {folder}"))
            {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    std::fs::copy(entry.path(), fresh.path().join(entry.file_name())).unwrap();
                }
            }
            copy = Some(fresh);
        }
        if line == "```shell" {
            let folder = copy.as_ref().unwrap_or_else(|| panic!("{page}: a block before any folder"));
            for line in lines.by_ref().take_while(|line| *line != "```") {
                if let Some(command) = line.strip_prefix("$ ") {
                    new += &format!("{line}\n{}", output(command, folder.path()));
                }
            }
            new += "```\n";
        }
    }
    new
}

#[test]
fn pages_show_what_happens() {
    for page in ["docs/rollout.md", "examples/bank-rollout/README.md", "examples/ramp/README.md"] {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let new = run(page, &text);
        if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
            std::fs::write(&path, &new).unwrap();
        } else {
            assert!(new == text, "{page} is not current: run `make docs`\n{new}");
        }
    }
}

//! The program as people run it: every console block of these files, output and exit code included. Paths in them
//! are those of the checkout.

use std::path::Path;
use std::process::Command;

#[test]
fn commands() {
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let cases = trycmd::TestCases::new();
    cases.case("cli/tests/cmd/*.md").case("README.md").case("docs/*.md").case("examples/*/README.md");
    for outside in ["make", "git", "kubectl", "curl"] {
        cases.register_bin(outside, trycmd::schema::Bin::Ignore);
    }
}

/// Standard input can be read once only.
#[test]
fn migrate_reads_standard_input() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = std::fs::File::open(root.join("examples/bank/graylane.yaml")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(["migrate", "-f", "-"])
        .stdin(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("nothing to do: version 1"), "{said}");
}

/// A command before the pipe that failed prints nothing, which is not a cluster without objects.
#[test]
fn an_empty_standard_input_is_an_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(["check", "--against", "-", "-f"])
        .arg(root.join("examples/ramp"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("standard input is empty"), "{said}");
}

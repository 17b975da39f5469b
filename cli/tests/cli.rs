//! The program as people run it: every console block of these files, output and exit code included. Paths in them
//! are those of the checkout.

use std::path::Path;

#[test]
fn commands() {
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let cases = trycmd::TestCases::new();
    cases.case("cli/tests/cmd/*.md").case("README.md").case("docs/*.md").case("examples/*/README.md");
    for outside in ["make", "git", "kubectl", "curl"] {
        cases.register_bin(outside, trycmd::schema::Bin::Ignore);
    }
}

//! The program as people run it: every console block of these files, output and exit code included.

#[test]
fn commands() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/cmd/*.md").case("../README.md").case("../examples/*/README.md");
    for outside in ["make", "git", "kubectl", "curl"] {
        cases.register_bin(outside, trycmd::schema::Bin::Ignore);
    }
}

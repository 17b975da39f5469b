//! What people reported, one file for each report (tests/regressions), and the list of all reports with the test that stands for
//! each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use graylane::document;
use graylane::document::finding::{Findings, Severity};
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found};
use graylane::mesh::Mesh;
use graylane::resources::{Kind, Options, resources};
use graylane::traffic::{self, World};
use serde_json::Value as Json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn folder(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("tests/regressions").join(name)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What a command made of a report's resources.
struct Made {
    /// The file, if one was written.
    file: Option<String>,
    /// What is not carried over.
    lost: Vec<String>,
    /// Everything that was printed beside the file.
    notes: Vec<String>,
    /// The resources of before.
    before: Vec<Json>,
}

fn imported(path: &Path) -> Made {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let read = import::read(&[path.to_owned()], &mut sources, &mut findings).unwrap();
    let found = Found::of(read);
    let before = found.known.iter().map(|resource| resource.whole.clone()).collect();
    let imported = import::import(&found, &Choices::default(), &sources).unwrap();
    let of = |wanted: fn(Severity) -> bool| {
        let own = findings.iter().chain(imported.findings.iter());
        own.filter(|finding| wanted(finding.severity)).map(|finding| finding.message.clone()).collect()
    };
    Made {
        lost: of(|severity| severity == Severity::Error),
        notes: of(|_| true),
        file: imported.text,
        before,
    }
}

fn proposed(path: &Path) -> Made {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[path.to_owned()], &mut sources, &mut findings).unwrap();
    let choices = Choices { default_tenant: "green".to_owned(), ..Choices::default() };
    let (file, notes) = import::init(&found, &choices);
    Made { file: Some(file.yaml()), lost: Vec::new(), notes, before: Vec::new() }
}

/// What differs from what is wanted: `equal`, `empty`, `says TEXT`, `text TEXT` or `no TEXT`, one a line of the file's head.
fn wrong(path: &Path, made: &Made) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let wanted: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# want: ")).collect();
    assert!(!wanted.is_empty(), "{}: it wants nothing", path.display());
    let file = made.file.as_deref().unwrap_or_default();
    let mut wrong = Vec::new();
    for want in wanted {
        let holds = match want.split_once(' ') {
            // Nothing is taken over, so `check` asks for more.
            None if want == "empty" => file.ends_with("services: {}\n"),
            None => {
                assert_eq!(want, "equal", "{}", path.display());
                let differences =
                    if made.file.is_some() { differences(made) } else { vec!["refused".to_owned()] };
                wrong.extend(differences.iter().chain(&made.lost).cloned());
                continue;
            }
            Some(("says", text)) => made.notes.iter().any(|note| note.contains(text)),
            Some(("text", text)) => file.contains(text),
            Some(("no", text)) => !file.contains(text),
            Some(_) => panic!("{}: unknown wish `{want}`", path.display()),
        };
        if !holds {
            wrong.push(format!("wanted `{want}`\n{file}{:#?}", made.notes));
        }
    }
    // Whatever is written passes `check`.
    let checked =
        |text: &str| graylane::check::open(document::load_text("graylane.yaml", text).unwrap()).checked();
    if made.file.is_some() && !file.ends_with("services: {}\n") && checked(file).is_err() {
        wrong.push(format!("check refuses what was written:\n{file}"));
    }
    wrong
}

/// Requests that go elsewhere by the file than before.
fn differences(made: &Made) -> Vec<String> {
    let Some(file) = &made.file else { return Vec::new() };
    let Ok(checked) = graylane::check::open(document::load_text("graylane.yaml", file).unwrap()).checked()
    else {
        return vec![format!("check refuses what was written:\n{file}")];
    };
    let mesh = Mesh::of(&checked);
    let only = Some([Kind::VirtualService, Kind::DestinationRule].into());
    let options = Options { without_filter: true, only, ..Options::default() };
    let after: Vec<Json> =
        resources(&mesh, &options).iter().map(graylane::resources::Resource::json).collect();
    // What an `init` proposes is compared with nothing.
    if made.before.is_empty() {
        return Vec::new();
    }
    let world = |list: &[Json]| World::of(&list.iter().collect::<Vec<_>>(), &mesh.header);
    let report = traffic::compare(&world(&made.before), &world(&after));
    assert!(report.tried > 4, "{} requests are no comparison", report.tried);
    report.differences.iter().map(traffic::Difference::text).collect()
}

fn all_hold(name: &str, make: impl Fn(&Path) -> Made) {
    let files = folder(name);
    assert!(files.len() >= 5, "{files:?}");
    let mut failed = String::new();
    for path in files {
        for wrong in wrong(&path, &make(&path)) {
            failed += &format!("{}: {wrong}\n", path.file_stem().unwrap().display());
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

#[test]
fn what_was_reported_of_import_holds() {
    all_hold("import", imported);
}

#[test]
fn what_was_reported_of_init_holds() {
    all_hold("init", proposed);
}

/// Migration report 28 and field report 52: an older VirtualService of the same host makes ours count for nothing.
#[test]
fn diff_names_another_virtual_service_of_the_same_host() {
    let current =
        folder("import").into_iter().find(|path| path.to_string_lossy().contains("migration-28")).unwrap();
    let made = imported(&current);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graylane.yaml");
    std::fs::write(&file, made.file.unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(["diff", "--without-filter", "-f"])
        .args([&file, Path::new("--against"), &current])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("VirtualService demo/shop is for the same host"), "{said}");
}

/// The list: `| report | what | test |`, where a test is `path::function`, `path: case`, or a file of its own.
#[test]
fn each_report_has_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("tests/regressions/README.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| report"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 60, "{}", rows.len());
    let mut listed = BTreeSet::new();
    let mut missing = Vec::new();
    for row in &rows {
        let [report, _, held] = row[..] else { panic!("three cells: {row:?}") };
        assert!(listed.insert(report), "`{report}` is there twice");
        for test in held.split("`, `").map(|test| test.trim_matches('`')) {
            if !exists(test) {
                missing.push(format!("{report}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
    let names: Vec<String> = ["import", "init", "demo"]
        .into_iter()
        .flat_map(folder)
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for name in names {
        assert!(page.contains(&name), "tests/regressions/README.md does not list {name}");
    }
}

fn exists(test: &str) -> bool {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_default();
    if let Some((path, function)) = test.split_once("::") {
        let text = read(path);
        let declared = format!("fn {function}(");
        return text.lines().any(|line| {
            line.trim_start().trim_start_matches("pub ").trim_start_matches("async ").starts_with(&declared)
        });
    }
    if let Some((path, case)) = test.split_once(": ") {
        return read(path).lines().any(|line| line.trim() == format!("- name: {case}"));
    }
    root().join(test).is_file()
}

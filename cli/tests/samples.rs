//! Sets of resources as people have them: what `import` makes of each, and the table of it in docs/import.md, which is
//! rewritten with GRAYLANE_DOCS=write (`make docs`).

use std::path::{Path, PathBuf};

use graylane::document::finding::{Findings, Severity};
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found};

/// How each set has to end; a change of these is a change of what people get.
const WANTED: [(&str, Ends); 12] = [
    ("bookinfo", Ends::Equal),
    ("boutique", Ends::Equal),
    ("hashes", Ends::Equal),
    ("hello", Ends::Equal),
    ("ingress", Ends::Lost),
    ("listeners", Ends::Lost),
    ("notebooks", Ends::Equal),
    ("routes", Ends::Equal),
    ("teams", Ends::Equal),
    ("tests", Ends::Equal),
    ("tokens", Ends::Lost),
    ("two-services", Ends::Equal),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Equal,
    Lost,
    Refused,
}

struct Set {
    name: String,
    about: String,
    ends: Ends,
    routes: usize,
    destination_rules: usize,
    tried: usize,
    said: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn set(path: &Path) -> Set {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let resources = import::read(&[path.to_owned()], &mut sources, &mut findings).unwrap();
    assert!(!findings.has_errors(), "{}: {findings:?}", path.display());
    let found = Found::of(resources);
    let imported = import::import(&found, &Choices::default(), &sources).unwrap();
    let errors = imported.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let said: Vec<String> = errors.map(|finding| finding.message.clone()).collect();
    let ends = match (&imported.text, said.is_empty()) {
        (Some(_), true) => Ends::Equal,
        (Some(_), false) => Ends::Lost,
        (None, _) => Ends::Refused,
    };
    let text = std::fs::read_to_string(path).unwrap();
    Set {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        about: text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned(),
        ends,
        routes: found.of_kind("VirtualService").chain(found.of_kind("HTTPRoute")).count(),
        destination_rules: found.of_kind("DestinationRule").count(),
        tried: imported.tried,
        said,
    }
}

#[test]
fn what_people_have_imports() {
    let folder = root().join("cli/tests/samples");
    let sets: Vec<Set> = WANTED.iter().map(|(name, _)| set(&folder.join(format!("{name}.yaml")))).collect();
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, WANTED.len(), "every file of the folder is tried");
    let mut table =
        String::from("| set | routes, DestinationRules | imports | requests tried |\n|-|-|-|-|\n");
    for set in &sets {
        let ends = match set.ends {
            Ends::Equal => "equal".to_owned(),
            Ends::Lost if set.said.len() == 1 => "1 reported loss".to_owned(),
            Ends::Lost => format!("{} reported losses", set.said.len()),
            Ends::Refused => "refused".to_owned(),
        };
        table += &format!(
            "| [{0}](../cli/tests/samples/{0}.yaml): {1} | {2}, {3} | {ends} | {4} |\n",
            set.name, set.about, set.routes, set.destination_rules, set.tried
        );
    }
    for (set, (name, wanted)) in sets.iter().zip(WANTED) {
        assert_eq!(set.ends, wanted, "{name}: {:#?}", set.said);
    }
    let page = root().join("docs/import.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (head, rest) = text.split_once("<!-- sets -->\n").expect("the place of the table");
    let (_, tail) = rest.split_once("<!-- /sets -->").expect("the end of the table");
    let now = format!("{head}<!-- sets -->\n{table}<!-- /sets -->{tail}");
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&page, &now).unwrap();
    }
    assert!(std::fs::read_to_string(&page).unwrap() == now, "docs/import.md is not current: run `make docs`");
}

#[test]
fn the_files_of_the_boutique_are_what_init_makes() {
    let folder = root().join("examples/boutique");
    for (cluster, file) in [("boutique", "graylane.yaml"), ("bookinfo", "bookinfo/graylane.yaml")] {
        let path = folder.join("cluster").join(format!("{cluster}.yaml"));
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let found = import::read(&[path], &mut sources, &mut findings).unwrap();
        let choices = Choices { default_tenant: "green".to_owned(), ..Choices::default() };
        let (made, _) = import::init(&found, &choices);
        assert_eq!(made.yaml(), std::fs::read_to_string(folder.join(file)).unwrap(), "{file}");
    }
}

//! The guide as a whole: links lead somewhere, the README is short and its file is in order, every page is in the table of
//! contents, every alert has a runbook, and the support matrix says what the code does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use graylane::args::Cli;
use graylane::document;
use graylane::mesh::Mesh;
use graylane::resources::{Options, resources};
use graylane_decide::choice::sticky;
use graylane_decide::config::{OLDEST_VERSION, VERSION};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Every page that is under version control.
fn pages() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .unwrap();
    let pages: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().map(ToOwned::to_owned).collect();
    assert!(pages.len() > 40, "{pages:?}");
    pages.into_iter().filter(|page| root().join(page).is_file()).collect()
}

/// What a page links to, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut code = false;
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        let spans = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        if code {
            continue;
        }
        for rest in spans.split("](").skip(1) {
            links.extend(rest.split_once(')').map(|(link, _)| link.to_owned()));
        }
    }
    links
}

/// The name that a heading has in an address, as GitHub and mdbook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    // What docs/performance.md is made of: its links are that page's.
    for page in pages().into_iter().filter(|page| page != "tests/bench/performance.md") {
        let text = read(&page);
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            // The site's first page, which is made of README.md.
            if page == "docs/SUMMARY.md" && link == "introduction.md" {
                continue;
            }
            let (path, part) =
                link.split_once('#').map_or((link.as_str(), None), |(path, part)| (path, Some(part)));
            let target = if path.is_empty() {
                root().join(&page)
            } else {
                root().join(&page).parent().unwrap().join(path)
            };
            let found = match part {
                _ if !target.exists() => false,
                Some(part) if target.is_file() => {
                    anchors(&std::fs::read_to_string(&target).unwrap()).contains(part)
                }
                _ => true,
            };
            if !found {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let listed = links(&read("docs/SUMMARY.md"));
    let named: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(named.len(), listed.len(), "a page stands twice: {listed:?}");
    for page in pages() {
        let Some(name) = page.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md") else { continue };
        assert!(named.contains(name), "docs/SUMMARY.md does not name {name}");
    }
}

#[test]
fn the_readme_is_short_and_its_file_is_in_order() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 200, "{} lines", readme.lines().count());
    let (_, rest) = readme.split_once("```yaml\nversion: 1\n").expect("a file");
    let (file, _) = rest.split_once("```").unwrap();
    let opened =
        graylane::check::open(document::load_text("README.md", &format!("version: 1\n{file}")).unwrap());
    let errors: Vec<_> = opened
        .findings
        .iter()
        .filter(|finding| finding.severity == document::finding::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_alert_has_a_runbook() {
    let file = read("examples/observability/graylane.yaml");
    let mesh = Mesh::of(
        &graylane::check::open(document::load_text("graylane.yaml", &file).unwrap()).checked().unwrap(),
    );
    let mut alerts = BTreeSet::new();
    for resource in resources(&mesh, &Options::default()) {
        let json = resource.json();
        for rule in json["spec"]["groups"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|group| group["rules"].as_array().unwrap())
        {
            let Some(name) = rule["alert"].as_str() else { continue };
            let url = format!("https://wiki.example/graylane/runbooks#{}", name.to_lowercase());
            assert_eq!(rule["annotations"]["runbook_url"], url, "{name}");
            alerts.insert(name.to_owned());
        }
    }
    let page = read("docs/runbooks.md");
    let sections: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(ToOwned::to_owned).collect();
    assert_eq!(alerts, sections, "docs/runbooks.md has a section for each alert");
    for section in page.split("\n## ").skip(1) {
        for row in ["| users |", "| look |", "| stop |", "| call |"] {
            assert!(section.contains(row), "no `{row}` in {section}");
        }
    }
    // Commands in it exist.
    for command in page.split("`graylane ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
        assert!(
            Cli::try_parse_from(["graylane", command, "--help"])
                .is_err_and(|error| error.kind() == clap::error::ErrorKind::DisplayHelp),
            "graylane {command}"
        );
    }
}

/// The minor versions of Istio 1 that `render` takes.
fn istio() -> (u32, u32) {
    let taken: Vec<u32> = (1..100)
        .filter(|minor| Cli::try_parse_from(["graylane", "render", "--istio", &format!("1.{minor}")]).is_ok())
        .collect();
    (*taken.first().unwrap(), *taken.last().unwrap())
}

/// What the last `make e2e-envoys` of this version ran (docs/envoys.tsv): an Envoy, how many cases passed with the filter, and with
/// the native module.
fn ran(version: &str) -> Vec<[String; 3]> {
    let pinned = read(".ci/envoys.sha256");
    let mut all: Vec<[String; 3]> = Vec::new();
    for line in read("docs/envoys.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [graylane, envoy, module, cases] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four fields: {line}")
        };
        if graylane != version {
            continue;
        }
        assert!(pinned.contains(&format!("\n{envoy} ")), ".ci/envoys.sha256 does not name {envoy}");
        let place = all.iter().position(|[known, ..]| known == envoy).unwrap_or_else(|| {
            all.push([envoy.to_owned(), "-".to_owned(), "-".to_owned()]);
            all.len() - 1
        });
        all[place][if module == "native" { 2 } else { 1 }] = cases.to_owned();
    }
    all
}

#[test]
fn the_support_matrix_says_what_the_code_does() {
    let (oldest, newest) = istio();
    let version = env!("CARGO_PKG_VERSION");
    let ran = ran(version);
    // A wheel without WebAssembly shows nothing of the filter.
    let with_filter = ran.iter().filter(|[_, filter, _]| filter.parse::<u32>().is_ok());
    let envoys: Vec<&str> = with_filter.map(|[envoy, ..]| envoy.as_str()).collect();
    let envoys = if envoys.is_empty() { "not run yet".to_owned() } else { envoys.join(", ") };
    let row = format!(
        "| {version} | 1.{oldest} to 1.{newest} | {} | 1 | {OLDEST_VERSION} to {VERSION} | {} |\n",
        envoys,
        sticky::VERSION
    );
    let page = read("docs/support.md");
    let (head, rest) = page.split_once("|-|-|-|-|-|-|\n").expect("a table");
    let (rows, tail) =
        rest.split_once("\n\n").map(|(rows, tail)| (format!("{rows}\n"), tail)).unwrap_or_default();
    let former: String = rows
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with(&format!("| {version} |")))
        .map(|line| format!("{line}\n"))
        .collect();
    let (above, rest) = tail.split_once("<!-- envoys -->\n").expect("the place of the second table");
    let (_, below) = rest.split_once("<!-- /envoys -->").expect("its end");
    let tried: String =
        ran.iter().map(|[envoy, filter, native]| format!("| {envoy} | {filter} | {native} |\n")).collect();
    let tried = format!("| Envoy | cases with the filter | cases with the native module |\n|-|-|-|\n{tried}");
    let now =
        format!("{head}|-|-|-|-|-|-|\n{row}{former}\n{above}<!-- envoys -->\n{tried}<!-- /envoys -->{below}");
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(root().join("docs/support.md"), &now).unwrap();
    }
    assert!(read("docs/support.md") == now, "docs/support.md is not current: run `make docs`");
}

/// `make` lists every target with what it needs.
#[test]
fn make_lists_every_target() {
    let makefile = read("Makefile");
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("a list of targets");
    let phony: BTreeSet<&str> = phony.split_whitespace().collect();
    let is_name =
        |name: &str| name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-');
    let heads = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| !name.is_empty() && is_name(name));
    let mut targets = BTreeSet::new();
    for (target, rest) in heads {
        assert!(rest.contains("## "), "`make {target}` is not in the list");
        assert!(
            ["help", "kind-down"].contains(&target) || rest.ends_with(']'),
            "`make {target}` does not list what it needs"
        );
        targets.insert(target);
    }
    assert_eq!(targets, phony);
}

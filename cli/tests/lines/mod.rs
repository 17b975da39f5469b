//! How many lines a file has, and how many what is rendered of it, where pages say so.

use super::*;

#[test]
fn eighty_services_are_as_many_lines_as_its_readme_says() {
    let folder = root().join("examples/eighty");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let lines: usize = files.map(|path| std::fs::read_to_string(path).unwrap().lines().count()).sum();
    let all = resources(&mesh(&folder), &Options { url: url(), ..Options::default() });
    let yaml = stream(&all).lines().count();
    let yaml = format!("{},{:03}", yaml / 1000, yaml % 1000);
    current_line("examples/eighty/README.md", "| 80 | ", &format!("| 80 | {lines} | {yaml} |"));
    let said = format!(
        "A folder with one file per team is read as one file: {lines} lines instead of {yaml} lines of YAML, checked as a whole"
    );
    current_line("docs/start.md", "A folder with one file per team", &said);
}

/// A line of a page that starts so; rewritten with GRAYLANE_DOCS=write.
fn current_line(page: &str, start: &str, wanted: &str) {
    let path = root().join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with(start)).unwrap();
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&path, text.replace(line, wanted)).unwrap();
    } else {
        assert_eq!(line, wanted, "{page} is not current: run `make docs`");
    }
}

/// The table in docs/start.md that says how many lines a file has, and how many what it becomes.
fn lines() -> String {
    let mut table = "| | the file | what `render` makes of it |\n|-|-|-|\n".to_owned();
    for (name, mesh) in examples() {
        let file = root().join("examples").join(&name).join("graylane.yaml");
        // A folder of several files does not show how short a file can be.
        let Ok(file) = std::fs::read_to_string(file) else { continue };
        let file = file.lines().count();
        let options = Options { url: url(), ..Options::default() };
        let all = stream(&resources(&mesh, &options)).lines().count();
        table += &format!(
            "| [{name}](../examples/{name}/graylane.yaml) | {file} lines | [{all} lines](../examples/{name}/rendered/all.yaml) |\n"
        );
    }
    table
}

#[test]
fn the_guide_counts_lines_right() {
    let path = root().join("docs/start.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- lines -->\n").unwrap();
    let (is, tail) = rest.split_once("<!-- /lines -->").unwrap();
    if std::env::var_os("GRAYLANE_DOCS").is_some_and(|value| value == "write") {
        std::fs::write(&path, format!("{head}<!-- lines -->\n{}<!-- /lines -->{tail}", lines())).unwrap();
        return;
    }
    assert_eq!(is, lines(), "run `make docs`");
}

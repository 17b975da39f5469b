//! `graylane diff`: what would change against resources that are there.

use anyhow::{Result, bail};

use crate::args::{Diff, Shown};
use crate::diff::{self, Change};
use crate::document::finding::{self, Findings};
use crate::document::source::SourceFiles;
use crate::printer::{Outcome, Printer, summary};
use crate::resources::Options;
use crate::{import, markdown, resources};

/// Runs it.
pub fn run(args: &Diff, printer: Printer) -> Result<Outcome> {
    let options = super::render::options(&args.render, printer)?;
    let Some(own) = super::checked(&args.render.files.file, printer)? else { return Ok(Outcome::Failure) };
    let mesh = &own.mesh;
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let Some(against) = &args.render.against else {
        bail!(
            "missing --against PATH: pass the existing resources, as in `kubectl get vs,dr,wasmplugin -A -o yaml | \
             graylane diff --against -`"
        )
    };
    let found = import::read(std::slice::from_ref(against), &mut sources, &mut findings)?;
    printer.findings(&findings, &sources);
    if findings.has_errors() {
        printer.say(&summary(&findings));
        return Ok(Outcome::Failure);
    }
    resources::check_merge(mesh, &options)?;
    resources::check_filter(mesh, &options)?;
    let rendered = resources::resources(mesh, &options);
    let rendered = rendered.iter().map(resources::Resource::json).collect::<Vec<_>>();
    let mut warnings = Findings::default();
    super::rivals::of(&found, &rendered, &mut warnings);
    printer.findings(&warnings, &sources);
    let current: Vec<_> =
        diff::all(&found).into_iter().filter(|json| is_rendered(json["kind"].as_str(), &options)).collect();
    let changes = diff::compare(&current, &rendered, &mesh.document.mesh.name);
    match args.output {
        Shown::Json => printer.json(&changes)?,
        Shown::Text => printer.data(&changes.iter().map(diff::line).collect::<String>())?,
        Shown::Markdown => {
            let said = finding::render(&own.findings.without_notes(), &own.sources)
                + &finding::render(&warnings, &sources);
            printer.data(&comment(&changes, &anstream::adapter::strip_str(&said).to_string()))?;
        }
    }
    let is_topic = |change: &&Change| change.after.is_none() && change.resource.starts_with("KafkaTopic ");
    let topics: Vec<String> = changes
        .iter()
        .filter(|change| change.field.is_none())
        .filter(is_topic)
        .map(|change| change.resource.clone())
        .collect();
    super::warn_of_topics(&topics, printer);
    if args.output == Shown::Text && !changes.is_empty() {
        let gone = |resource: &import::Resource| {
            let title = resource.title();
            changes
                .iter()
                .any(|change| change.field.is_none() && change.after.is_none() && change.resource == title)
        };
        let stays: Vec<bool> = found.iter().map(|resource| !gone(resource)).collect();
        super::rivals::say_for_whom(&found, &stays, &rendered, &mesh.header, printer);
    }
    printer.say(&counted(changes.len()));
    Ok(if changes.is_empty() { Outcome::Ok } else { Outcome::Findings })
}

/// Would this run render such a resource at all? What it leaves out would not go.
fn is_rendered(kind: Option<&str>, options: &Options) -> bool {
    let is_plugin = matches!(kind, Some("WasmPlugin" | "TrafficExtension"));
    let plugins = options.url.is_some() || options.without_filter;
    let chosen =
        options.only.as_ref().is_none_or(|only| only.iter().any(|chosen| Some(chosen.name()) == kind));
    chosen && (plugins || !is_plugin)
}

/// What a reviewer wants to know: which objects change, and what `check` says.
fn comment(changes: &[Change], findings: &str) -> String {
    let cell = |value: &Option<String>| value.as_deref().map(markdown::code).unwrap_or_default();
    let row = |change: &Change| {
        let what = match (&change.before, &change.after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ => "changed",
        };
        // A whole resource is told by its name.
        let (before, after) = match change.field {
            Some(_) => (cell(&change.before), cell(&change.after)),
            None => (String::new(), String::new()),
        };
        vec![what.to_owned(), markdown::code(&change.resource), cell(&change.field), before, after]
    };
    let mut text = format!("### graylane: {}\n", counted(changes.len()));
    if !changes.is_empty() {
        let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
        text += &format!("\n{}", markdown::table(&["", "object", "field", "before", "after"], &rows));
    }
    if !findings.is_empty() {
        text += &markdown::folded("What <code>graylane check</code> says", findings);
    }
    text
}

fn counted(changes: usize) -> String {
    match changes {
        0 => "nothing would change".to_owned(),
        1 => "1 change".to_owned(),
        many => format!("{many} changes"),
    }
}

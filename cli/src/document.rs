//! The graylane file, out of files and folders and with the variables of the environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::check::{self, Opened};
use crate::files::{self, files_of};
pub use graylane_mesh::document::*;
use layers::Text;
use source::SourceFiles;
use tree::Node;
use variables::VarError;

/// Reads files and folders; later ones override earlier ones.
///
/// # Errors
/// When one cannot be read at all.
pub fn load(paths: &[PathBuf]) -> Result<Loaded> {
    load_edited(paths, &BTreeMap::new())
}

/// Environment variables by name.
pub type Variables = BTreeMap<String, String>;

/// The texts of files and folders, layer by layer, and the environment variables that they name.
///
/// # Errors
/// When one cannot be read at all.
pub fn as_written(paths: &[PathBuf]) -> Result<(Vec<Vec<Text>>, Variables)> {
    let layers = read(paths, &BTreeMap::new())?;
    let named = RefCell::new(Variables::new());
    let recorded = |name: &str| {
        let value = environment(name)?;
        named.borrow_mut().insert(name.to_owned(), value.clone());
        Ok(value)
    };
    let _ = merged_of(layers.clone(), &recorded);
    Ok((layers, named.into_inner()))
}

/// Reads and checks files and folders.
///
/// # Errors
/// When one cannot be read at all.
pub fn open(paths: &[PathBuf]) -> Result<Opened> {
    Ok(check::open(load(paths)?))
}

/// As [`load`], with these texts instead of what lies on disk: what files would be after an edit.
///
/// # Errors
/// When one cannot be read at all.
pub fn load_edited(paths: &[PathBuf], texts: &BTreeMap<PathBuf, String>) -> Result<Loaded> {
    Ok(of(read(paths, texts)?, &environment))
}

/// Reads texts as if they were the files of layers.
#[must_use]
pub fn of_texts(layers: Vec<Vec<Text>>) -> Loaded {
    of(layers, &environment)
}

/// Reads files and folders and lays them over each other; nothing is said about what they mean.
///
/// # Errors
/// When one cannot be read at all.
pub fn merged(paths: &[PathBuf]) -> Result<(Loaded, Option<Node>)> {
    Ok(merged_of(read(paths, &BTreeMap::new())?, &environment))
}

/// Lays over each other what can be read of files and folders, with these texts instead of what lies on disk: a file
/// that cannot be read is left out, and of one that is not YAML, the lines above the mistake count.
#[must_use]
pub fn as_far_as_possible(
    paths: &[PathBuf],
    texts: &BTreeMap<PathBuf, String>,
) -> (SourceFiles, Option<Node>) {
    let mut whole = SourceFiles::default();
    let mut layers = Vec::new();
    for path in paths {
        let mut layer = Vec::new();
        for file in files_of(path).unwrap_or_default() {
            let edited = texts.get(&file).cloned();
            let Ok(text) = edited.map_or_else(|| files::text(&file), Ok) else { continue };
            let name = files::name(&file);
            whole.add(&*name, &*text);
            layer.push((name, above_the_mistake(text)));
        }
        layers.push(layer);
    }
    let (_, tree) = merged_of(layers, &environment);
    (whole, tree)
}

/// The lines before the first one that is not YAML.
fn above_the_mistake(mut text: String) -> String {
    loop {
        let (mut sources, mut findings) = (SourceFiles::default(), finding::Findings::default());
        let file = sources.add("", &*text);
        tree::parse(&sources, file, &mut findings);
        let first = findings.iter().filter(|found| found.severity == finding::Severity::Error);
        let Some(line) = first.filter_map(|found| Some(found.span?.line)).min() else { return text };
        let above: String = text.split_inclusive('\n').take(line.saturating_sub(1)).collect();
        if above.is_empty() || above.len() == text.len() {
            return String::new();
        }
        text = above;
    }
}

fn read(paths: &[PathBuf], texts: &BTreeMap<PathBuf, String>) -> Result<Vec<Vec<Text>>> {
    let layer = |path: &PathBuf| -> Result<Vec<Text>> {
        let file = |file: &PathBuf| -> Result<Text> {
            let edited = texts.get(file).cloned();
            Ok((files::name(file), edited.map_or_else(|| files::text(file), Ok)?))
        };
        files_of(path)?.iter().map(file).collect()
    };
    paths.iter().map(layer).collect()
}

fn environment(name: &str) -> Result<String, VarError> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => VarError::NotPresent,
        std::env::VarError::NotUnicode(_) => VarError::NotUnicode,
    })
}

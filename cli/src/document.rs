//! The graylane file, out of files and folders and with the variables of the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::files::{self, files_of};
pub use graylane_mesh::document::*;
use layers::Text;
use tree::Node;
use variables::VarError;

/// Reads files and folders; later ones override earlier ones.
///
/// # Errors
/// When one cannot be read at all.
pub fn load(paths: &[PathBuf]) -> Result<Loaded> {
    load_edited(paths, &BTreeMap::new())
}

/// As [`load`], with these texts instead of what lies on disk: what files would be after an edit.
///
/// # Errors
/// When one cannot be read at all.
pub fn load_edited(paths: &[PathBuf], texts: &BTreeMap<PathBuf, String>) -> Result<Loaded> {
    Ok(of(read(paths, texts)?, &environment))
}

/// Reads files and folders and lays them over each other; nothing is said about what they mean.
///
/// # Errors
/// When one cannot be read at all.
pub fn merged(paths: &[PathBuf]) -> Result<(Loaded, Option<Node>)> {
    Ok(merged_of(read(paths, &BTreeMap::new())?, &environment))
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

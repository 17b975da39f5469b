//! Secrets that commands read: out of a file that is passed, or out of the environment. No message says what is in them.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::files;

/// What a secret is called in messages, and what it has to look like.
pub type Name = (&'static str, &'static str);

/// The secret of this file, else of this variable; none where the variable is not set.
///
/// # Errors
/// When there is something, and `parse` does not take it.
pub fn read<T>(
    path: Option<&Path>,
    variable: &str,
    (name, rule): Name,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let (text, place) = match path {
        Some(path) => (files::text(path)?, format!("`{}`", path.display())),
        None => match std::env::var(variable) {
            Ok(text) => (text, format!("the environment variable {variable}")),
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(parse(&text).with_context(|| format!("{place}: invalid {name}: expected {rule}"))?))
}

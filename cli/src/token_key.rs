//! The keys of `edge.tokens`, for commands that make lane tokens or say whether one counts. Nothing prints them.

use std::path::Path;

use anyhow::Result;
use graylane_decide::edge::token::{KEY_RULE, TokenKey};

use crate::mesh::Mesh;
use crate::secret;

/// The key of this file, else of this variable, if it is set.
///
/// # Errors
/// When there is something, and it is no key.
pub fn of(variable: &str, path: Option<&Path>) -> Result<Option<TokenKey>> {
    secret::read(path, variable, ("token key", KEY_RULE), TokenKey::parse)
}

/// Gives a mesh the keys of its tokens that are here: out of this file, else out of the variables that the graylane file names, in
/// their order.
///
/// # Errors
/// When there is something, and it is no key.
pub fn give(mesh: &mut Mesh, path: Option<&Path>) -> Result<()> {
    let variables = mesh.document.edge.token_keys();
    // A file is one key, whatever the variables are.
    let asked = if path.is_some() { variables.get(..1).unwrap_or(&[]) } else { variables };
    let found: Vec<TokenKey> =
        asked.iter().filter_map(|variable| of(variable, path).transpose()).collect::<Result<_>>()?;
    mesh.token_keys.extend(found);
    Ok(())
}

//! The key of `sticky.hash: keyed`, for commands that make units of users' keys. Nothing prints it.

use std::path::Path;

use anyhow::Result;
use graylane_decide::choice::keyed::{HashKey, KEY_RULE};

use crate::document::Checked;
use crate::mesh::Mesh;
use crate::secret;

/// The mesh of a file, with its hash key if there is one: out of this file, else out of the variable that the graylane file names.
///
/// # Errors
/// When there is something, and it is no key.
pub fn given(file: &Checked, path: Option<&Path>) -> Result<Mesh> {
    let mut mesh = Mesh::of(file);
    let Some((_, env)) = mesh.document.sticky.used_key() else { return Ok(mesh) };
    mesh.hash_key = secret::read(path, env, ("hash key", KEY_RULE), HashKey::parse)?;
    Ok(mesh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;
    use crate::user::Sides;

    const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
edge: {gateway: {selector: {istio: x}}}
sticky: {hash: keyed, hashKeys: {k1: GRAYLANE_TEST_KEY_THAT_NOBODY_SETS}, keys: [{header: x-user}]}
services:
  api: {subsets: {a: {v: '1'}, b: {v: '2'}}, baseline: a, rollout: {weights: {b: 25}}}
";

    #[test]
    fn with_the_key_units_are_those_of_gateways_and_without_it_there_are_none() {
        let file = crate::check::open(document::load_text("f.yaml", FILE).unwrap()).checked().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let path = folder.path().join("key");
            std::fs::write(&path, text).unwrap();
            path
        };
        let good = write("000102030405060708090a0b0c0d0e0f\n");
        let unit = Sides::of(&given(&file, Some(&good)).unwrap(), b"bob").unwrap().unit;
        assert_eq!(unit, "d24a82797f6b3384", "of tests/vectors/make.py");
        let bad = write("000102030405060708090a0b0c0d");
        let error = format!("{:#}", given(&file, Some(&bad)).unwrap_err());
        assert!(error.contains("invalid hash key: expected 32 lowercase hex digits"), "{error}");
        assert!(!error.contains("0001"), "{error}");
        let error = Sides::of(&given(&file, None).unwrap(), b"bob").unwrap_err().to_string();
        for part in ["`k1`", "GRAYLANE_TEST_KEY_THAT_NOBODY_SETS", "--hash-key-file"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

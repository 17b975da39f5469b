//! Configurations that Envoy discovers in a file (ECDS), as it does from istiod: each can be replaced while it runs.

use std::path::Path;

use anyhow::Result;
use graylane::envoy::config;
use serde_json::{Value as Json, json};

/// A filter whose configuration, of this type, is in a file.
#[must_use]
pub fn filter(name: &str, path: &Path, type_url: &str) -> Json {
    let source = json!({"resource_api_version": "V3", "path_config_source": {"path": path}});
    json!({"name": name, "config_discovery": {"config_source": source, "type_urls": [type_url]}})
}

/// Puts a configuration there in one step: Envoy reads a file that is moved over another, and never half of it.
///
/// # Errors
/// When the file cannot be written.
pub fn put(path: &Path, version: usize, name: &str, typed_config: &Json) -> Result<()> {
    let resource = json!({"name": name, "typed_config": typed_config});
    let answer = config::discovered(config::EXTENSION, &version.to_string(), resource);
    let new = path.with_extension("new");
    std::fs::write(&new, answer.to_string())?;
    Ok(std::fs::rename(new, path)?)
}

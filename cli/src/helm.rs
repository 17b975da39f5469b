//! A file as a Helm chart: what environments change is in values.yaml, and everything that follows from it, routes and
//! the filter's configuration alike, is worked out by the chart.
//!
//! The chart's templates are the same for every file. What no value changes is data beside them, in `mesh.json`.

mod blocks;
mod data;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::mesh::Mesh;
use crate::resources::{Options, Written, overlays};

/// The chart's templates.
const TEMPLATES: [(&str, &str); 2] = [
    ("templates/_graylane.tpl", include_str!("helm/graylane.tpl")),
    ("templates/resources.yaml", include_str!("helm/resources.yaml")),
];

/// All files of the chart: path and text.
///
/// # Errors
/// When the file lists a service whose routes are external, for which the chart's templates have no words.
pub fn files(mesh: &Mesh, options: &Options) -> Result<BTreeMap<String, String>> {
    if let Some(service) = mesh.services.iter().find(|service| service.external) {
        let name = &service.name;
        bail!("services.{name}: a chart cannot contain a service with external routes: pass --format yaml");
    }
    let name = &mesh.document.mesh.name;
    let chart = json!({
        "apiVersion": "v2",
        "name": name,
        "description": format!("Routes and filters of the mesh {name}, made by graylane"),
        "type": "application",
        "version": env!("CARGO_PKG_VERSION"),
        "appVersion": env!("CARGO_PKG_VERSION"),
    });
    let mut files = overlays(mesh);
    files.extend(TEMPLATES.map(|(path, text)| (path.to_owned(), text.to_owned())));
    files.insert("Chart.yaml".to_owned(), graylane_mesh::serialise::yaml(&chart));
    files.insert("mesh.json".to_owned(), serde_json::to_string_pretty(&data::data(mesh, options))? + "\n");
    files.insert("values.yaml".to_owned(), graylane_mesh::serialise::yaml(&values::values(mesh, options)));
    let schema = serde_json::to_string_pretty(&values::schema(mesh, options))?;
    files.insert("values.schema.json".to_owned(), schema + "\n");
    Ok(files)
}

/// Writes the chart into a folder.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(mesh: &Mesh, options: &Options, folder: &Path) -> Result<Written> {
    for (name, text) in files(mesh, options)? {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(Written { resources: crate::resources::resources(mesh, options).len(), topics_gone: Vec::new() })
}

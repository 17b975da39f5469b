//! A file as a Helm chart: what environments change is in values.yaml, and everything that follows from it, routes and
//! the filter's configuration alike, is worked out by the chart.
//!
//! The chart's templates are the same for every file. What no value changes is data beside them, in `mesh.json`.

mod data;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::mesh::{Mesh, Route};
use crate::resources::{Options, Written, overlays};

/// The chart's templates.
const TEMPLATES: [(&str, &str); 2] = [
    ("templates/_graylane.tpl", include_str!("helm/graylane.tpl")),
    ("templates/resources.yaml", include_str!("helm/resources.yaml")),
];

/// The chart's templates know no version with a host, port, headers or policy of its own, and no route that stands alone.
fn supported(mesh: &Mesh) -> Result<()> {
    for service in &mesh.services {
        let name = &service.name;
        ensure!(
            service.versions.is_empty(),
            "services.{name}.versions: a chart cannot say it; write --format yaml"
        );
        ensure!(
            service.outside.is_empty(),
            "services.{name}.expose.routes: a chart cannot say it; write --format yaml"
        );
        let written = &mesh.document.services[name].routes;
        let alone =
            service.routes.iter().any(Route::answers) || written.iter().any(|route| route.baseline.is_some());
        ensure!(
            !alone,
            "services.{name}.routes: a chart cannot say a route with a baseline of its own; write --format yaml"
        );
    }
    Ok(())
}

/// All files of the chart: path and text.
///
/// # Errors
/// When the file says what the chart's templates do not know.
pub fn files(mesh: &Mesh, options: &Options) -> Result<BTreeMap<String, String>> {
    supported(mesh)?;
    // The chart's templates name every subset, so the chart makes every subset.
    let mut mesh = mesh.clone();
    mesh.services.iter_mut().for_each(|service| service.names_every_subset = true);
    let mesh = &mesh;
    let name = &mesh.document.mesh.name;
    let chart = json!({
        "apiVersion": "v2",
        "name": name,
        "description": format!("Routes and filters of the mesh {name}, made by graylane"),
        "type": "application",
        "version": env!("CARGO_PKG_VERSION"),
        "appVersion": env!("CARGO_PKG_VERSION"),
    });
    let mut files = overlays(mesh)?;
    files.extend(TEMPLATES.map(|(path, text)| (path.to_owned(), text.to_owned())));
    files.insert("Chart.yaml".to_owned(), serde_saphyr::to_string(&chart)?);
    files.insert("mesh.json".to_owned(), serde_json::to_string_pretty(&data::data(mesh, options)?)? + "\n");
    files.insert("values.yaml".to_owned(), serde_saphyr::to_string(&values::values(mesh, options))?);
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

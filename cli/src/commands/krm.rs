//! `graylane krm`: a KRM function, which kustomize, kpt and others run. It gets all objects and its own configuration on stdin, and
//! gives all objects back: those of the mesh anew, all others as they came.
//!
//! The format: <https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md>.

use std::io::Write as _;

use anyhow::{Context, Result, bail, ensure};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::args::{self, Render};
use crate::files;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::resources::{self, Resource};

const KIND: &str = "ResourceList";
const VERSIONS: [&str; 3] =
    ["config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1"];
/// What `functionConfig` is. kustomize wants name and kind of it, and leaves the rest to the function.
const HOW: &str = "expected `functionConfig: {apiVersion: graylane.dev/v1, kind: Render, metadata: {name: …}, spec: {arguments: [--file, graylane.yaml, --image, REF]}}`";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    items: Vec<Json>,
    function_config: Option<Function>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    arguments: Vec<String>,
}

/// The arguments of `render`, alone.
#[derive(Parser)]
#[command(name = "arguments", no_binary_name = true)]
struct Arguments {
    #[command(flatten)]
    render: Render,
}

/// Runs it.
pub fn run(printer: Printer) -> Result<Outcome> {
    let text = files::text(std::path::Path::new("-"))?;
    let list: List = serde_saphyr::from_str(&text).context("standard input: expected a ResourceList")?;
    ensure!(
        list.kind == KIND && VERSIONS.contains(&list.api_version.as_str()),
        "standard input: expected a {KIND} of {}, got `{}` of `{}`",
        VERSIONS[0],
        list.kind,
        list.api_version
    );
    let function = list.function_config.context(HOW)?;
    ensure!(
        function.kind == "Render" && function.api_version == "graylane.dev/v1",
        "unknown function `{}` of `{}`; {HOW}",
        function.kind,
        function.api_version
    );
    let mut render = arguments(&function.spec.context(HOW)?.arguments)?;
    let seen = seen(&list.items)?;
    if render.against.is_none() {
        render.against = Some(seen.path().to_owned());
    }
    let Some((mesh, rendered)) = super::render::rendered(&render, printer)? else {
        return Ok(Outcome::Failure);
    };
    let items = merged(list.items, &mesh, &rendered)?;
    let answer = json!({"apiVersion": list.api_version, "kind": KIND, "items": items});
    printer.exact(&serde_saphyr::to_string(&answer)?)?;
    Ok(Outcome::Ok)
}

/// Those of `render` that say what objects there are; where they go is not a function's to say.
fn arguments(words: &[String]) -> Result<Render> {
    let parsed = Arguments::command()
        .try_get_matches_from(words)
        .and_then(|found| Arguments::from_arg_matches(&found))
        .map_err(|error| {
            anyhow::anyhow!("functionConfig.spec.arguments: {}", error.render().to_string().trim())
        })?;
    let render = parsed.render;
    let refused = [
        ("--out", render.out.is_some()),
        ("--format helm", render.format == args::Output::Helm),
        ("--mesh-config", render.mesh_config),
        ("--dashboards json", render.dashboards == Some(args::Dashboards::Json)),
        ("--file -", render.files.file.iter().any(|path| path.as_os_str() == "-")),
    ];
    if let Some((name, _)) = refused.iter().find(|(_, is_there)| *is_there) {
        bail!(
            "functionConfig.spec.arguments: leave out `{name}`: a function gives back objects, and gets them on stdin"
        );
    }
    Ok(render)
}

/// The objects that came, as `--against` reads them.
fn seen(items: &[Json]) -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("graylane-krm-").suffix(".yaml").tempfile()?;
    for item in items {
        write!(file, "---\n{}\n", serde_json::to_string(item)?)?;
    }
    file.flush()?;
    Ok(file)
}

/// Everybody else's objects in their order, then those of the mesh. What graylane made before and does not make any more goes.
fn merged(items: Vec<Json>, mesh: &Mesh, rendered: &[Resource]) -> Result<Vec<Json>> {
    let mut all: Vec<Json> =
        items.into_iter().filter(|item| !resources::is_of(&mesh.document.mesh.name, item)).collect();
    for resource in rendered {
        let own = resource.json();
        let same = |item: &&Json| {
            ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
                .iter()
                .all(|place| item.pointer(place) == own.pointer(place))
        };
        if let Some(there) = all.iter().find(same) {
            bail!(
                "{} {} already exists, and graylane did not create it",
                there["kind"],
                there["metadata"]["name"]
            );
        }
        all.push(own);
    }
    Ok(all)
}

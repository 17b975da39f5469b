//! `graylane render --for envoy`: filters and routes as files that Envoys without Istio watch.

use anyhow::{Result, bail, ensure};
use graylane_mesh::envoy::{Code, Options, files};

use crate::args::{self, For, Render, RenderOrCost};
use crate::document::finding::Findings;
use crate::printer::{Outcome, Printer, summary};
use crate::resources::{self, Lacking};

/// Where Envoys find the files, unless they are told.
const AT: &str = "/etc/graylane";
/// What the URL of a file starts with.
const FILE: &str = "file://";

/// Runs it.
pub fn run(args: &RenderOrCost, printer: Printer) -> Result<Outcome> {
    let render = &args.render;
    ensure!(!args.cost, "--cost counts series of Istio's metrics: leave out `--for envoy`");
    check(render)?;
    let Some(folder) = &render.out else { bail!("--for envoy writes a folder: pass --out DIR") };
    let options = Options { code: code(render)?, other_hosts: args.envoy.other_hosts.clone() };
    let Some(own) = super::checked(&render.files.file, printer)? else { return Ok(Outcome::Failure) };
    ensure!(
        !own.mesh.has_gateway_api(),
        "`mesh.routes: gateway-api` is for Kubernetes: leave out `--for envoy`, or write `routes: virtual-service`"
    );
    let at = args.envoy.at.as_deref().unwrap_or(AT);
    ensure!(at.starts_with('/'), "--at: expected an absolute path, as in `{AT}`, got `{at}`");
    match files(&own.mesh, &options, at) {
        Ok(files) => {
            resources::write_marked(&files, folder)?;
            printer.say(&format!("{} files in {}", files.len(), folder.display()));
            Ok(Outcome::Ok)
        }
        Err(lacking) => {
            refuse(&lacking, &own, printer);
            Ok(Outcome::Failure)
        }
    }
}

/// Says with its place what Envoy alone cannot do.
fn refuse(lacking: &[Lacking], own: &super::Read, printer: Printer) {
    let mut findings = Findings::default();
    for one in lacking {
        let path: Vec<&str> = one.path.iter().map(String::as_str).collect();
        findings.error(own.file.key(&path), one.text.clone()).help(one.instead);
    }
    printer.findings(&findings, &own.sources);
    printer.say(&summary(&findings));
}

/// What runs the filters.
fn code(args: &Render) -> Result<Code> {
    match (&args.wasm_url, &args.native) {
        (None, None) => bail!(
            "what runs the filters? Pass `--wasm-url file:///etc/graylane/graylane.wasm`, or `--native` for the native module"
        ),
        (Some(_), Some(_)) => bail!("an Envoy runs one of the two: pass --wasm-url or --native, not both"),
        (None, Some(file)) => {
            ensure!(file.starts_with('/'), "--native: `{file}` is not an absolute path");
            Ok(Code::Native(file.clone()))
        }
        (Some(url), None) => match url.strip_prefix(FILE).filter(|path| path.starts_with('/')) {
            Some(path) => Ok(Code::Wasm(path.to_owned())),
            None => bail!(
                "--wasm-url: expected a file where Envoys find it, as in `file:///etc/graylane/graylane.wasm`, got `{url}`"
            ),
        },
    }
}

/// Refuses what only Istio has.
fn check(args: &Render) -> Result<()> {
    let said = [
        ("--image", args.image.is_some()),
        ("--gateway-url", args.gateway_url.is_some()),
        ("--next", args.next.is_some()),
        ("--istio-revision", args.istio_revision.is_some()),
        ("--native-pods", args.native_pods.is_some()),
        ("--merge-telemetry", args.merge_telemetry.is_some()),
        ("--dashboards", args.dashboards.is_some()),
        ("--mesh-config", args.mesh_config),
        ("--without-filter", args.without_filter),
        ("--only", !args.only.is_empty()),
        ("--namespace", !args.namespace.is_empty()),
        ("--without-admission-policy", args.without_admission_policy),
        ("--against", args.against.is_some()),
        ("--format", args.format != args::Output::Yaml),
        ("--routes", args.routes.is_some()),
        ("--extension", args.extension != args::Extension::WasmPlugin),
        ("--data-plane ambient", args.data_plane == args::DataPlane::Ambient),
    ];
    let names: Vec<String> =
        said.iter().filter(|(_, is_said)| *is_said).map(|(name, _)| format!("`{name}`")).collect();
    ensure!(
        names.is_empty(),
        "--for envoy writes nothing for Istio or Kubernetes: leave out {}",
        names.join(", ")
    );
    Ok(())
}

/// Refuses what only files for Envoys have.
///
/// # Errors
/// When it is passed without `--for envoy`.
pub fn check_istio(args: &RenderOrCost) -> Result<()> {
    ensure!(
        args.envoy.proxies == For::Envoy || (args.envoy.at.is_none() && args.envoy.other_hosts.is_none()),
        "--at and --other-hosts are for Envoys without Istio: pass `--for envoy` as well"
    );
    Ok(())
}

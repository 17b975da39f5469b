//! `graylane render`: the Istio resources of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use graylane_decide::config::{OLDEST_VERSION, VERSION};

use super::image::TAG;
use crate::args::{self, Dashboards, Render};
use crate::check::{self, Opened};
use crate::document;
use crate::document::finding::Findings;
use crate::document::source::SourceFiles;
use crate::helm;
use crate::image::{self, Remote};
use crate::import;
use crate::istio::FORMATTED_TAGS_SINCE;
use crate::lower;
use crate::mesh::{Mesh, Service};
use crate::printer::{Outcome, Printer, summary};
use crate::resources::{self, DataPlane, Extension, Kind, Next, Options, Resource};

/// The first one whose proxy has Envoy's dynamic modules (istio/proxy #6955).
const NATIVE_SINCE: u32 = 31;

/// What the URL of an image starts with.
const OCI: &str = "oci://";

/// Runs it.
pub fn run(args: &Render, printer: Printer) -> Result<Outcome> {
    if let (Some(way), Some(image)) = (args.native_pods, &args.native_image) {
        return native_pods(args, way, image, printer);
    }
    let options = options(args, printer)?;
    let Some(mesh) = mesh_of(args, printer)? else { return Ok(Outcome::Failure) };
    if args.mesh_config {
        printer.exact(&resources::mesh_config(&mesh, args.native.is_some()))?;
        return Ok(Outcome::Ok);
    }
    check_all(args, &mesh, &options, printer)?;
    let all = objects(args, &mesh, &options);
    if args.format == args::Output::Helm {
        let Some(folder) = &args.out else { bail!("--format helm writes a folder: pass --out DIR") };
        if let Some(service) = mesh.services.iter().find(|service| service.visible_to.is_some()) {
            bail!(
                "`services.{}.visibleTo`: a chart has one list of services for all namespaces; write the manifests, without `--format helm`",
                service.name
            );
        }
        ensure!(
            !mesh.has_gateway_api(),
            "`mesh.routes: gateway-api`: a chart supports VirtualServices only; leave out `--format helm` to write manifests"
        );
        let written = helm::write(&mesh, &options, folder)?;
        printer.say(&format!("a chart of {} resources in {}", written.resources, folder.display()));
        return Ok(Outcome::Ok);
    }
    match &args.out {
        Some(folder) => {
            let written = resources::write(&mesh, &all, folder)?;
            printer.say(&format!("{} resources in {}", written.resources, folder.display()));
            if args.dashboards == Some(Dashboards::Json) {
                let path = folder.join("dashboards").join(resources::dashboard_file(&mesh));
                write_json(&path, &resources::dashboard(&mesh, &options))?;
                printer.say(&format!("a dashboard in {}", path.display()));
            }
            super::warn_of_topics(&written.topics_gone, printer);
        }
        None => printer.exact(&resources::stream(&all))?,
    }
    Ok(Outcome::Ok)
}

/// The resources of a file, for callers that process them further. None: it has errors, which were printed.
pub fn rendered(args: &Render, printer: Printer) -> Result<Option<(Mesh, Vec<Resource>)>> {
    let options = options(args, printer)?;
    let Some(mesh) = mesh_of(args, printer)? else { return Ok(None) };
    check_all(args, &mesh, &options, printer)?;
    let all = objects(args, &mesh, &options);
    Ok(Some((mesh, all)))
}

/// The mesh, with the form of routes that is asked for.
fn mesh_of(args: &Render, printer: Printer) -> Result<Option<Mesh>> {
    let Some(routes) = args.routes else {
        return Ok(super::mesh(&args.files.file, printer)?.map(|(_, mesh)| mesh));
    };
    let (mut layers, _) = document::as_written(&args.files.file)?;
    layers.push(vec![("--routes".to_owned(), format!("mesh: {{routes: {}}}\n", routes.word()))]);
    let Opened { sources, findings, file } = check::open(document::of_texts(layers));
    printer.findings(&findings.without_notes(), &sources);
    let Some(file) = file else {
        printer.say(&summary(&findings));
        return Ok(None);
    };
    let own = document::open(&args.files.file)?.file.map(|file| file.document.mesh.routes);
    if own.is_some_and(|own| own != file.document.mesh.routes) {
        printer.say(&format!(
            "note: `--routes` applies to this command only; `off`, `status`, `ramp` and the filter's revision follow the file: write `routes: {}` under `mesh`",
            routes.word()
        ));
    }
    Ok(Some(Mesh::of(&file)))
}

fn objects(args: &Render, mesh: &Mesh, options: &Options) -> Vec<Resource> {
    let mut all = resources::resources(mesh, options);
    if args.format == args::Output::Argocd {
        all.iter_mut().for_each(Resource::in_its_wave);
    }
    all
}

/// Refuses what cannot be rendered, and says what there is to know about what can.
fn check_all(args: &Render, mesh: &Mesh, options: &Options, printer: Printer) -> Result<()> {
    say_left_out(mesh, options, printer)?;
    resources::check_merge(mesh, options)?;
    resources::check_filter(mesh, options)?;
    resources::check_data_plane(mesh, options)?;
    resources::check_next(mesh, options)?;
    if options.data_plane == DataPlane::Ambient {
        for one in resources::lacking(mesh) {
            printer.say(&format!("warning: {}: {}; {}", one.path.join("."), one.text, one.instead));
        }
    }
    if options.data_plane == DataPlane::Ambient && mesh.has_gateway_api() {
        printer.say("warning: HTTPRoutes at waypoints are not tested: docs/gateway-api.md");
    }
    let needs = lower::version(mesh);
    if needs > OLDEST_VERSION {
        printer.say(&format!(
            "note: this needs a filter that reads version {needs} of its configuration; `graylane inspect` prints what a filter reads"
        ));
    }
    if options.url.is_none() && !options.without_filter {
        printer.say("the plugins are left out: pass --image REF@sha256:… or --wasm-url URL to include them");
    }
    if mesh.has_gateway_api() && mesh.routed().any(Service::retries) {
        printer.say(
            "note: `retries.attempts` needs the experimental channel of the Gateway API, whose HTTPRoutes have `retry`: docs/gateway-api.md",
        );
    }
    if args.native.is_some() {
        printer.say(&format!(
            "note: pods labelled `{}: \"true\"` run the native module, trusted code in their proxy, if that is Istio 1.31; each needs its file \
             before it starts: docs/native.md",
            resources::NATIVE_LABEL
        ));
    }
    match &args.against {
        Some(path) => super::rivals::warn(path, mesh, printer)?,
        None if !options.without_filter => resources::check_unseen(mesh)?,
        None => {}
    }
    Ok(())
}

fn write_json(path: &Path, json: &serde_json::Value) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(path)).with_context(failed)?;
    std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(json)?)).with_context(failed)
}

/// The image to write: with a digest, unless one does not want it.
fn pinned(args: &Render, image: &str, printer: Printer) -> Result<(String, Option<u32>)> {
    if image.contains('@') {
        return Ok((image.to_owned(), None));
    }
    if args.no_pin {
        printer
            .say(&format!("warning: `{image}` has no digest: pods that start later may get another filter"));
        return Ok((image.to_owned(), None));
    }
    let remote = Remote::open(image, args.insecure, TAG, args.times)?;
    let (pinned, speaks) = printer
        .runtime()?
        .block_on(image::resolve(&remote))
        .context("pass a digest, or --no-pin to write the reference as it is")?;
    ensure!(
        (OLDEST_VERSION..=VERSION).contains(&speaks),
        "the filter in `{image}` reads configuration version {speaks}, this program writes versions {OLDEST_VERSION} \
         to {VERSION}: push this program's filter, or use the graylane that the filter belongs to"
    );
    Ok((pinned, Some(speaks)))
}

/// The options of the library, from those of the command line.
pub fn options(args: &Render, printer: Printer) -> Result<Options> {
    let extension = Extension::from(args.extension);
    resources::check_extension(extension, args.istio)?;
    ensure!(
        args.dashboards != Some(Dashboards::Json) || args.out.is_some(),
        "--dashboards json writes a file: pass --out DIR as well"
    );
    ensure!(
        args.native_pods.is_none(),
        "--native-pods prints only patches for pods and cannot be used here: run `graylane render`"
    );
    check_native(args)?;
    let mut reads = None;
    let url = match (&args.image, &args.wasm_url) {
        // Istio takes a reference without `oci://`, too, but not one whose registry has a port.
        (Some(image), None) => {
            let image = image.strip_prefix(OCI).unwrap_or(image);
            let (image, speaks) = pinned(args, image, printer)?;
            reads = speaks;
            Some(format!("{OCI}{image}"))
        }
        (None, url) => url.clone(),
        (Some(_), Some(_)) => bail!("pass --image or --wasm-url, not both"),
    };
    let next = match &args.next {
        Some(image) => {
            let image = image.strip_prefix(OCI).unwrap_or(image);
            let (image, speaks) = pinned(args, image, printer)?;
            reads = reads.into_iter().chain(speaks).min();
            Some(Next { url: format!("{OCI}{image}"), places: args.next_in.clone() })
        }
        None => None,
    };
    ensure!(
        next.is_none() || args.format != args::Output::Helm,
        "--next: a chart has one image; write the manifests, without `--format helm`"
    );
    let only: Option<BTreeSet<Kind>> = match &args.only[..] {
        [] => None,
        names => Some(names.iter().map(|name| Kind::named(name)).collect::<Result<_>>()?),
    };
    let data_plane = DataPlane::from(args.data_plane);
    Ok(Options {
        extension,
        data_plane,
        url,
        gateway_url: args.gateway_url.clone(),
        next,
        istio_revision: args.istio_revision.clone(),
        reads,
        without_filter: args.without_filter,
        without_admission_policy: args.without_admission_policy,
        native: args.native.clone(),
        dashboards: args.dashboards.map(|dashboards| dashboards == Dashboards::Configmap),
        header_tags: args.istio < FORMATTED_TAGS_SINCE,
        telemetries: args
            .merge_telemetry
            .iter()
            .map(|path| telemetries(path, printer))
            .collect::<Result<Vec<_>>>()?
            .concat(),
        only,
        namespaces: (!args.namespace.is_empty()).then(|| args.namespace.iter().cloned().collect()),
    })
}

/// Says what is left out because it is in another namespace.
///
/// # Errors
/// When a namespace has nothing at all.
fn say_left_out(mesh: &Mesh, options: &Options, printer: Printer) -> Result<()> {
    let Some(namespaces) = &options.namespaces else { return Ok(()) };
    let all = resources::resources(mesh, &Options { namespaces: None, ..options.clone() });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &all {
        *counts.entry(resource.namespace()).or_default() += 1;
    }
    let has = counts.keys().filter(|name| !name.is_empty()).map(|name| format!("`{name}`"));
    let has = has.collect::<Vec<_>>().join(", ");
    for namespace in namespaces {
        ensure!(
            counts.contains_key(namespace.as_str()),
            "--namespace: nothing is rendered for `{namespace}`; there are {has}"
        );
    }
    let others = counts.iter().filter(|(name, _)| !namespaces.contains(**name));
    let whole = |name: &str| if name.is_empty() { "the cluster".to_owned() } else { format!("`{name}`") };
    let others: Vec<String> = others.map(|(name, count)| format!("{count} of {}", whole(name))).collect();
    if !others.is_empty() {
        printer.say(&format!("left out, for somebody else to apply: {}", others.join(", ")));
    }
    Ok(())
}

/// What `--native` goes together with.
fn check_native(args: &Render) -> Result<()> {
    let Some(file) = &args.native else { return Ok(()) };
    ensure!(
        args.istio >= NATIVE_SINCE,
        "Istio's proxy has native modules since 1.{NATIVE_SINCE}, and --istio says 1.{}: leave out --native",
        args.istio
    );
    ensure!(
        args.data_plane == args::DataPlane::Sidecar,
        "the EnvoyFilters of --native choose pods by label, which waypoints ignore: leave out --native, or --data-plane ambient"
    );
    ensure!(
        args.mesh_config || (args.image.is_some() || args.wasm_url.is_some()) && !args.without_filter,
        "the native module takes the place of a plugin: pass --image REF@sha256:… or --wasm-url URL as well"
    );
    ensure!(file.starts_with('/'), "--native: `{file}` is not an absolute path");
    Ok(())
}

/// What pods need to run the native module; no file says anything of it.
fn native_pods(args: &Render, way: args::NativePods, image: &str, printer: Printer) -> Result<Outcome> {
    let image = image.strip_prefix(OCI).unwrap_or(image);
    ensure!(
        image.split_once("@sha256:").is_some_and(|(name, hex)| !name.is_empty() && hex.len() == 64),
        "--native-image: expected an image by its digest, as in registry.example/graylane-native@sha256:…, got \
         `{image}`: a tag can be moved to another image, and the module runs in the proxy"
    );
    let file = args.native.as_deref().unwrap_or(graylane_mesh::native::FILE);
    ensure!(file.starts_with('/'), "--native: `{file}` is not an absolute path");
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    ensure!(
        name == Some(image::native::NAME),
        "--native: the image contains the file `{}`, but `{file}` ends in another name",
        image::native::NAME
    );
    let way = match way {
        args::NativePods::Patch => resources::NativePods::Patch,
        args::NativePods::Gateway => resources::NativePods::Gateway,
        args::NativePods::Template => resources::NativePods::Template,
    };
    printer.exact(&resources::native_pods(way, image, file))?;
    Ok(Outcome::Ok)
}

/// The Telemetries that exist.
fn telemetries(path: &Path, printer: Printer) -> Result<Vec<import::Resource>> {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[path.to_owned()], &mut sources, &mut findings)?;
    printer.findings(&findings, &sources);
    ensure!(!findings.has_errors(), "`{}` cannot be read", path.display());
    resources::existing_telemetries(found)
}

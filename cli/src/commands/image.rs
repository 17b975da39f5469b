//! `graylane package`, `push` and `inspect`: the filter as an image.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::args::{Format, Inspect, Package, Push};
use crate::files;
use crate::image::{self, About, Image, Remote};
use crate::printer::{Outcome, Printer};
use crate::wasm;

/// The tag of an image that is given none: this program's version, which is its filter's.
pub const TAG: &str = env!("CARGO_PKG_VERSION");

fn packed(file: Option<&Path>) -> Result<Image> {
    match file {
        Some(path) => {
            let module = files::bytes(path)?;
            Image::pack(&module).with_context(|| format!("`{}`", path.display()))
        }
        None => Image::pack(wasm::module()?),
    }
}

/// Writes an OCI image layout.
pub fn package(args: &Package, printer: Printer) -> Result<Outcome> {
    if !args.native.is_empty() {
        let read = |path: &PathBuf| {
            let module = files::bytes(path)?;
            image::native::architecture(&module).with_context(|| format!("`{}`", path.display()))?;
            anyhow::Ok(module)
        };
        let modules = args.native.iter().map(read).collect::<Result<Vec<_>>>()?;
        printer.data(&format!("{}\n", image::native::write(&modules, &args.out, TAG)?))?;
        printer.say(&format!("packed into {}, {} architectures", args.out.display(), modules.len()));
        return Ok(Outcome::Ok);
    }
    if let Some(base) = &args.gateway_image {
        let module = match &args.wasm {
            Some(path) => {
                let module = files::bytes(path)?;
                image::check(&module).with_context(|| format!("`{}`", path.display()))?;
                module
            }
            None => wasm::module()?.to_vec(),
        };
        image::gateway::write(base, &module, &args.out)?;
        printer.data(&format!("file://{}\n", image::gateway::PATH))?;
        printer.say(&format!(
            "build it (`docker build --tag REF {0}`), give it to the gateway's pods (annotation `sidecar.istio.io/proxyImage: REF`, or the container's image), and \
             render with `--gateway-url file://{1}`",
            args.out.display(),
            image::gateway::PATH
        ));
        return Ok(Outcome::Ok);
    }
    let image = packed(args.wasm.as_deref())?;
    image::write(&image, &args.out, TAG)?;
    printer.data(&format!("{}\n", image.digest()))?;
    printer.say(&format!("packed into {}, {} bytes", args.out.display(), image.layer.len()));
    Ok(Outcome::Ok)
}

/// Pushes an image; stdout is the reference with its digest, and nothing else.
pub fn push(args: &Push, printer: Printer) -> Result<Outcome> {
    let upload = match &args.layout {
        Some(folder) => image::read_upload(folder)?,
        None => packed(None)?.into(),
    };
    let remote = Remote::open(&args.reference, args.insecure, TAG, args.times)?;
    let bar = printer.progress(Some(upload.blobs.len() as u64 + upload.members.len() as u64 + 1));
    let pinned = printer.runtime()?.block_on(image::push(&remote, &upload, |name| {
        bar.inc(1);
        bar.set_message(name.to_owned());
    }));
    bar.finish_and_clear();
    printer.data(&format!("{}\n", pinned?))?;
    Ok(Outcome::Ok)
}

/// Whether somebody means a file, and mistyped it, rather than a reference.
fn looks_like_a_file(what: &str) -> bool {
    what.ends_with(".wasm") || what.starts_with(['.', '/'])
}

/// Says what a module or an image is.
pub fn inspect(args: &Inspect, printer: Printer) -> Result<Outcome> {
    let path = Path::new(&args.what);
    let (module, image_digest) = if path.is_dir() {
        let image = image::read(path)?;
        (image::unpack(&image.layer)?, Some(image.digest()))
    } else if path.is_file() || looks_like_a_file(&args.what) {
        (files::bytes(path)?, None)
    } else {
        let remote = Remote::open(&args.what, args.insecure, TAG, args.times)?;
        printer.runtime()?.block_on(async {
            let (manifest, digest) = image::fetch_manifest(&remote).await?;
            let layer = image::fetch_layer(&remote, &manifest).await?;
            anyhow::Ok((image::unpack(&layer)?, Some(digest)))
        })?
    };
    let about = image::inspect(&module)?;
    match args.output {
        Format::Json => printer.json(&serde_json::json!({"image": image_digest, "module": about}))?,
        Format::Text => printer.data(&text(&about, image_digest.as_deref()))?,
    }
    Ok(if about.problems.is_empty() { Outcome::Ok } else { Outcome::Findings })
}

fn text(about: &About, image: Option<&str>) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.extend(image.map(|digest| ("image", digest.to_owned())));
    rows.push((
        "module",
        format!(
            "{}, {} bytes, {} KiB of memory to start with",
            about.digest,
            about.size,
            about.memory / 1024
        ),
    ));
    match &about.versions {
        Some(versions) => rows.push((
            "graylane",
            format!(
                "{}, configuration {}, sticky algorithm {}",
                versions.version, versions.configuration, versions.algorithm
            ),
        )),
        None => rows
            .push(("graylane", "no: another filter, or a module that `make wasm` did not build".to_owned())),
    }
    rows.push(("ABI", about.abi.clone().unwrap_or_else(|| "none".to_owned())));
    rows.push(("exports", about.exports.join(", ")));
    rows.push(("imports", about.imports.join(", ")));
    rows.extend(about.problems.iter().map(|problem| ("problem", problem.clone())));
    rows.iter().map(|(name, value)| format!("{name:<9} {value}\n")).collect()
}

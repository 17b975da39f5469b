//! `graylane-lean IN OUT`: the built module without what Envoy would call or carry for nothing.
//!
//! Envoy enters the VM for every callback that a module exports, per request and per body chunk. So nothing but what
//! is listed here stays, with the code that it reaches; the linker's own exports, names and tool notes go. What is
//! left is what is tested, packaged and measured.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use walrus::{Module, RawCustomSection};

/// Everything the host may call, and why.
const EXPORTS: [(&str, &str); 8] = [
    ("memory", "the host reads and writes it"),
    ("_initialize", "constructors"),
    ("proxy_abi_version_0_2_1", "the host looks for it by name"),
    ("proxy_on_memory_allocate", "the host allocates what it returns"),
    ("proxy_on_context_create", "a stream of which plugin"),
    ("proxy_on_configure", "a configuration comes in"),
    ("proxy_on_request_headers", "a request comes in"),
    ("proxy_on_request_trailers", "a gateway removes what is ours from trailers, which few requests have"),
];

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = &paths[..] else { bail!("usage: graylane-lean IN OUT") };
    let bytes = std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let lean = lean(&bytes)?;
    std::fs::write(output, &lean).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(())
}

/// What the module speaks; `graylane inspect` shows it, `graylane render` refuses what it does not speak itself.
fn versions() -> serde_json::Value {
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": graylane_decide::config::VERSION,
        "algorithm": graylane_decide::choice::sticky::VERSION,
    })
}

fn lean(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(bytes).context("this is no WebAssembly module")?;
    for (name, why) in EXPORTS {
        ensure!(module.exports.iter().any(|export| export.name == name), "export `{name}` is missing: {why}");
    }
    let unneeded: Vec<_> = module
        .exports
        .iter()
        .filter(|export| EXPORTS.iter().all(|(name, _)| export.name != *name))
        .map(walrus::Export::id)
        .collect();
    unneeded.into_iter().for_each(|id| module.exports.delete(id));
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    customs.into_iter().for_each(|id| drop(module.customs.delete(id)));
    module.producers.clear();
    module.name = None;
    walrus::passes::gc::run(&mut module);
    module
        .customs
        .add(RawCustomSection { name: "graylane".to_owned(), data: versions().to_string().into_bytes() });
    Ok(module.emit_wasm())
}

//! `graylane-lean IN OUT`: the built module without what Envoy would call or carry for nothing.
//!
//! Envoy enters the VM for every callback that a module exports, per request and per body chunk. So nothing but what
//! is listed here stays, with the code that it reaches; the linker's own exports, names and tool notes go. What is
//! left is what is tested, packaged and measured.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module, ModuleConfig, RawCustomSection};

/// Everything the host may call, and why.
const EXPORTS: [(&str, &str); 9] = [
    ("memory", "the host reads and writes it"),
    ("_initialize", "constructors"),
    ("proxy_abi_version_0_2_1", "the host looks for it by name"),
    ("proxy_on_memory_allocate", "the host allocates what it returns"),
    ("proxy_on_context_create", "a stream of which plugin"),
    ("proxy_on_delete", "the crate proxy-wasm keeps an entry for each stream until its end is told"),
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
    let mut config = ModuleConfig::new();
    config.generate_name_section(false);
    let mut module = config.parse(bytes).context("invalid WebAssembly module")?;
    for (name, why) in EXPORTS {
        ensure!(module.exports.iter().any(|export| export.name == name), "export `{name}` is missing: {why}");
    }
    empty_what_is_never_called(&mut module);
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
    walrus::passes::gc::run(&mut module);
    module
        .customs
        .add(RawCustomSection { name: "graylane".to_owned(), data: versions().to_string().into_bytes() });
    Ok(module.emit_wasm())
}

/// Is this a method by which the crate's traits ask the host for something? Contexts have them all by default, so their
/// tables of methods hold them, with all that they call; nothing calls those. What begins with these other words the host
/// calls, by way of the crate.
fn asks_the_host(name: &str) -> bool {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let method = name.strip_prefix("proxy_wasm::traits::").and_then(|path| path.split_once("::"));
    method.is_some_and(|(_, method)| {
        !method.starts_with("on_") && !method.starts_with("create_") && method != "get_type"
    })
}

/// Does this print a backtrace? A module without names has none to print: a panic says its message and its place all the same.
fn prints_a_backtrace(name: &str) -> bool {
    format!("{:#}", rustc_demangle::demangle(name)).contains("DisplayBacktrace as core::fmt::Display>::fmt")
}

/// Does the crate make a context for a TCP stream by this? Our plugins are for HTTP alone.
fn makes_a_stream(name: &str) -> bool {
    format!("{:#}", rustc_demangle::demangle(name)).ends_with("Dispatcher::create_stream_context")
}

/// Is this code that nothing needs, although something refers to it?
fn is_never_called(name: &str) -> bool {
    asks_the_host(name) || prints_a_backtrace(name) || makes_a_stream(name)
}

/// Takes the bodies of those functions out. To call one would trap, in the first test that does.
fn empty_what_is_never_called(module: &mut Module) {
    let asking: Vec<FunctionId> = module
        .funcs
        .iter_local()
        .map(|(id, _)| id)
        .filter(|id| module.funcs.get(*id).name.as_deref().is_some_and(is_never_called))
        .collect();
    for id in asking {
        let kind = module.types.get(module.funcs.get(id).ty());
        let (parameters, results) = (kind.params().to_vec(), kind.results().to_vec());
        let mut builder = FunctionBuilder::new(&mut module.types, &parameters, &results);
        builder.func_body().unreachable();
        let arguments = parameters.iter().map(|kind| module.locals.add(*kind)).collect();
        module.funcs.get_mut(id).kind = FunctionKind::Local(builder.local_func(arguments));
    }
}

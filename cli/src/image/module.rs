//! The module itself: what it is, and whether Envoy can run it.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wasmparser::{ExternalKind, Parser, Payload};

use super::digest;

/// Name of the custom section that `filter/lean` writes.
const SECTION: &str = "graylane";
/// The ABI that graylane is built for; hosts look for the export by name.
const ABI: &str = "proxy_abi_version_";
/// What a host of that ABI offers (Envoy registers all of `proxy_*` under `env`, and these of WASI).
const WASI: [&str; 12] = [
    "fd_write",
    "fd_read",
    "fd_seek",
    "fd_close",
    "fd_fdstat_get",
    "environ_get",
    "environ_sizes_get",
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "random_get",
    "proc_exit",
];

/// The versions that a module speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Of the filter.
    pub version: String,
    /// Of its configuration.
    pub configuration: u32,
    /// Of the sticky algorithm.
    pub algorithm: u32,
}

/// What is to be known of a module.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// The versions it speaks; none: it is not graylane's.
    pub versions: Option<Versions>,
    /// The proxy-wasm ABI, as in `0.2.1`.
    pub abi: Option<String>,
    /// Its size in bytes.
    pub size: usize,
    /// Its digest; for `http` URLs this is what Istio's `sha256` means.
    pub digest: String,
    /// Memory that it starts with, in bytes.
    pub memory: u64,
    /// What the host may call.
    pub exports: Vec<String>,
    /// What it asks of the host.
    pub imports: Vec<String>,
    /// Why Envoy could not run it.
    pub problems: Vec<String>,
}

/// Looks at a module.
///
/// # Errors
/// When it is not a WebAssembly module.
pub fn inspect(module: &[u8]) -> Result<About> {
    let mut about = About {
        versions: None,
        abi: None,
        size: module.len(),
        digest: digest(module),
        memory: 0,
        exports: Vec::new(),
        imports: Vec::new(),
        problems: Vec::new(),
    };
    ensure!(module.starts_with(b"\0asm"), "not a WebAssembly module");
    let mut has_memory = false;
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("this WebAssembly module is broken")? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let known = match import.module {
                        "env" => import.name.starts_with("proxy_"),
                        "wasi_snapshot_preview1" => WASI.contains(&import.name),
                        _ => false,
                    };
                    if !known {
                        about.problems.push(format!("Envoy has no `{}.{}`", import.module, import.name));
                    }
                    about.imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    about.memory += memory?.initial * 65_536;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    has_memory |= export.kind == ExternalKind::Memory && export.name == "memory";
                    if let Some(version) = export.name.strip_prefix(ABI) {
                        about.abi = Some(version.replace('_', "."));
                    }
                    about.exports.push(export.name.to_owned());
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                about.versions = serde_json::from_slice(section.data()).ok();
            }
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                about.problems.push("it is a component; Envoy loads core modules".to_owned());
            }
            _ => {}
        }
    }
    match about.abi.as_deref() {
        None => about.problems.push(format!("it exports no `{ABI}…`: no proxy-wasm host would load it")),
        Some("0.1.0" | "0.2.0" | "0.2.1") => {}
        Some(other) => about.problems.push(format!("Envoy does not support ABI {other}")),
    }
    if !has_memory {
        about.problems.push("it exports no memory".to_owned());
    }
    for name in ["proxy_on_memory_allocate", "proxy_on_configure", "proxy_on_request_headers"] {
        if !about.exports.iter().any(|export| export == name) {
            about.problems.push(format!("it does not export `{name}`"));
        }
    }
    Ok(about)
}

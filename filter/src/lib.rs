//! graylane in Envoy: a thin adapter between the crate proxy-wasm and [`graylane_serve`].
//!
//! | file | its subject |
//! |-|-|
//! | `plugin` | a plugin and its requests: what the host calls |
//! | `envoy` | a request in Envoy, as the layer over all hosts wants it |
//! | `host` | what we call of the host: calls in which no status may panic, and header pairs that are read in place |
//! | `pairs` | header pairs, walked in place |
//! | `shared` | the memory's slots in the host's shared data |
//! | `counters` | metrics, each defined once |
//! | `logger` | lines of the log |
//! | `warm_up` | synthetic requests, so that the first user does not wait for the compiler |
//!
//! No header that a client can send and no status that the host can return may trap the VM: it would take every
//! plugin of that worker with it. So bytes only, every status handled, and no panicking call.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(test)]
mod allocations;
mod counters;
mod envoy;
mod host;
mod logger;
mod pairs;
mod plugin;
mod shared;
mod warm_up;

/// What a VM begins with.
pub fn start() {
    logger::install();
    proxy_wasm::set_root_context(|_| Box::new(plugin::Plugin::new()));
}

// Elsewhere there is no host to link with.
#[cfg(target_arch = "wasm32")]
#[allow(missing_docs, reason = "the macro writes a function, and rustc warns of it at the crate's top only")]
mod module {
    proxy_wasm::main! {{
        crate::start();
    }}
}

//! graylane in Envoy: a thin adapter between proxy-wasm and [`graylane_decide`].
//!
//! | file | its subject |
//! |-|-|
//! | `host` | the only one that talks to the host |
//! | `pairs` | header pairs, walked in place |
//! | `root` | a configuration comes in |
//! | `active` | what a plugin runs with: a plan, or what is left without one |
//! | `request` | a request comes in |
//! | `shared` | the memory's slots in the host's shared data |
//! | `counters` | metrics, each defined once |
//!
//! No header that a client can send and no status that the host can return may trap the VM: it would take every
//! plugin of that worker with it. So bytes only, every status handled, and no panicking call.
// The macro of proxy-wasm makes an entry point without documentation.
#![allow(missing_docs)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod active;
mod counters;
mod host;
mod pairs;
mod request;
mod root;
mod shared;

proxy_wasm::main! {{
    host::install_logger();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}

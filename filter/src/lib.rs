//! graylane in Envoy: a thin adapter between proxy-wasm and [`graylane_serve`].
//!
//! | file | its subject |
//! |-|-|
//! | `host` | the only one that talks to the host |
//! | `abi` | the entry points: what the host calls |
//! | `contexts` | which plan a stream runs with |
//! | `bytes` | memory for what the host returns |
//! | `pairs` | header pairs, walked in place |
//! | `envoy` | a request in Envoy, as the layer over all hosts wants it |
//! | `shared` | the memory's slots in the host's shared data |
//! | `counters` | metrics, each defined once |
//!
//! No header that a client can send and no status that the host can return may trap the VM: it would take every
//! plugin of that worker with it. So bytes only, every status handled, and no panicking call.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod abi;
#[cfg(test)]
mod allocations;
mod bytes;
mod contexts;
mod counters;
mod envoy;
mod host;
mod pairs;
mod shared;

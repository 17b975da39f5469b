//! graylane in Envoy without a VM: a thin adapter between Envoy's dynamic modules and [`graylane_serve`].
//!
//! | file | its subject |
//! |-|-|
//! | `abi` | what Envoy offers: declarations, found by name when the module is loaded, and a safe layer over them |
//! | `hooks` | what Envoy calls |
//! | `host` | a request in Envoy, as the layer over all hosts wants it |
//! | `claims` | the claims of a token, from JSON to the form that decisions read |
//! | `plugin` | configurations: read once, shared by all listeners, with the last good one |
//! | `node` | the pod that this is: its namespace and labels |
//! | `table` | the memory's slots, in place |
//! | `counters` | counted in atomics, told to Envoy once a second |
//!
//! `abi` (with `abi/config`) and `hooks` are the only files with `unsafe` in them. A panic ends at its hook: the request passes, except at a
//! gateway, where what is ours is removed first.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[allow(unsafe_code)]
pub mod abi;
mod claims;
mod counters;
#[allow(unsafe_code)]
pub mod hooks;
mod host;
pub mod node;
mod plugin;
mod table;

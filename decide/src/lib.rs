//! What graylane decides about one request: configuration and headers in, lane out.
//!
//! ```text
//! Config (JSON of the plugin)  --compile-->  Plan  --decide-->  Decision
//!                                             ^ headers, and a World that answers what a plan may ask
//! ```
//!
//! | module | its subject |
//! |-|-|
//! | [`config`] | the document, as it is written |
//! | [`plan`] | the document, compiled |
//! | [`request`] | what a request carries |
//! | [`carriers`] | what tenant and unit travel in |
//! | [`ids`], [`memory`] | what a request is recognised by, and what is remembered of it |
//! | [`edge`] | rules of the gateway |
//! | [`sanitise`] | what is taken off where the mesh ends |
//! | [`choice`] | where a request goes |
//! | `decide`, `roles` | the decision: each role by itself |
//! | [`decision`], [`edits`], [`why`] | what comes out |
//!
//! Nothing here does I/O, reads a clock or knows proxy-wasm. The filter and the command line call the same
//! functions, so what `graylane explain` says offline is what Envoy does.
//!
//! Requests are untrusted input: everything works on bytes, nothing here can panic on what a client sends.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod base64;
pub mod carriers;
pub mod choice;
pub mod config;
mod decide;
pub mod decision;
pub mod edge;
pub mod edits;
pub mod exempt;
pub mod few;
pub mod ids;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod naming;
pub mod plan;
mod read;
pub mod request;
mod roles;
pub mod sanitise;
mod sorted;
pub mod tenants;
pub mod why;
pub mod workload;
pub mod world;

pub use config::{Config, Role};
pub use decision::Decision;
pub use plan::{Node, Plan};
pub use sanitise::{Sanitiser, Scope};
pub use world::World;

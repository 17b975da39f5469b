//! What graylane decides about one request: configuration and headers in, lane out.
//!
//! ```text
//! Config (JSON of the plugin)  --compile-->  Plan  --decide-->  Decision
//!                                             ^ headers, and a World that answers what a plan may ask
//! ```
//!
//! Nothing here does I/O, reads a clock or knows proxy-wasm. The filter and the command line call the same
//! functions, so what `graylane explain` says offline is what Envoy does.
//!
//! A request comes from a stranger: everything works on bytes, nothing here can panic on what a client sends.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod authority;
pub mod baggage;
pub mod cluster;
pub mod config;
pub mod cookie;
pub mod decision;
pub mod destination;
pub mod edge;
pub mod exempt;
mod gateway;
pub mod headers;
mod inbound;
pub mod key;
pub mod memory;
pub mod metrics;
pub mod names;
mod outbound;
pub mod placement;
pub mod plan;
pub mod query;
mod resolve;
pub mod sticky;
pub mod tenants;
pub mod trace;
pub mod workload;
pub mod world;

pub use config::{Config, Role};
pub use decision::Decision;
pub use gateway::closed;
pub use headers::Seen;
pub use plan::{Node, Plan};
pub use world::World;

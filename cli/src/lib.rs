//! The `graylane` command line, as a library: tests and benches call what the commands call.

pub mod args;
pub mod client;
pub mod clusters;
pub mod commands;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod document;
pub mod envoy;
pub mod files;
pub mod git;
pub mod hash_key;
pub mod helm;
pub mod history;
pub mod http;
pub mod image;
pub mod import;
pub mod markdown;
pub mod playground;
pub mod printer;
pub mod process;
pub mod prometheus;
pub mod ramp;
pub mod report;
pub mod resources;
pub mod review;
pub mod secret;
pub mod simulate;
pub mod time;
pub mod token_key;
pub mod trace;
pub mod user;
pub mod wasm;

// What needs no I/O is a library of its own; see there.
pub use graylane_mesh::{
    adopt, check, explain, istio, lower, manifest, mesh, percent, plain, queries, regex, routes, routing,
    traffic, workers,
};

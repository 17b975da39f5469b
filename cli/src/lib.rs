//! The `graylane` command line, as a library: tests and benches call what the commands call.

pub mod args;
pub mod check;
pub mod commands;
pub mod demo;
pub mod diff;
pub mod document;
pub mod envoy;
pub mod explain;
pub mod helm;
pub mod http;
pub mod image;
pub mod import;
pub mod istio;
pub mod lower;
pub mod mesh;
pub mod printer;
pub mod prometheus;
pub mod queries;
pub mod ramp;
pub mod regex;
pub mod report;
pub mod resources;
pub mod routing;
pub mod simulate;
pub mod wasm;
pub mod workers;

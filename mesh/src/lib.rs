//! What a graylane file means, from its text on: read, checked, explained, rendered, simulated and asked about.
//!
//! No I/O, no threads, no clock, no environment: texts and variables come in as values. So it runs in a browser as well
//! (`make wasm32` builds it for `wasm32-unknown-unknown`).

pub mod adopt;
mod aligned;
pub mod check;
pub mod clusters;
pub mod conditions;
pub mod cost;
mod dns;
pub mod document;
pub mod envoy;
pub mod explain;
pub mod gateway_api;
pub mod istio;
pub mod lacking;
pub mod lower;
pub mod manifest;
pub mod mesh;
pub mod native;
pub mod percent;
pub mod plain;
pub mod queries;
pub mod regex;
pub mod resources;
pub mod routes;
pub mod routing;
pub mod serialise;
pub mod sides;
pub mod simulate;
pub mod traffic;
pub mod windows;
pub mod words;
pub mod workers;

pub use aligned::aligned;

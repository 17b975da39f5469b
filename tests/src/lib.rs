//! What the tests across crates share: cases, the levels that they run at, and a small proxy-wasm host.
//!
//! A case is a request and what is to become of it (see `cases/README.md`). Every case runs natively through
//! `decide`, through the built module in the small host, through the same module in real Envoy, and through the native
//! module over a host in plain values and in real Envoy.

pub mod browser;
pub mod discovered;
pub mod echo;
pub mod fuzz;
pub mod host;
pub mod istio;
pub mod level;
pub mod mock;
pub mod native_fuzz;
pub mod prometheus;
pub mod random;
pub mod tls;
pub mod token;

pub use graylane_cases::{case, run};

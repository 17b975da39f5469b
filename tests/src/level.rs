//! The levels that a case runs at.

pub mod envoy;
pub mod hooks;
pub mod istio;
pub mod wasm;

pub use graylane_cases::level::{Claims, Level, Outcome, Request};
pub use graylane_cases::native;

//! What the tests across crates share: a small proxy-wasm host, cases, and the levels that cases run at.

pub mod host;

//! What becomes of a request in a proxy: the decision of [`graylane_decide`], carried out in one order over any [`Host`].
//!
//! | file | its subject |
//! |-|-|
//! | `host` | what a proxy has to offer |
//! | `request` | a request comes in: decide, edit, remember, tell, count |
//! | `active` | what a plugin runs with: a plan, or what is left without one |
//! | `in_memory` | a host without a proxy: `explain`, tests, fuzz |
//! | `mixer` | a hash for tables of series |
//!
//! The filter in WebAssembly and everything that works without a proxy share this, so that an effect, and the order of
//! effects, is written once. No I/O, no clock.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod active;
mod host;
pub mod in_memory;
mod mixer;
mod request;

pub use active::{Active, LastGood, Level, Setup};
pub use host::{Count, Headers, Host};
pub use mixer::Mixer;
pub use request::{Fate, handle, run, trailers};

//! Real Envoy processes: found, started, asked, and gone when their owner is.

pub mod config;
mod locate;
mod process;

pub use locate::locate;
pub use process::{Envoy, Options, dies_with_us};

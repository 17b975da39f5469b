//! Cases, and what plays them natively: the decision and the layer that carries it out, over a host in memory.
//!
//! A case is a request and what is to become of it (see `../README.md`). This crate compiles for browsers too, so that cases
//! are played in node by the same code (`tests/vectors`).

pub mod case;
pub mod claims;
pub mod level;
pub mod native;
pub mod play;
pub mod run;

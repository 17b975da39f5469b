//! The Istio resources of a file, and the folder that they are written into.

mod files;

pub use files::{write, write_marked};
pub use graylane_mesh::resources::*;

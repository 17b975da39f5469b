//! The Istio resources of a file, and the folder that they are written into.

mod files;

pub use files::write;
pub use graylane_mesh::resources::*;

//! The group of the Gateway API.

/// The group, without a version.
pub const GROUP: &str = "gateway.networking.k8s.io";

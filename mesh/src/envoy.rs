//! A file for Envoys without Istio: their filters and routes, in the files that Envoy watches (xDS from the filesystem).
//!
//! The routes are those of [`crate::routes`], from which VirtualServices are made as well; what Istio would add by default is
//! said at its place. Clusters stay the user's: only they know where pods are.
//!
//! | part | its subject |
//! |-|-|
//! | `conditions` | which requests a route is for |
//! | `actions` | what becomes of them: clusters, redirects, answers |
//! | `header_edits` | headers that are set, added and removed |
//! | `names` | what clusters are called |
//! | `ports` | at which ports a host is called |
//! | `virtual_hosts` | the names that callers use for a host |
//! | `routes` | route configurations: of sidecars, and of each gateway |
//! | `clusters` | the clusters that these lead to |
//! | `filters` | the filters of each role |
//! | `bootstrap` | what Envoy reads once, when it starts |
//! | `files` | all of it as files |
//! | `types` | types of Envoy's API |
//! | `lost` | what of a whole file Envoy alone cannot do |

mod actions;
mod bootstrap;
mod clusters;
mod conditions;
mod files;
mod filters;
mod header_edits;
mod lost;
mod names;
mod ports;
mod routes;
pub mod types;
mod virtual_hosts;

pub use bootstrap::stats_tags;
pub use clusters::{Cluster, clusters};
pub use files::files;
pub use filters::{Code, extension, router};
pub use names::cluster_name;
pub use routes::{gateway, outbound};
pub use virtual_hosts::entry;

/// How the files are written.
#[derive(Clone, Debug)]
pub struct Options {
    /// What runs the filters.
    pub code: Code,
    /// The cluster for hosts that are not of the file; none: Envoy answers 404.
    pub other_hosts: Option<String>,
}

#[cfg(test)]
mod tests;

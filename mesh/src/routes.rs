//! The routes of a file in one typed form that belongs to no API: what is written for Istio, what a Helm chart works out
//! of its values, and what the model of traffic reads.
//!
//! | part | its subject |
//! |-|-|
//! | `text` | conditions on texts |
//! | `matches` | which requests a rule is for |
//! | `edits` | which headers are removed, set and added |
//! | `rule` | one rule: matches, destinations with weights, edits, and what only Istio can say |
//! | `block` | a route of a service at one place, before its choice is known |
//! | `place` | where a route stands in the file |
//! | `hosts` | all routes of a host: inside the mesh, or at gateways |
//!
//! A block and its choice (pins and rollout) make rules ([`Block::rules`]). A Helm chart takes blocks instead, as its values
//! choose.

mod block;
mod edits;
mod hosts;
mod matches;
mod place;
mod rule;
mod text;

pub use block::Block;
pub use edits::Edits;
pub use hosts::{Attachment, HostRoutes, Shown, all, inside, shown};
pub use matches::Match;
pub use place::{HTTP, MATCH, Place};
pub use rule::{Rule, Target};
pub use text::Text;

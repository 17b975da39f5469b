//! What VirtualServices and DestinationRules do with a request: a model of Istio's semantics, without cluster and proxy.
//!
//! Two sets of resources are the same if they do the same with every request. That is tried on requests that are made of
//! their own literals, and on random mixes of them; what cannot be decided is said, never passed over.
//!
//! | part | its subject |
//! |-|-|
//! | `text` | Istio's StringMatch |
//! | `pattern` | regular expressions: does a text match, and which texts do |
//! | `matches` | HTTPMatchRequest |
//! | `rule` | one rule: what it matches, where it leads, its other fields |
//! | `delegate` | rules of a VirtualService that another one delegates to |
//! | `http_route` | HTTPRoutes of the Gateway API, as VirtualServices |
//! | `pods` | DestinationRules: what a subset is, and which policy holds |
//! | `virtual_service` | a VirtualService, or what istiod makes one of |
//! | `world` | all resources: which rules a host has, at a gateway or inside the mesh |
//! | `ours` | the same, of the routes of a file |
//! | `request` | one request |
//! | `answer` | the result: destinations and edits |
//! | `samples` | requests worth trying |
//! | `rival` | one of others for the same host |
//! | `rivals` | resources of others for the same hosts, and which of them Istio heeds |
//! | `gateway_api` | routes of the Gateway API for the same hosts |
//! | `compare` | two worlds, and the requests that distinguish them |

mod answer;
mod compare;
mod delegate;
mod gateway_api;
mod http_route;
mod matches;
mod names;
mod ours;
mod pattern;
mod pods;
mod request;
mod rival;
mod rivals;
mod rule;
mod samples;
mod text;
mod virtual_service;
mod world;

pub use answer::{Answer, Target};
pub use compare::{Difference, Report, compare};
pub use gateway_api::{is_of_gateway_api, is_route_of_gateway_api};
pub use matches::Match;
pub use names::{full_host, group_is_istio};
pub use pods::Subsets;
pub use request::{MESH, Request};
pub use rival::Rival;
pub use rivals::{applied, rivals, together};
pub use rule::{At, Destination, Rule};
pub use samples::requests;
pub use text::Text;
pub use virtual_service::VirtualService;
pub use world::{Rules, World, without_ours};

#[cfg(test)]
mod tests;

//! Routes of the Kubernetes Gateway API: what becomes of the routes of a file in HTTPRoutes.
//!
//! A VirtualService tries its rules in order. The Gateway API tries the most specific match first, whatever the order
//! ([`precedence`]), so rules are written with further matches where that would be another one ([`order`]).
//!
//! | part | its subject |
//! |-|-|
//! | `precedence` | which of several matches counts |
//! | `overlap` | which requests two matches have in common |
//! | `order` | matches that keep the order of the file |
//! | `rules` | the rules of a host, as few as the API's limits ask for |
//! | `split` | several routes where one has too many rules |
//! | `conditions` | matches, as the API writes them |
//! | `actions` | what becomes of a request: filters, timeouts, backends |
//! | `limits` | names and values that the schema of the API allows |
//! | `spec` | all routes of a host |
//! | `group` | its group |
//! | `lost` | what a file says that the API cannot express |

mod actions;
mod conditions;
mod group;
mod limits;
mod lost;
mod order;
mod overlap;
pub mod precedence;
mod rules;
mod spec;
mod split;

pub use group::GROUP;
pub use lost::lost;
pub use spec::{Route, of};

#[cfg(test)]
mod tests;

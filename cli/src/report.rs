//! `graylane report`: who went where with which tenant, where the tenant came from, and where a lane breaks.
//!
//! All of it from one counter of the filter, `graylane_requests_total`: of a Prometheus, or straight of Envoys.
//!
//! | part | its subject |
//! |-|-|
//! | `read` | decisions, out of Prometheus or Envoy |
//! | `map` | services and workloads, and the calls between them |
//! | `breaks` | where a lane breaks, in plain words |
//! | `unsticky` | who calls without users |
//! | `would` | what enforcing would change |
//! | `text` | the report for a terminal |
//! | `draw` | the drawing |
//! | `page` | the page around it |

mod breaks;
mod draw;
mod map;
mod page;
mod read;
mod text;
mod unsticky;
mod would;

pub use map::{Break, Call, Delivery, Flow, LaneMap, Node, Would};
pub use page::{content, drawing, live_page, page};
pub use read::{Decision, Decisions, of_envoy, of_prometheus};
pub use text::text;
pub use unsticky::{Unsticky, without_user};

use crate::mesh::Mesh;

impl LaneMap {
    /// Of decisions taken within so many minutes.
    #[must_use]
    pub fn of(mesh: &Mesh, decisions: &Decisions, minutes: f64) -> Self {
        let map = Self::without_breaks(mesh, decisions, minutes);
        Self { breaks: breaks::find(&map, mesh), would: would::find(&map, mesh, decisions), ..map }
    }
}

/// A number of requests a minute, as people write it: 95, 2.5, 0.03.
#[must_use]
pub fn number(value: f64) -> String {
    match value {
        value if value >= 9.95 || (value - value.round()).abs() < 0.005 => format!("{value:.0}"),
        value if value >= 0.095 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests;

//! `graylane demo`: the mesh of a file as real Envoy processes on loopback, with applications that misbehave, and
//! requests that show what becomes of them.
//!
//! | part | its subject |
//! |-|-|
//! | `app` | the applications, and how they lose headers |
//! | `testbed` | all pods and the gateway, up and wired |
//! | `places` | a port for each pod, and the clusters that lead to it |
//! | `discovery` | the service that offers the Envoys their routes and plugins |
//! | `journey` | one request through the mesh, hop by hop |
//! | `expect` | what the core says should become of it |
//! | `scenarios` | the journeys that are shown |
//! | `variants` | the same mesh with a file without services, and in mode observe |
//! | `crowd` | thousands of users |
//! | `table` | what is printed |
//! | `live` | the page of the report, as long as the demo is kept |

mod app;
mod cast;
mod crowd;
mod discovery;
mod expect;
mod journey;
mod live;
mod places;
mod row;
mod scenarios;
mod table;
mod testbed;
mod variants;

pub use app::{Forward, Visit};
pub use cast::{Cast, KeyOf};
pub use journey::{Entry, Journey};
pub use live::{Live, keep_moving};
pub use row::{Row, Stop};
pub use scenarios::run;
pub use table::render;
pub use testbed::{Setup, Testbed};

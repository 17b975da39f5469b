//! One request's real way, from access logs, beside the way that the file gives it.
//!
//! | part | its subject |
//! |-|-|
//! | `line` | a line of an access log, as Istio writes it with our fields: text or JSON, with what tools put before it |
//! | `join` | the lines of one request |
//! | `hops` | each call, and what the file says about it |
//! | `text` | what is printed |

mod hops;
mod join;
mod line;
mod text;

#[cfg(test)]
mod tests;

pub use hops::{Compared, Hop, Left, Trace};
pub use join::{id, join};
pub use line::{Line, read};
pub use text::text;

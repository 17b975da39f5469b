//! Git, by the command `git`: the revisions of files, and how the command is called.
//!
//! | part | its subject |
//! |-|-|
//! | `command` | one call: its environment, its limit, what it says |
//! | `revisions` | the commits that changed files, and the texts of then; only read |

mod command;
mod revisions;

pub use command::{Git, LIMIT, Secret};
pub use revisions::{Commit, MAX, Repository, Revision, Texts};

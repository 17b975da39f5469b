//! One user: which side of each rollout they are on, and when that changed, from the file's history in Git.
//!
//! | part | its subject |
//! |-|-|
//! | `history` | sides by revision, and what changed between two |
//! | `made` | how a file makes units |
//! | `text` | what is printed |

mod history;
mod made;
mod text;

pub use crate::git::{Commit, Repository};
pub use graylane_mesh::sides::{Side, Sides};
pub use history::{Change, History, Since, Skipped, Wrong, read};
pub use made::Made;
pub use text::text;

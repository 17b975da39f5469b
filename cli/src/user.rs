//! One user: which side of each rollout they are on, and when that changed, from the file's history in Git.
//!
//! | part | its subject |
//! |-|-|
//! | `git` | the revisions of files, as the command `git` has them |
//! | `history` | sides by revision, and what changed between two |
//! | `text` | what is printed |

mod git;
mod history;
mod text;

pub use git::{Commit, Repository};
pub use graylane_mesh::sides::{Side, Sides};
pub use history::{Change, History, Since, Skipped};
pub use text::text;

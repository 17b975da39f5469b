//! A rollout, step by step: the file is where its state is. People own the file, so an edit changes the bytes of the
//! weights and nothing else, and every edit is read back and compared before it is written.
//!
//! | part | its subject |
//! |-|-|
//! | `edit` | bytes of files: what to replace, and where something can be put in |
//! | `change` | an edit of a rollout, checked, and who moves by it |
//! | `promote` | the canary becomes the baseline, and nobody moves |
//! | `moved` | two versions of a file: who moves though nobody meant it |
//! | `steps` | where a rollout stands, and what comes next |
//! | `evidence`, `judge` | is the canary worse, and how sure is it |
//! | `apply` | what a file says, brought into the mesh |
//! | `run` | all of it, step by step |
//! | `journal` | the log, from which a run goes on that was killed |

pub mod apply;
mod change;
mod edit;
pub mod evidence;
pub mod journal;
pub mod judge;
mod moved;
mod promote;
pub mod run;
mod steps;

pub use change::{Change, Desk};
pub use moved::against;
pub use promote::{Promotion, next_salt};
pub use steps::{Standing, skipped};

#[cfg(test)]
mod tests;

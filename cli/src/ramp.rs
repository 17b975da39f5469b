//! A rollout, step by step: the file is where its state is. People own the file, so an edit changes the bytes of the
//! weights and nothing else, and every edit is read back and compared before it is written.
//!
//! | part | its subject |
//! |-|-|
//! | `edit` | bytes of files: what to replace, and where something can be put in |
//! | `change` | an edit of a rollout, checked, and who moves by it |
//! | `promote` | the canary becomes the baseline, and no user is reassigned |
//! | `reassigned` | two versions of a file: users who are reassigned without a change of weight that asks for it |
//! | `steps` | where a rollout stands, and what comes next |
//! | `evidence`, `judge` | is the canary worse, and how sure is it |
//! | `figures` | what was counted, as far as it is known |
//! | `apply` | what a file says, brought into the mesh |
//! | `watch` | a step under way: verdicts, and what follows |
//! | `run` | all of it, step by step |
//! | `journal` | the log, from which a run goes on that was killed |
//! | `resume` | may it go on, or did a person say something else |
//! | `lock`, `write`, `pending` | one edit at a time, whole or not at all |
//! | `abort` | off with the canary, whatever else is wrong with the files |

mod abort;
pub mod apply;
mod change;
mod edit;
pub mod evidence;
mod figures;
pub mod journal;
pub mod judge;
mod lock;
mod pending;
mod promote;
mod reassigned;
mod resume;
pub mod run;
mod steps;
mod watch;
mod write;

pub use abort::{Aborted, abort};
pub use change::{Change, Desk, Opened};
pub use lock::{Lock, only_run};
pub use promote::{Promotion, next_salt};
pub use reassigned::against;
pub use steps::{Standing, skipped};

#[cfg(test)]
mod tests;

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
//! | `shell` | a command, and the end of all that it started |
//! | `watch` | a step under way: verdicts, and what follows |
//! | `run` | all of it, step by step |
//! | `past`, `ahead`, `clear` | approvals, windows, hooks and the point of no return |
//! | `journal` | the log, from which a run goes on that was killed |
//! | `resume` | may it go on, or did a person say something else |
//! | `next` | the commands that messages name |
//! | `lock`, `write`, `pending` | one edit at a time, whole or not at all |
//! | `git` | each step a commit that is pushed |
//! | `runner`, `turns` | one run of a service at a time |
//! | `cluster`, `synced`, `kubectl` | what a cluster says |
//! | `abort` | off with the canary, whatever else is wrong with the files |

mod abort;
mod ahead;
pub mod apply;
mod change;
mod clear;
pub mod cluster;
mod edit;
pub mod evidence;
mod figures;
pub mod git;
pub mod journal;
pub mod judge;
pub mod kubectl;
mod lock;
mod next;
mod past;
mod pending;
mod promote;
mod reassigned;
mod resume;
pub mod run;
pub mod runner;
pub mod shell;
mod steps;
pub mod synced;
mod turns;
mod watch;
mod write;

pub use abort::{Aborted, abort};
pub use ahead::{Ahead, Hook, leaves};
pub use change::{Change, Desk, Opened};
pub use lock::{Lock, only_run};
pub use next::Next;
pub use promote::{Promotion, next_salt};
pub use reassigned::against;
pub use steps::{Standing, skipped};

#[cfg(test)]
mod bank_tests;
#[cfg(test)]
mod tests;

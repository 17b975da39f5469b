//! What a graylane file means, for JavaScript: the package `@graylane/core`, and the page of the playground.
//!
//! Each part takes and returns plain values; what they look like is what `--output json` of the command line prints, and
//! comes from the same types. `exports` is the only part that knows of JavaScript.
//!
//! | part | its subject |
//! |-|-|
//! | `file` | texts of files, read and checked |
//! | `failure` | why something cannot be done |
//! | `request` | a request to be explained |
//! | `render` | the Istio resources of a file |
//! | `simulate` | who moves when weights change |
//! | `crowd` | single users before and after |
//! | `outline` | what there is in a file |
//! | `sticky` | the sticky algorithm by itself |
//! | `exports` | all of it as functions of JavaScript |

pub mod crowd;
mod exports;
pub mod failure;
pub mod file;
pub mod outline;
pub mod render;
pub mod request;
pub mod simulate;
pub mod sticky;

#[cfg(test)]
mod tests;

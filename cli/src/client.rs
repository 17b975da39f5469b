//! What a file says to applications outside of the mesh, as data and as code.
//!
//! | part | its subject |
//! |-|-|
//! | `contract` | what an application may know of a file, and nothing else of it |
//! | `origin` | the addresses that get the headers |
//! | `code` | the contract as TypeScript, Kotlin or Swift, by the templates beside it |
//! | `fill` | values and optional lines of a template |
//! | `names` | tenants as names of constants |
//! | `noticed` | what a released application would notice of another contract |

mod code;
mod contract;
mod fill;
mod names;
mod noticed;
mod origin;

pub use code::{Language, code};
pub use contract::{Contract, Key, closed, read};
pub use noticed::{Noticed, noticed};
pub use origin::{Origin, origins};

#[cfg(test)]
mod tests;

//! The filter that this program was built with.

use anyhow::{Result, bail};

/// The module of `make wasm`, if it was there when this program was built.
static MODULE: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/module.rs"));

/// The filter's module.
///
/// # Errors
/// When this program was built without it.
pub fn module() -> Result<&'static [u8]> {
    match MODULE {
        Some(module) => Ok(module),
        None => bail!(
            "this graylane was built without its filter: run `make wasm` in the checkout, then build it again"
        ),
    }
}

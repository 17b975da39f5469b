//! Where Envoy is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

/// Where `make envoy` puts it, below the checkout.
const IN_CHECKOUT: &str = ".tools/envoy/envoy";

/// `$ENVOY`, else `envoy` on PATH, else the checkout's own.
///
/// # Errors
/// When there is none, or `$ENVOY` is not one.
pub fn locate() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from) {
        ensure!(path.is_file(), "$ENVOY is `{}`, which is not a file", path.display());
        return Ok(path);
    }
    let on_path =
        env::var_os("PATH").into_iter().flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>());
    if let Some(envoy) = on_path.map(|folder| folder.join("envoy")).find(|envoy| envoy.is_file()) {
        return Ok(envoy);
    }
    // The checkout is above the program (target/release/graylane), or above the folder one stands in.
    let places = [env::current_exe().ok(), env::current_dir().ok()];
    let above = places.iter().flatten().flat_map(|place| place.ancestors());
    match above.map(|folder: &Path| folder.join(IN_CHECKOUT)).find(|envoy| envoy.is_file()) {
        Some(envoy) => Ok(envoy),
        None => {
            bail!("no Envoy found: set $ENVOY, put `envoy` on PATH, or run `make envoy` in the checkout")
        }
    }
}

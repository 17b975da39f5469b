//! Takes what was built elsewhere into the program, if it is there: the filter (`make wasm`) and the playground's page
//! (`make playground`), out of dist/, or out of the package, where `make publish` puts them.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    for (name, include, to) in
        [("graylane.wasm", "include_bytes", "module.rs"), ("playground.html", "include_str", "page.rs")]
    {
        let file = found(&package, name);
        let expression = file.map_or("None".to_owned(), |file| format!("Some({include}!({file:?}))"));
        fs::write(out.join(to), expression).expect("OUT_DIR can be written");
    }
}

/// Where it is: as built here, or in the package, which has no dist/ beside it. A copy that an interrupted `make publish` left must
/// not win over what was built since. Cargo takes a path that is not there for changed, and compiles the program again each time: as
/// long as a file is missing, its folder is what is watched.
fn found(package: &Path, name: &str) -> Option<PathBuf> {
    let (packed, dist) = (package.join(name), package.join("../dist"));
    let file = if dist.is_dir() { dist.join(name) } else { packed };
    let watched = if file.is_file() || !dist.is_dir() { &file } else { &dist };
    println!("cargo::rerun-if-changed={}", watched.display());
    file.is_file().then_some(file)
}

//! Takes the filter into the program, if `make wasm` has left it in dist/, or `make publish` in the package.

use std::path::Path;
use std::{env, fs};

fn main() {
    let package = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let packed = Path::new(&package).join("graylane.wasm");
    let module = if packed.is_file() { packed } else { Path::new(&package).join("../dist/graylane.wasm") };
    println!("cargo::rerun-if-changed={}", module.display());
    let expression =
        if module.is_file() { format!("Some(include_bytes!({module:?}))") } else { "None".to_owned() };
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("module.rs"), expression).expect("OUT_DIR can be written");
}

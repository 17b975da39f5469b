//! How the shared object is linked.
//!
//! Envoy may unload a module whose last configuration is gone. The memory and the thread that tells of counters must outlive
//! that, whatever the configuration says about it.
//!
//! Rust's standard library unwinds by `libgcc_s.so.1`, which an image has that was made for C++. Envoy brings its own, so images
//! with a proxy and little else may lack it, and no module that asks for it is loaded there. Its static half does as well: under
//! the name that the standard library asks for, there is a linker script that points to the static half.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
        std::fs::write(folder.join("libgcc_s.so"), "INPUT(-lgcc_eh)\n").expect("cargo's folder");
        println!("cargo:rustc-cdylib-link-arg=-L{}", folder.display());
    }
}

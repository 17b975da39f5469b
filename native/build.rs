//! Envoy may unload a module whose last configuration is gone. The memory and the thread that tells of counters must
//! outlive that, whatever the configuration says about it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

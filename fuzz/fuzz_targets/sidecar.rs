//! See `tests/src/fuzz/sidecar.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sidecar::sidecar(data));

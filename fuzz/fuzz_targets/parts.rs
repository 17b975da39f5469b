//! See `tests/src/fuzz/parts.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::parts::parts(data));

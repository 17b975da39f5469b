//! See `tests/src/fuzz/configuration.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::configuration::configuration(data));

//! See `tests/src/fuzz/memory.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::memory::memory(data));

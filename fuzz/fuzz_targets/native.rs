//! See `tests/src/native_fuzz.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;
#[path = "../../tests/src/mock.rs"]
mod mock;
#[path = "../../tests/src/native_fuzz.rs"]
mod native_fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| native_fuzz::native(data));

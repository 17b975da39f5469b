//! No input at the edge gets a tenant that no rule gave; see `tests/src/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| graylane_tests::fuzz::edge(data));

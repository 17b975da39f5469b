//! Elsewhere than in WebAssembly there is no host: the workspace builds natively, and every call is refused. Tests may
//! give it headers; then it hands them over, and takes metrics and filter state.
#![allow(clippy::too_many_arguments)]

use std::cell::Cell;

type Out = *mut *mut u8;

/// `WasmResult::InternalFailure`.
const REFUSED: u32 = 10;

thread_local! {
    /// Header pairs of the request, encoded; empty: there is no host.
    pub static HEADERS: Cell<&'static [u8]> = const { Cell::new(&[]) };
}

macro_rules! refused {
    ($($name:ident($($kind:ty),*) -> $result:ty;)*) => {
        $(pub unsafe fn $name($(_: $kind),*) -> $result { 10 })*
    };
}

macro_rules! taken {
    ($($name:ident($($kind:ty),*);)*) => {
        $(pub unsafe fn $name($(_: $kind),*) -> u32 { if HEADERS.get().is_empty() { REFUSED } else { 0 } })*
    };
}

refused! {
    proxy_log(u32, *const u8, usize) -> u32;
    proxy_get_current_time_nanoseconds(*mut u64) -> u32;
    proxy_get_buffer_bytes(u32, usize, usize, Out, *mut usize) -> u32;
    proxy_replace_header_map_value(u32, *const u8, usize, *const u8, usize) -> u32;
    proxy_remove_header_map_value(u32, *const u8, usize) -> u32;
    proxy_get_property(*const u8, usize, Out, *mut usize) -> u32;
    proxy_get_shared_data(*const u8, usize, Out, *mut usize, *mut u32) -> u32;
    proxy_set_shared_data(*const u8, usize, *const u8, usize, u32) -> u32;
    proxy_record_metric(u32, u64) -> u32;
    proxy_send_local_response(u32, *const u8, usize, *const u8, usize, *const u8, usize, i32) -> u32;
    random_get(*mut u8, usize) -> u16;
}

taken! {
    proxy_set_property(*const u8, usize, *const u8, usize);
    proxy_define_metric(u32, *const u8, usize, *mut u32);
    proxy_increment_metric(u32, i64);
}

pub unsafe fn proxy_get_header_map_pairs(_: u32, data: Out, size: *mut usize) -> u32 {
    let headers = HEADERS.get();
    if headers.is_empty() {
        return REFUSED;
    }
    let place = Box::into_raw(headers.to_vec().into_boxed_slice());
    // SAFETY: the caller's pointers are valid for writes.
    unsafe {
        *data = place.cast();
        *size = headers.len();
    }
    0
}

//! The functions of the proxy-wasm ABI 0.2.1 that graylane calls.
//!
//! They are declared here because `proxy_wasm::hostcalls` panics on statuses that it does not expect, takes a status that
//! it does not know for one of an enum, and copies each header into two strings. Here every status other than "ok"
//! becomes `None` or `false`: there is no host error that a request could be failed for.
//!
//! Costs, measured in Envoy: a call 50 to 150 ns; one that returns bytes 440 ns more, whatever their size, because
//! the host calls back into the VM to allocate.

use std::ptr;

use graylane_decide::memory::cas::Write;

/// Of `WasmResult` in proxy-wasm-cpp-host/include/proxy-wasm/wasm_api_impl.h.
const OK: u32 = 0;
const CAS_MISMATCH: u32 = 8;

/// `WasmHeaderMapType`.
#[derive(Clone, Copy)]
pub enum Map {
    /// Headers of the request.
    RequestHeaders = 0,
    /// Trailers of the request.
    RequestTrailers = 1,
}

/// `WasmBufferType::PluginConfiguration`.
const PLUGIN_CONFIGURATION: u32 = 7;

#[cfg(target_arch = "wasm32")]
mod sys {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_get_buffer_bytes(
            kind: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            value: *const u8,
            value_size: usize,
            cas: u32,
        ) -> u32;
        pub fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub fn random_get(data: *mut u8, size: usize) -> u16;
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
mod sys;

#[cfg(test)]
pub use sys::HEADERS;

/// What the host has put into our memory, at a place that it got from `proxy_on_memory_allocate` of the crate proxy-wasm.
fn owned(status: u32, data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if status != OK {
        return None;
    }
    if data.is_null() || size == 0 {
        return Some(Vec::new());
    }
    // SAFETY: that allocator hands out boxed slices of exactly `size` bytes (its allocator.rs); the host has written all
    // of them, and gives them to us alone.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// The plugin's configuration, as Envoy has it.
pub fn configuration() -> Option<Vec<u8>> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: both are valid for writes.
    let status = unsafe {
        sys::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, &raw mut data, &raw mut size)
    };
    owned(status, data, size)
}

/// All pairs of a map, in the ABI's encoding; see `pairs`.
pub fn pairs(map: Map) -> Option<Vec<u8>> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: both are valid for writes.
    let status = unsafe { sys::proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
    owned(status, data, size)
}

/// Replaces all lines of a request header by one. Under this ABI any change makes Envoy pick the route again.
pub fn set_request_header(name: &[u8], value: &[u8]) {
    // SAFETY: both slices are valid for reads. A refusal leaves the request as it was, which is all that can be done.
    let _ = unsafe {
        sys::proxy_replace_header_map_value(
            Map::RequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
}

/// Removes all lines of a name from a map.
pub fn remove(map: Map, name: &[u8]) {
    // SAFETY: as above.
    let _ = unsafe { sys::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
}

/// A property; the parts of its path are joined by NUL. None where it does not exist.
pub fn property(path: &[u8]) -> Option<Vec<u8>> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the path is valid for reads, the others for writes.
    let status = unsafe { sys::proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    owned(status, data, size)
}

/// Writes filter state `wasm.<name>` of the stream, as bytes.
pub fn set_state(name: &str, value: &str) {
    // SAFETY: both slices are valid for reads. Refused where there is no stream; then it is not read either.
    let _ = unsafe { sys::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// A value of the process-wide shared data, and its compare-and-set number.
pub fn shared_data(key: &[u8]) -> Option<(Vec<u8>, u32)> {
    let (mut data, mut size, mut cas) = (ptr::null_mut(), 0, 0);
    // SAFETY: the key is valid for reads, the others for writes.
    let status = unsafe {
        sys::proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut size, &raw mut cas)
    };
    owned(status, data, size).map(|value| (value, cas))
}

/// Writes a value of the shared data if its number is still `cas`.
pub fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> Write {
    // SAFETY: both slices are valid for reads.
    match unsafe { sys::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) } {
        OK => Write::Done,
        CAS_MISMATCH => Write::Changed,
        _ => Write::Refused,
    }
}

/// What a metric does.
#[derive(Clone, Copy)]
pub enum Metric {
    /// Only grows.
    Counter = 0,
    /// Is set.
    Gauge = 1,
}

/// Defines a metric. Each call takes a new id, also for a name that exists: keep it.
pub fn define_metric(kind: Metric, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name is valid for reads, the id for writes.
    let status = unsafe { sys::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Adds to a counter.
pub fn increment_metric(id: u32, by: u32) {
    // SAFETY: numbers only. A refusal loses one count.
    let _ = unsafe { sys::proxy_increment_metric(id, i64::from(by)) };
}

/// Sets a gauge.
pub fn record_metric(id: u32, value: u64) {
    // SAFETY: as above.
    let _ = unsafe { sys::proxy_record_metric(id, value) };
}

/// Milliseconds since 1970.
pub fn now() -> Option<u64> {
    let mut nanoseconds = 0u64;
    // SAFETY: valid for writes.
    let status = unsafe { sys::proxy_get_current_time_nanoseconds(&raw mut nanoseconds) };
    (status == OK).then_some(nanoseconds / 1_000_000)
}

/// Random bits; not for keys of cryptography.
pub fn random() -> Option<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: valid for writes of eight bytes.
    let status = unsafe { sys::random_get(bytes.as_mut_ptr(), bytes.len()) };
    (status == 0).then_some(u64::from_ne_bytes(bytes))
}

/// Answers the request here; false if the host would not. A gRPC caller gets the gRPC status instead.
pub fn reply(status: u32, details: &str, body: &str, grpc_status: u32) -> bool {
    // One pair, in the ABI's encoding.
    const HEADERS: &[u8] = b"\x01\0\0\0\x0c\0\0\0\x10\0\0\0content-type\0application/json\0";
    // SAFETY: all slices are valid for reads.
    let result = unsafe {
        sys::proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            HEADERS.as_ptr(),
            HEADERS.len(),
            grpc_status.cast_signed(),
        )
    };
    result == OK
}

/// Writes a line to Envoy's log; levels are those of the ABI's `LogLevel`.
pub fn log(level: u32, message: &str) {
    // SAFETY: the message is valid for reads.
    let _ = unsafe { sys::proxy_log(level, message.as_ptr(), message.len()) };
}

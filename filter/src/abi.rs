//! The entry points: everything that the host calls (proxy-wasm ABI 0.2.1), and nothing that it would call for
//! nothing. Each stays a few lines; no argument that a host may pass can trap the VM.
//!
//! A stream's end is no entry point, or every request would pay for one more way into the VM; see [`crate::contexts`].

use graylane_serve::Fate;

use crate::bytes;
use crate::contexts;
use crate::envoy::{self, Envoy};
use crate::host;

/// `FilterHeadersStatus`: go on.
const CONTINUE: u32 = 0;
/// `FilterHeadersStatus`: the request ends here.
const STOP: u32 = 1;

/// Which ABI this is: the host looks for the name.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// The module comes to life: once, before everything else.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    #[cfg(target_arch = "wasm32")]
    {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker defines it in every module. Called here, it is not called again around each export.
        unsafe { __wasm_call_ctors() };
    }
}

/// A place for bytes that the host is about to return. It calls this from within our calls to it.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    bytes::allocate(size)
}

/// A plugin (without a parent) or one of its streams.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    if parent != 0 {
        contexts::opened(id, parent);
    }
}

/// A plugin's configuration comes in, its first or another. Never refused.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(id: u32, _size: u32) -> u32 {
    contexts::keep_living(|root| host::is_alive(root, id));
    contexts::configured(id, envoy::load());
    1
}

/// A request comes in.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(id: u32, _count: u32, _end_of_stream: u32) -> u32 {
    match contexts::of_stream(id) {
        Some(active) if graylane_serve::handle(&active, &mut Envoy) == Fate::Answered => STOP,
        _ => CONTINUE,
    }
}

/// A request's trailers come in. Envoy calls this for requests that have some, so that all others pay nothing.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_trailers(id: u32, _count: u32) -> u32 {
    if let Some(active) = contexts::of_stream(id) {
        graylane_serve::trailers(&active, &mut Envoy);
    }
    CONTINUE
}

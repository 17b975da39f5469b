//! What Envoy calls (`envoy_dynamic_module_on_…` of abi.h). A panic ends here, and Envoy lives.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use graylane_serve::{Fate, Level};

use crate::abi::{self, Config, Stream, Theirs};
use crate::host::{self, Active};
use crate::plugin::Plugin;

/// The status of every hook of a stream: go on.
const CONTINUE: u32 = 0;
/// `envoy_dynamic_module_type_on_http_filter_request_headers_status`: the request ends here.
const STOP: u32 = 1;

/// None: it panicked, which the log says.
fn guarded<T>(hook: &str, act: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves behind is checked when it is read (slots), or counts that were not told.
    catch_unwind(AssertUnwindSafe(act))
        .inspect_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            abi::log(Level::Error, &format!("graylane: {hook} failed: {text}"));
        })
        .ok()
}

/// What becomes of a request if that panics: it passes, at a gateway once everything of ours is taken off. None: that
/// failed as well.
fn survive(active: &Active, run: impl Fn(&Active) -> Fate) -> Option<Fate> {
    guarded("a request", || run(active)).or_else(|| {
        guarded("closing", || match active.closed() {
            Some(closed) => run(&closed),
            None => Fate::Passed,
        })
    })
}

/// The module is loaded: once, before everything else. Null refuses.
#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    match guarded("loading", abi::connect) {
        Some(true) => abi::version().as_ptr(),
        _ => ptr::null(),
    }
}

/// A filter's configuration comes in. Null refuses, which only a panic does.
///
/// # Safety
/// As Envoy calls it: `config` lives until the next hook but this was called with what this gives, name and text do during
/// the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: *mut c_void,
    name: Theirs,
    text: Theirs,
) -> *const c_void {
    // SAFETY: Envoy holds both during the call.
    let (name, text) = unsafe { (name.bytes(), text.bytes()) };
    let plugin = guarded("a configuration", || {
        // SAFETY: a configuration of Envoy's, which `…_config_destroy` ends.
        let config = unsafe { Config::new(config) }?;
        Some(Box::new(Plugin::load(config, name, text)))
    });
    plugin.flatten().map_or(ptr::null(), |plugin| Box::into_raw(plugin).cast_const().cast())
}

/// A filter's configuration is gone, and with it all streams that ran with it.
///
/// # Safety
/// As Envoy calls it: once, with what `…_config_new` gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(plugin: *const c_void) {
    guarded("the end of a configuration", || {
        // SAFETY: made by `…_config_new`, handed back once.
        let plugin = unsafe { Box::from_raw(plugin.cast_mut().cast::<Plugin>()) };
        plugin.end();
    });
}

/// A stream begins. It needs nothing of its own: it is its configuration.
#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_new(
    plugin: *const c_void,
    _stream: *mut c_void,
) -> *const c_void {
    plugin
}

/// A request comes in.
///
/// # Safety
/// As Envoy calls it: with a stream, and what `…_http_filter_new` gave for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    stream: *mut c_void,
    plugin: *const c_void,
    _end_of_stream: bool,
) -> u32 {
    let lent = Cell::new(false);
    // SAFETY: Envoy ends a configuration after its last stream; `lent` is of this call.
    let (plugin, stream) = unsafe { (&*plugin.cast::<Plugin>(), Stream::new(stream, &lent)) };
    let Some(stream) = stream else { return CONTINUE };
    match survive(&plugin.active, |active| host::headers(active, stream)) {
        Some(Fate::Passed) => CONTINUE,
        Some(Fate::Answered) => STOP,
        None => {
            stream.reply(500, "", "graylane");
            STOP
        }
    }
}

/// A request's trailers come in.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    stream: *mut c_void,
    plugin: *const c_void,
) -> u32 {
    let lent = Cell::new(false);
    // SAFETY: as above.
    let (plugin, stream) = unsafe { (&*plugin.cast::<Plugin>(), Stream::new(stream, &lent)) };
    if let Some(stream) = stream {
        guarded("trailers", || host::trailers(&plugin.active, stream));
    }
    CONTINUE
}

/// Envoy's main thread was woken by `Config::wake`.
///
/// # Safety
/// As Envoy calls it: with what `…_config_new` gave, before it ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    _config: *mut c_void,
    plugin: *const c_void,
    _event: u64,
) {
    // SAFETY: Envoy has the configuration in its hands.
    let plugin = unsafe { &*plugin.cast::<Plugin>() };
    guarded("counting", || plugin.scheduled());
}

macro_rules! nothing {
    ($($name:ident($($kind:ty),*) $(-> $result:ty)?;)*) => { $(
        /// Envoy does not load a module without it.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($(_: $kind),*) $(-> $result)? { $(CONTINUE as $result)? }
    )* };
}

nothing! {
    envoy_dynamic_module_on_http_filter_destroy(*const c_void);
    envoy_dynamic_module_on_http_filter_request_body(*mut c_void, *const c_void, bool) -> u32;
    envoy_dynamic_module_on_http_filter_response_headers(*mut c_void, *const c_void, bool) -> u32;
    envoy_dynamic_module_on_http_filter_response_body(*mut c_void, *const c_void, bool) -> u32;
    envoy_dynamic_module_on_http_filter_response_trailers(*mut c_void, *const c_void) -> u32;
    envoy_dynamic_module_on_http_filter_stream_complete(*mut c_void, *const c_void);
    envoy_dynamic_module_on_http_filter_http_callout_done(*mut c_void, *const c_void, u64, u32, *mut c_void, usize, *mut c_void, usize);
    envoy_dynamic_module_on_http_filter_http_stream_headers(*mut c_void, *const c_void, u64, *mut c_void, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_data(*mut c_void, *const c_void, u64, *const c_void, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_trailers(*mut c_void, *const c_void, u64, *mut c_void, usize);
    envoy_dynamic_module_on_http_filter_http_stream_complete(*mut c_void, *const c_void, u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(*mut c_void, *const c_void, u64, u32);
    envoy_dynamic_module_on_http_filter_scheduled(*mut c_void, *const c_void, u64);
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(*mut c_void, *const c_void);
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(*mut c_void, *const c_void);
}

#[cfg(test)]
mod tests {
    use graylane_decide::Sanitiser;

    use super::*;

    #[test]
    fn a_panic_opens_a_sidecar_and_closes_a_gateway() {
        let plan_panics = |active: &Active| match active {
            Active::Open => panic!("on purpose"),
            _ => Fate::Passed,
        };
        assert_eq!(survive(&Active::Open, plan_panics), Some(Fate::Passed));
        let seen = Cell::new(0);
        let first_panics = |active: &Active| {
            seen.set(seen.get() + 1);
            assert!(seen.get() > 1, "on purpose");
            assert!(matches!(active, Active::Closed(_)));
            Fate::Passed
        };
        let gateway = || Active::Closed(Sanitiser::new("tenant", &[]));
        assert_eq!(survive(&gateway(), first_panics), Some(Fate::Passed));
        assert_eq!(seen.get(), 2, "once more, closed");
        assert_eq!(survive(&gateway(), |_| panic!("on purpose")), None, "not even that");
    }
}

//! What Envoy offers a dynamic module, as far as graylane calls it: our own declarations of
//! `source/extensions/dynamic_modules/abi/abi.h`, read at Envoy 1.39.1 (ABI v0.1.0) and 1.40.0 (v0.2.0), in which these
//! are the same, and a safe layer over them.
//!
//! Nothing is linked: each function is looked up by its name when the module is loaded, so that an Envoy which lacks one
//! refuses the module with a line that says so, instead of dying at the first call.

mod config;

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::OnceLock;

use graylane_serve::{Headers, Level};

pub(crate) use config::Config;

/// The version of the ABI that this module tells Envoy: of the two that it was read at, and that are the same to it, the
/// one that this Envoy has. Envoy itself warns of any other, and refuses none.
pub(crate) fn version() -> &'static CStr {
    // Came with v0.2.0.
    if find(c"envoy_dynamic_module_callback_http_set_filter_state_value").is_null() {
        c"v0.1.0"
    } else {
        c"v0.2.0"
    }
}

/// A function of Envoy's by its name, or null.
fn find(name: &CStr) -> *mut c_void {
    // SAFETY: a name, and the handle that means all objects that were loaded globally, the program among them. Envoy
    // exports its functions under names that nothing else has.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) }
}

/// Bytes of ours that Envoy reads during a call (`envoy_dynamic_module_type_module_buffer`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ours {
    data: *const u8,
    size: usize,
}

impl Ours {
    const NONE: Self = Self { data: ptr::null(), size: 0 };

    fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// What they are, for a host that is written in Rust.
    ///
    /// # Safety
    /// The call that they came with is not over.
    #[must_use]
    pub unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        // SAFETY: made of a slice, which the caller says is alive.
        (!self.data.is_null()).then(|| unsafe { std::slice::from_raw_parts(self.data, self.size) })
    }
}

/// Bytes of Envoy's (`envoy_dynamic_module_type_envoy_buffer`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Theirs {
    data: *const u8,
    size: usize,
}

impl Theirs {
    const NONE: Self = Self { data: ptr::null(), size: 0 };

    /// Of a host that is written in Rust.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// What they are.
    ///
    /// # Safety
    /// Envoy still holds them and does not change them.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: Envoy's promise of a pointer to so many bytes, and the caller's that they are still there.
        if self.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.size) } }
    }
}

/// A header line of Envoy's (`envoy_dynamic_module_type_envoy_http_header`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Line {
    /// Its name.
    pub name: Theirs,
    /// Its value.
    pub value: Theirs,
}

/// A header line of ours (`envoy_dynamic_module_type_module_http_header`).
#[repr(C)]
pub struct OurLine {
    /// Its name.
    pub name: Ours,
    /// Its value.
    pub value: Ours,
}

/// `envoy_dynamic_module_type_http_header_type`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// Headers of the request.
    RequestHeaders = 0,
    /// Trailers of the request.
    RequestTrailers = 1,
}

/// `envoy_dynamic_module_type_attribute_id`, as far as we ask.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Attribute {
    /// `source.address`.
    SourceAddress = 24,
    /// `destination.port`.
    DestinationPort = 27,
    /// `connection.dns_san_peer_certificate`.
    DnsSanPeer = 35,
    /// `connection.uri_san_peer_certificate`.
    UriSanPeer = 37,
    /// `xds.route_name`.
    RouteName = 61,
}

macro_rules! calls {
    ($($name:ident: $link:literal ($($argument:ty),*) $(-> $result:ty)?,)*) => {
        /// Envoy's functions.
        #[allow(missing_docs)]
        pub struct Calls { $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)* }

        impl Calls {
            /// Each by its name; the names of those that are lacking, if any are.
            ///
            /// # Safety
            /// `find` gives functions of these names with the signatures that abi.h declares, or null.
            unsafe fn find(find: impl Fn(&CStr) -> *mut c_void) -> Result<Self, Vec<&'static str>> {
                let mut lacking = Vec::new();
                $(
                    let name = concat!("envoy_dynamic_module_callback_", $link, "\0");
                    let $name = CStr::from_bytes_with_nul(name.as_bytes()).map_or(ptr::null_mut(), &find);
                    if $name.is_null() {
                        lacking.push($link);
                    }
                )*
                if !lacking.is_empty() {
                    return Err(lacking);
                }
                Ok(Self { $(
                    // SAFETY: not null, and of this signature, as the caller guarantees.
                    $name: unsafe {
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>($name)
                    },
                )* })
            }
        }
    };
}

calls! {
    log: "log"(u32, Ours),
    headers_size: "http_get_headers_size"(*mut c_void, u32) -> usize,
    headers: "http_get_headers"(*mut c_void, u32, *mut Line) -> bool,
    set_header: "http_set_header"(*mut c_void, u32, Ours, Ours) -> bool,
    clear_route: "http_clear_route_cache"(*mut c_void),
    set_state: "http_set_filter_state_bytes"(*mut c_void, Ours, Ours) -> bool,
    state: "http_get_filter_state_bytes"(*mut c_void, Ours, *mut Theirs) -> bool,
    text: "http_filter_get_attribute_string"(*mut c_void, u32, *mut Theirs) -> bool,
    cluster_name: "http_get_cluster_name"(*mut c_void, *mut Theirs) -> bool,
    number: "http_filter_get_attribute_int"(*mut c_void, u32, *mut u64) -> bool,
    respond: "http_send_response"(*mut c_void, u32, *const OurLine, usize, Ours, Ours),
    respond_headers: "http_send_response_headers"(*mut c_void, *const OurLine, usize, bool),
    define_counter: "http_filter_config_define_counter"(*mut c_void, Ours, *const Ours, usize, *mut usize) -> u32,
    define_gauge: "http_filter_config_define_gauge"(*mut c_void, Ours, *const Ours, usize, *mut usize) -> u32,
    set_gauge: "http_filter_config_set_gauge"(*mut c_void, usize, *const Ours, usize, u64) -> u32,
    add: "http_filter_config_increment_counter"(*mut c_void, usize, *const Ours, usize, u64) -> u32,
    scheduler_new: "http_filter_config_scheduler_new"(*mut c_void) -> *mut c_void,
    scheduler_commit: "http_filter_config_scheduler_commit"(*mut c_void, u64),
    scheduler_delete: "http_filter_config_scheduler_delete"(*mut c_void),
}

static CALLS: OnceLock<Calls> = OnceLock::new();

/// Looks up what Envoy offers; false where something that we need is lacking, which is then said on standard error.
pub(crate) fn connect() -> bool {
    if CALLS.get().is_some() {
        return true;
    }
    // SAFETY: of the signatures that abi.h declares in all versions that have all of them; see above.
    match unsafe { Calls::find(find) } {
        Ok(calls) => CALLS.set(calls).is_ok(),
        Err(lacking) => {
            eprintln!(
                "graylane: this Envoy cannot run the native module: it lacks {} (Envoy 1.39 or newer has them); \
                 use the filter in WebAssembly here",
                lacking.join(", ")
            );
            false
        }
    }
}

/// Takes another host's functions instead of Envoy's; false if there are some already.
pub fn connect_to(calls: Calls) -> bool {
    CALLS.set(calls).is_ok()
}

/// Writes a line to Envoy's log.
pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    if let Some(calls) = CALLS.get() {
        // SAFETY: the line is read during the call.
        unsafe { (calls.log)(level, Ours::of(line.as_bytes())) }
    }
}

/// A stream, for the time of one hook.
#[derive(Clone, Copy)]
pub(crate) struct Stream<'s> {
    envoy: *mut c_void,
    calls: &'static Calls,
    /// Are header lines lent to us? Then nothing may be changed: an edit moves them.
    lent: &'s Cell<bool>,
}

impl<'s> Stream<'s> {
    /// None before the module was connected.
    ///
    /// # Safety
    /// `envoy` is the stream that a hook was called with, and `lent` does not outlive that hook.
    pub unsafe fn new(envoy: *mut c_void, lent: &'s Cell<bool>) -> Option<Self> {
        Some(Self { envoy, calls: CALLS.get()?, lent })
    }

    /// All lines of a map, in place; none while others are lent.
    pub fn lines(self, map: Map) -> Option<Lines<'s>> {
        if self.lent.replace(true) {
            return None;
        }
        let mut lines = Lines { list: SPARE.take(), lent: self.lent };
        // SAFETY: a stream by `new`, and room for as many lines as it says there are: they do not change in between.
        let is_there = unsafe {
            let count = (self.calls.headers_size)(self.envoy, map as u32);
            lines.list.clear();
            lines.list.resize(count, Line { name: Theirs::NONE, value: Theirs::NONE });
            (self.calls.headers)(self.envoy, map as u32, lines.list.as_mut_ptr())
        };
        is_there.then_some(lines)
    }

    fn write(self, map: Map, name: &[u8], value: Ours) {
        if !self.lent.get() {
            // SAFETY: a stream by `new`; name and value are read during the call.
            unsafe { (self.calls.set_header)(self.envoy, map as u32, Ours::of(name), value) };
        }
    }

    /// Replaces all lines of a name by one. Nothing happens while lines are lent.
    pub fn set(self, map: Map, name: &[u8], value: &[u8]) {
        self.write(map, name, Ours::of(value));
    }

    /// Removes all lines of a name. Nothing happens while lines are lent.
    pub fn remove(self, map: Map, name: &[u8]) {
        self.write(map, name, Ours::NONE);
    }

    /// Has the route chosen again, by the headers as they are now.
    pub fn reroute(self) {
        // SAFETY: a stream by `new`.
        unsafe { (self.calls.clear_route)(self.envoy) }
    }

    /// Writes filter state, as a text that lives as long as the request.
    pub fn set_state(self, name: &str, value: &str) {
        // SAFETY: a stream by `new`; both texts are read during the call.
        unsafe { (self.calls.set_state)(self.envoy, Ours::of(name.as_bytes()), Ours::of(value.as_bytes())) };
    }

    /// Filter state that is bytes.
    pub fn state(self, name: &str) -> Option<Vec<u8>> {
        let mut value = Theirs::NONE;
        // SAFETY: a stream by `new`; what it gives is copied before anything else is called.
        unsafe {
            (self.calls.state)(self.envoy, Ours::of(name.as_bytes()), &raw mut value)
                .then(|| value.bytes().to_vec())
        }
    }

    /// An attribute that is a text.
    pub fn text(self, attribute: Attribute) -> Option<Vec<u8>> {
        let mut value = Theirs::NONE;
        // SAFETY: as above.
        unsafe {
            (self.calls.text)(self.envoy, attribute as u32, &raw mut value).then(|| value.bytes().to_vec())
        }
    }

    /// The cluster that the route leads to. There is an attribute too, which Envoy 1.39 does not fill in (envoyproxy/envoy
    /// #47267).
    pub fn cluster_name(self) -> Option<Vec<u8>> {
        let mut value = Theirs::NONE;
        // SAFETY: as above.
        unsafe { (self.calls.cluster_name)(self.envoy, &raw mut value).then(|| value.bytes().to_vec()) }
    }

    /// An attribute that is a number.
    pub fn number(self, attribute: Attribute) -> Option<u64> {
        let mut value = 0;
        // SAFETY: a stream by `new`.
        unsafe { (self.calls.number)(self.envoy, attribute as u32, &raw mut value) }.then_some(value)
    }

    /// Answers the request here with JSON.
    pub fn reply(self, status: u32, body: &str, details: &str) {
        let line = OurLine { name: Ours::of(b"content-type"), value: Ours::of(b"application/json") };
        let (body, details) = (Ours::of(body.as_bytes()), Ours::of(details.as_bytes()));
        // SAFETY: a stream by `new`; line, body and details are read during the call.
        unsafe { (self.calls.respond)(self.envoy, status, &raw const line, 1, body, details) }
    }

    /// Answers the request here with these header lines and nothing behind them.
    pub fn reply_headers<const N: usize>(self, lines: [(&str, &str); N]) {
        let lines = lines.map(|(name, value)| OurLine {
            name: Ours::of(name.as_bytes()),
            value: Ours::of(value.as_bytes()),
        });
        // SAFETY: a stream by `new`; the lines are read during the call.
        unsafe { (self.calls.respond_headers)(self.envoy, lines.as_ptr(), N, true) }
    }
}

thread_local! {
    /// Room for lines, so that no request allocates any.
    static SPARE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Header lines of Envoy's. While they live nothing of the stream can be changed.
pub(crate) struct Lines<'s> {
    list: Vec<Line>,
    lent: &'s Cell<bool>,
}

impl Headers for Lines<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.list.iter().map(|line| {
            // SAFETY: Envoy holds a line until it is changed, or the hook is over; `lent` and `'s` see to both.
            unsafe { (line.name.bytes(), line.value.bytes()) }
        })
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        SPARE.set(std::mem::take(&mut self.list));
        self.lent.set(false);
    }
}

//! A host of Envoy's dynamic modules that is none: the functions that the native module calls, over requests in plain
//! values. Each edit moves all lines and spoils where they were, so that who still holds one is found out.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;

use graylane_native::abi::{Attribute, Calls, Line, Map, OurLine, Ours, Theirs, connect_to};
use graylane_native::hooks;

/// Lines: names in lower case, values.
pub type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A request in it.
#[derive(Default)]
pub struct Request {
    /// Its header lines.
    pub headers: Lines,
    /// Its trailers; none: Envoy has no map of them.
    pub trailers: Option<Lines>,
    /// Filter state.
    pub state: BTreeMap<String, Vec<u8>>,
    /// Attributes that are texts, by their numbers.
    pub texts: BTreeMap<u32, Vec<u8>>,
    /// The cluster that its route leads to.
    pub cluster: Option<Vec<u8>>,
    /// The port that it was sent to.
    pub port: Option<u64>,
    /// How often its route was chosen again.
    pub rerouted: u32,
    /// The answer that was given here: status, headers, body.
    pub reply: Option<(u32, Lines, Vec<u8>)>,
}

/// A configuration in it, and the plugin that came of it.
pub struct Plugin {
    /// Of a box, which this owns: the module has the pointer too.
    config: *mut Config,
    plugin: *const c_void,
}

// SAFETY: Envoy, too, calls a plugin's hooks on each of its workers; a configuration's metrics are defined while it is made.
unsafe impl Sync for Plugin {}

#[derive(Default)]
struct Config {
    metrics: Vec<(String, Vec<String>)>,
}

/// All series of the process, as Envoy has them.
static SERIES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
/// All lines of the log.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What the module wrote to the log since somebody asked last.
///
/// # Panics
/// When a thread panicked at it.
pub fn log() -> Vec<String> {
    std::mem::take(&mut LOG.lock().expect("nobody panics"))
}

/// A counter or gauge by its name and its labels' values, as in `requests_total inbound gray none header`.
///
/// # Panics
/// When a thread panicked at it.
pub fn series(name: &str) -> Option<u64> {
    SERIES.lock().expect("nobody panics").get(name).copied()
}

impl Plugin {
    /// Configures one; none if it is refused.
    #[must_use]
    pub fn load(name: &str, text: &[u8]) -> Option<Self> {
        connect_to(calls());
        let config = Box::into_raw(Box::<Config>::default());
        let envoy: *mut c_void = config.cast();
        let (name, text) = (Theirs::of(name.as_bytes()), Theirs::of(text));
        // SAFETY: as Envoy calls it; the configuration lives as long as this.
        let plugin = unsafe { hooks::envoy_dynamic_module_on_http_filter_config_new(envoy, name, text) };
        let made = Self { config, plugin };
        // What is refused is dropped here, and its configuration with it.
        (!plugin.is_null()).then_some(made)
    }

    /// Sends a request through it; false: it ends here.
    pub fn send(&self, request: &mut Request) -> bool {
        let stream: *mut c_void = (&raw mut *request).cast();
        let filter = hooks::envoy_dynamic_module_on_http_filter_new(self.plugin, stream);
        let has_trailers = request.trailers.is_some();
        // SAFETY: as Envoy calls it, one hook after the other.
        unsafe {
            let passed =
                hooks::envoy_dynamic_module_on_http_filter_request_headers(stream, filter, !has_trailers);
            if passed == 0 && has_trailers {
                hooks::envoy_dynamic_module_on_http_filter_request_trailers(stream, filter);
            }
            passed == 0
        }
    }

    /// Envoy's main thread is woken.
    pub fn scheduled(&self) {
        // SAFETY: as Envoy calls it.
        unsafe {
            hooks::envoy_dynamic_module_on_http_filter_config_scheduled(self.config.cast(), self.plugin, 0);
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if !self.plugin.is_null() {
            // SAFETY: as Envoy calls it: once, while the configuration is there.
            unsafe { hooks::envoy_dynamic_module_on_http_filter_config_destroy(self.plugin) }
        }
        // SAFETY: made by `load`, and the module is done with it.
        drop(unsafe { Box::from_raw(self.config) });
    }
}

fn calls() -> Calls {
    Calls {
        log: write_log,
        headers_size,
        headers,
        set_header,
        clear_route,
        set_state,
        state,
        text,
        cluster_name,
        number,
        respond,
        respond_headers,
        define_counter: define,
        define_gauge: define,
        set_gauge,
        add,
        scheduler_new,
        scheduler_commit,
        scheduler_delete,
    }
}

/// # Safety
/// `stream` is what [`Plugin::send`] hands to hooks, and no other reference made of it is in use.
unsafe fn request<'r>(stream: *mut c_void) -> &'r mut Request {
    // SAFETY: a request, by the caller's word.
    unsafe { &mut *stream.cast::<Request>() }
}

fn lines(request: &mut Request, map: u32) -> Option<&mut Lines> {
    if map == Map::RequestTrailers as u32 { request.trailers.as_mut() } else { Some(&mut request.headers) }
}

/// # Safety
/// Of a call that is not over.
unsafe fn bytes(ours: Ours) -> Vec<u8> {
    // SAFETY: by the caller's word.
    unsafe { ours.bytes() }.unwrap_or_default().to_vec()
}

/// # Safety
/// As above, for so many.
unsafe fn texts(list: *const Ours, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: by the caller's word.
    let list = unsafe { std::slice::from_raw_parts(list, count) };
    // SAFETY: by the caller's word.
    list.iter().map(|one| String::from_utf8_lossy(&unsafe { bytes(*one) }).into_owned()).collect()
}

unsafe extern "C" fn write_log(_level: u32, line: Ours) {
    // SAFETY: of this call.
    let line = String::from_utf8_lossy(&unsafe { bytes(line) }).into_owned();
    LOG.lock().expect("nobody panics").push(line);
}

unsafe extern "C" fn headers_size(stream: *mut c_void, map: u32) -> usize {
    // SAFETY: as the module was given it.
    lines(unsafe { request(stream) }, map).map_or(0, |lines| lines.len())
}

unsafe extern "C" fn headers(stream: *mut c_void, map: u32, to: *mut Line) -> bool {
    // SAFETY: as the module was given it.
    let request = unsafe { request(stream) };
    let Some(lines) = lines(request, map) else { return false };
    for (index, (name, value)) in lines.iter().enumerate() {
        let line = Line { name: Theirs::of(name), value: Theirs::of(value) };
        // SAFETY: room for as many as `headers_size` said.
        unsafe { to.add(index).write(line) };
    }
    true
}

unsafe extern "C" fn set_header(stream: *mut c_void, map: u32, name: Ours, value: Ours) -> bool {
    // SAFETY: of this call.
    let (name, value) = unsafe { (bytes(name), value.bytes().map(<[u8]>::to_vec)) };
    // SAFETY: as the module was given it.
    let Some(lines) = lines(unsafe { request(stream) }, map) else { return false };
    let updated: Lines = lines.iter().filter(|(is, _)| *is != name).cloned().collect();
    for (name, value) in lines.iter_mut() {
        name.fill(b'?');
        value.fill(b'?');
    }
    *lines = updated;
    lines.extend(value.map(|value| (name, value)));
    true
}

unsafe extern "C" fn clear_route(stream: *mut c_void) {
    // SAFETY: as the module was given it.
    unsafe { request(stream) }.rerouted += 1;
}

unsafe extern "C" fn set_state(stream: *mut c_void, name: Ours, value: Ours) -> bool {
    // SAFETY: of this call, and as the module was given it.
    let (request, name, value) = unsafe { (request(stream), bytes(name), bytes(value)) };
    request.state.insert(String::from_utf8_lossy(&name).into_owned(), value);
    true
}

unsafe extern "C" fn state(stream: *mut c_void, name: Ours, to: *mut Theirs) -> bool {
    // SAFETY: of this call, and as the module was given it.
    let (request, name) = unsafe { (request(stream), bytes(name)) };
    let Some(value) = request.state.get(&*String::from_utf8_lossy(&name)) else { return false };
    // SAFETY: a place for one.
    unsafe { to.write(Theirs::of(value)) };
    true
}

unsafe extern "C" fn text(stream: *mut c_void, attribute: u32, to: *mut Theirs) -> bool {
    // SAFETY: as the module was given it.
    let Some(value) = unsafe { request(stream) }.texts.get(&attribute) else { return false };
    // SAFETY: a place for one.
    unsafe { to.write(Theirs::of(value)) };
    true
}

unsafe extern "C" fn cluster_name(stream: *mut c_void, to: *mut Theirs) -> bool {
    // SAFETY: as the module was given it.
    let Some(value) = (unsafe { &request(stream).cluster }) else { return false };
    // SAFETY: a place for one.
    unsafe { to.write(Theirs::of(value)) };
    true
}

unsafe extern "C" fn number(stream: *mut c_void, attribute: u32, to: *mut u64) -> bool {
    // SAFETY: as the module was given it.
    let request = unsafe { request(stream) };
    let port = if attribute == Attribute::DestinationPort as u32 { request.port } else { None };
    // SAFETY: a place for one.
    port.inspect(|port| unsafe { to.write(*port) }).is_some()
}

unsafe extern "C" fn respond(
    stream: *mut c_void,
    status: u32,
    lines: *const OurLine,
    count: usize,
    body: Ours,
    _details: Ours,
) {
    // SAFETY: of this call, and as the module was given it.
    unsafe { request(stream).reply = Some((status, our_lines(lines, count), bytes(body))) };
}

unsafe extern "C" fn respond_headers(stream: *mut c_void, lines: *const OurLine, count: usize, _end: bool) {
    // SAFETY: of this call, and as the module was given it.
    unsafe { request(stream).reply = Some((200, our_lines(lines, count), Vec::new())) };
}

/// # Safety
/// Of a call that is not over, so many.
unsafe fn our_lines(lines: *const OurLine, count: usize) -> Lines {
    // SAFETY: by the caller's word.
    let lines = unsafe { std::slice::from_raw_parts(lines, count) };
    // SAFETY: by the caller's word.
    lines.iter().map(|line| unsafe { (bytes(line.name), bytes(line.value)) }).collect()
}

unsafe extern "C" fn define(
    config: *mut c_void,
    name: Ours,
    labels: *const Ours,
    count: usize,
    id: *mut usize,
) -> u32 {
    // SAFETY: a configuration of this host's.
    let config = unsafe { &mut *config.cast::<Config>() };
    // SAFETY: of this call.
    config
        .metrics
        .push(unsafe { (String::from_utf8_lossy(&bytes(name)).into_owned(), texts(labels, count)) });
    // SAFETY: a place for one.
    unsafe { id.write(config.metrics.len() - 1) };
    0
}

/// # Safety
/// As the module calls it.
unsafe fn change(
    config: *mut c_void,
    id: usize,
    labels: *const Ours,
    count: usize,
    change: impl FnOnce(&mut u64),
) -> u32 {
    // SAFETY: a configuration of this host's, and labels of this call.
    let (config, values) = unsafe { (&*config.cast::<Config>(), texts(labels, count)) };
    let Some((name, labels)) = config.metrics.get(id) else { return 1 };
    if labels.len() != values.len() {
        return 2;
    }
    let name = [std::slice::from_ref(name), &values].concat().join(" ");
    change(SERIES.lock().expect("nobody panics").entry(name).or_default());
    0
}

unsafe extern "C" fn set_gauge(
    config: *mut c_void,
    id: usize,
    labels: *const Ours,
    count: usize,
    value: u64,
) -> u32 {
    // SAFETY: as the module calls it.
    unsafe { change(config, id, labels, count, |is| *is = value) }
}

unsafe extern "C" fn add(config: *mut c_void, id: usize, labels: *const Ours, count: usize, by: u64) -> u32 {
    // SAFETY: as the module calls it.
    unsafe { change(config, id, labels, count, |is| *is += by) }
}

/// Nothing is woken here: tests do that.
extern "C" fn scheduler_new(config: *mut c_void) -> *mut c_void {
    config
}

extern "C" fn scheduler_commit(_: *mut c_void, _: u64) {}

extern "C" fn scheduler_delete(_: *mut c_void) {}

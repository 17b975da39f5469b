//! What the host knows and has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// The process-wide shared data: values and their compare-and-set numbers.
#[derive(Debug, Default)]
pub struct Shared {
    values: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last: u32,
}

impl Shared {
    /// As `SharedData::get` in proxy-wasm-cpp-host.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    /// As `SharedData::set`: a number other than 0 has to be the value's, if there is a value. False: it is not.
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> bool {
        if let Some((_, is)) = self.values.get(key)
            && cas != 0
            && cas != *is
        {
            return false;
        }
        self.last = self.last.wrapping_add(1).max(1);
        self.values.insert(key.to_vec(), (value.to_vec(), self.last));
        true
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.values.keys().map(Vec::as_slice)
    }
}

/// An answer of the filter's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u32,
    /// Body.
    pub body: String,
    /// gRPC status, for gRPC callers.
    pub grpc_status: i32,
}

/// How often the host was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that returned bytes: each costs an entry back into the VM to allocate.
    pub returning: u32,
    /// Calls that did not.
    pub plain: u32,
    /// All of them, by name and in order.
    pub names: Vec<&'static str>,
}

/// A request on its way through a plugin.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Properties of this stream, by path with NULs.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Filter state that was written, in order.
    pub state: Vec<(String, String)>,
    /// The answer that was given.
    pub reply: Option<Reply>,
}

impl Stream {
    /// Headers, or trailers: `WasmHeaderMapType` 0 and 1.
    pub fn map(&mut self, map: u32) -> &mut Vec<(String, Vec<u8>)> {
        if map == 1 { &mut self.trailers } else { &mut self.headers }
    }
}

/// What the host knows and has seen.
pub struct State {
    shared: Arc<Mutex<Shared>>,
    properties: BTreeMap<String, Vec<u8>>,
    /// The configuration that `proxy_get_buffer_bytes` returns.
    pub configuration: Vec<u8>,
    /// Environment of the VM.
    pub environment: Vec<(String, String)>,
    /// Contexts that are alive.
    pub contexts: BTreeSet<u32>,
    /// The request that is under way.
    pub stream: Option<Stream>,
    /// Calls since the last request began.
    pub calls: Calls,
    /// Names of metrics, by id.
    pub metric_names: Vec<String>,
    /// Values of metrics, by name.
    pub metrics: BTreeMap<String, i64>,
    /// What was logged: level and message.
    pub log: Vec<(u32, String)>,
    /// The clock, in milliseconds.
    pub now: u64,
    /// A call that fails with this status from now on.
    pub fault: Option<(&'static str, u32)>,
}

impl State {
    pub(super) fn new(shared: Arc<Mutex<Shared>>) -> Self {
        Self {
            shared,
            properties: BTreeMap::new(),
            configuration: Vec::new(),
            environment: Vec::new(),
            contexts: BTreeSet::new(),
            stream: None,
            calls: Calls::default(),
            metric_names: Vec::new(),
            metrics: BTreeMap::new(),
            log: Vec::new(),
            now: 1_700_000_000_000,
            fault: None,
        }
    }

    /// The process-wide shared data.
    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sets a property of the proxy; dots part its path, labels with dots are given with NULs.
    pub fn set_property(&mut self, path: &str, value: &[u8]) {
        self.properties.insert(self::path(path), value.to_vec());
    }

    /// A property of the stream or the proxy. While a plugin is configured there is no stream.
    pub(super) fn property(&self, path: &str) -> Option<Vec<u8>> {
        let stream = self.stream.as_ref().and_then(|stream| stream.properties.get(path));
        stream.or_else(|| self.properties.get(path)).cloned()
    }

    /// A metric's value; the name is found by its end, tags included or not.
    #[must_use]
    pub fn metric(&self, name: &str) -> i64 {
        self.metrics.iter().filter(|(known, _)| known.ends_with(name)).map(|(_, value)| value).sum()
    }
}

/// A property's path as the ABI has it: steps joined by NUL. Written with dots where no step has one.
pub(super) fn path(path: &str) -> String {
    if path.contains('\0') { path.to_owned() } else { path.replace('.', "\0") }
}

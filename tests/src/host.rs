//! A small proxy-wasm host on an interpreter: it runs the built module as Envoy would, keeps state instead of
//! expectations, and counts what the module asks of it.
//!
//! Semantics follow proxy-wasm-cpp-host and Envoy where a test could tell the difference: compare-and-set numbers,
//! values that are missing against values that are empty, headers in lower case, absent properties.

mod imports;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow};
use wasmi::{Engine, Instance, Linker, Module, Store};

pub use state::{Calls, Reply, Shared, State, Stream};

/// The module under test: what `make wasm` leaves.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn module_path() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dist/graylane.wasm");
    assert!(path.exists(), "dist/graylane.wasm is not there: run `make wasm`");
    path
}

/// The built native module.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn native_path() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dist/libgraylane.so");
    assert!(path.exists(), "dist/libgraylane.so is not there: run `make native`");
    path
}

/// Calls an export of any module, without arguments.
///
/// # Errors
/// When it is not there, or traps.
pub fn call_export(bytes: &[u8], name: &str) -> Result<i32> {
    Vm::instantiate(bytes, &Arc::default())?.call(name, &[])
}

/// What a request looks like after the filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Filter state that was written.
    pub state: Vec<(String, String)>,
    /// The answer that was given instead of passing the request on.
    pub reply: Option<Reply>,
    /// What it asked of the host.
    pub calls: Calls,
}

/// One VM of one worker, with any number of plugins.
pub struct Vm {
    store: Store<State>,
    instance: Instance,
    next_context: u32,
}

/// A plugin of a VM: its root context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plugin(u32);

/// A stream that has begun: its context.
#[derive(Debug)]
pub struct Begun(u32);

impl Vm {
    /// Starts a VM; those with the same shared data belong to one process.
    ///
    /// # Errors
    /// When the module does not fit this host.
    pub fn start(shared: &Arc<Mutex<Shared>>) -> Result<Self> {
        let mut vm = Self::instantiate(&std::fs::read(module_path())?, shared)?;
        vm.call("_initialize", &[])?;
        Ok(vm)
    }

    fn instantiate(bytes: &[u8], shared: &Arc<Mutex<Shared>>) -> Result<Self> {
        let engine = Engine::default();
        let module = Module::new(&engine, bytes)?;
        let mut store = Store::new(&engine, State::new(Arc::clone(shared)));
        let mut linker = Linker::new(&engine);
        imports::add(&mut linker)?;
        imports::trap_the_rest(&mut linker, &mut store, &module)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        Ok(Self { store, instance, next_context: 1 })
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> Result<i32> {
        let function =
            self.instance.get_func(&self.store, name).with_context(|| format!("no export `{name}`"))?;
        let arguments: Vec<wasmi::Val> = arguments.iter().map(|value| wasmi::Val::I32(*value)).collect();
        let mut results = vec![wasmi::Val::I32(0); function.ty(&self.store).results().len()];
        function
            .call(&mut self.store, &arguments, &mut results)
            .map_err(|trap| anyhow!("{name} trapped: {trap}"))?;
        Ok(results.first().and_then(wasmi::Val::i32).unwrap_or(0))
    }

    fn has(&self, name: &str) -> bool {
        self.instance.get_func(&self.store, name).is_some()
    }

    fn context(&mut self, root: i32) -> Result<u32> {
        let id = self.next_context;
        self.next_context += 1;
        self.state().contexts.insert(id);
        if self.has("proxy_on_context_create") {
            self.call("proxy_on_context_create", &[id.cast_signed(), root])?;
        }
        Ok(id)
    }

    /// Loads a plugin: start, then configure.
    ///
    /// # Errors
    /// When the module traps or refuses.
    pub fn load(&mut self, root_id: &str, configuration: &[u8]) -> Result<Plugin> {
        let id = self.context(0)?;
        self.state().set_property("plugin_root_id", root_id.as_bytes());
        self.state().configuration = configuration.to_vec();
        let size = i32::try_from(configuration.len())?;
        if self.has("proxy_on_vm_start") {
            anyhow::ensure!(
                self.call("proxy_on_vm_start", &[id.cast_signed(), 0])? != 0,
                "the module would not start"
            );
        }
        anyhow::ensure!(
            self.call("proxy_on_configure", &[id.cast_signed(), size])? != 0,
            "the module refused its configuration: Envoy would answer 500 to everything"
        );
        Ok(Plugin(id))
    }

    /// Sends a request through a plugin.
    ///
    /// # Errors
    /// When the module traps.
    pub fn request(
        &mut self,
        plugin: Plugin,
        headers: &[(String, Vec<u8>)],
        properties: &[(&str, &[u8])],
    ) -> Result<Seen> {
        let id = self.context(plugin.0.cast_signed())?;
        let lower = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let properties = properties.iter().map(|(path, value)| (state::path(path), value.to_vec())).collect();
        self.state().stream = Some(Stream { headers: lower, properties, ..Stream::default() });
        self.state().calls = Calls::default();
        let count = i32::try_from(headers.len())?;
        let action = self.call("proxy_on_request_headers", &[id.cast_signed(), count, 1])?;
        let calls = std::mem::take(&mut self.state().calls);
        let stream = self.state().stream.take().unwrap_or_default();
        anyhow::ensure!(
            (action == 1) == stream.reply.is_some(),
            "paused without an answer, or answered and went on"
        );
        self.end(id)?;
        Ok(Seen { headers: stream.headers, state: stream.state, reply: stream.reply, calls })
    }

    /// Sends the trailers of a request through a plugin: those that stay, and what was asked of the host.
    ///
    /// # Errors
    /// When the module traps.
    pub fn trailers(&mut self, plugin: Plugin, trailers: &[(String, Vec<u8>)]) -> Result<Seen> {
        let id = self.context(plugin.0.cast_signed())?;
        let trailers: Vec<(String, Vec<u8>)> =
            trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let count = i32::try_from(trailers.len())?;
        self.state().stream = Some(Stream { trailers, ..Stream::default() });
        self.state().calls = Calls::default();
        let action = self.call("proxy_on_request_trailers", &[id.cast_signed(), count])?;
        anyhow::ensure!(action == 0, "trailers are not stopped");
        let calls = std::mem::take(&mut self.state().calls);
        let stream = self.state().stream.take().unwrap_or_default();
        self.end(id)?;
        Ok(Seen { headers: stream.trailers, state: stream.state, reply: stream.reply, calls })
    }

    /// A stream of a plugin begins; its headers have not been seen.
    ///
    /// # Errors
    /// When the module traps.
    pub fn begin(&mut self, plugin: Plugin) -> Result<Begun> {
        self.context(plugin.0.cast_signed()).map(Begun)
    }

    /// A stream that has begun ends: an earlier filter answered it, or its client went.
    ///
    /// # Errors
    /// When the module traps.
    pub fn finish(&mut self, Begun(id): Begun) -> Result<()> {
        self.end(id)
    }

    /// An earlier filter answered: a context is made and deleted, and no request is seen in between.
    ///
    /// # Errors
    /// When the module traps.
    pub fn answered_before(&mut self, plugin: Plugin) -> Result<()> {
        let stream = self.begin(plugin)?;
        self.finish(stream)
    }

    /// A plugin is gone: its last listener has drained.
    ///
    /// # Errors
    /// When the module traps.
    pub fn unload(&mut self, plugin: Plugin) -> Result<()> {
        self.end(plugin.0)
    }

    /// A context ends.
    fn end(&mut self, id: u32) -> Result<()> {
        for callback in ["proxy_on_log", "proxy_on_done", "proxy_on_delete"] {
            if self.has(callback) {
                self.call(callback, &[id.cast_signed()])?;
            }
        }
        self.state().contexts.remove(&id);
        Ok(())
    }

    /// What the host knows and has seen.
    pub fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Size of the VM's linear memory, in bytes.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.instance.get_memory(&self.store, "memory").map_or(0, |memory| memory.data(&self.store).len())
    }
}

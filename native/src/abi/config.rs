//! A filter's configuration in Envoy: its metrics, and the way to the main thread.

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;

use super::{CALLS, Calls, Ours};

/// A configuration.
pub(crate) struct Config {
    envoy: *mut c_void,
    scheduler: *mut c_void,
    calls: &'static Calls,
    not_shared: PhantomData<Cell<()>>,
}

// SAFETY: Envoy's functions on a configuration may be called from any thread, one at a time: it is not `Sync`.
unsafe impl Send for Config {}

impl Config {
    /// None before the module was connected.
    ///
    /// # Safety
    /// `envoy` is the configuration that a hook was called with to make one; this is dropped before Envoy's hook that
    /// destroys it is over.
    pub unsafe fn new(envoy: *mut c_void) -> Option<Self> {
        let calls = CALLS.get()?;
        // SAFETY: a configuration, by the caller's word.
        let scheduler = unsafe { (calls.scheduler_new)(envoy) };
        Some(Self { envoy, scheduler, calls, not_shared: PhantomData })
    }

    fn define(
        &self,
        define: unsafe extern "C" fn(*mut c_void, Ours, *const Ours, usize, *mut usize) -> u32,
        name: &str,
        labels: &[&str],
    ) -> Option<usize> {
        let labels: Vec<Ours> = labels.iter().map(|label| Ours::of(label.as_bytes())).collect();
        let mut id = 0;
        // SAFETY: a configuration by `new`; name and labels are read during the call.
        let result = unsafe {
            define(self.envoy, Ours::of(name.as_bytes()), labels.as_ptr(), labels.len(), &raw mut id)
        };
        (result == 0).then_some(id)
    }

    /// Defines a counter with labels. Envoy takes it only while the configuration is made.
    pub fn define_counter(&self, name: &str, labels: &[&str]) -> Option<usize> {
        self.define(self.calls.define_counter, name, labels)
    }

    /// Defines a gauge with labels; as above.
    pub fn define_gauge(&self, name: &str, labels: &[&str]) -> Option<usize> {
        self.define(self.calls.define_gauge, name, labels)
    }

    /// Adds to a counter's series.
    pub fn add(&self, counter: usize, labels: &[String], by: u64) {
        let labels: Vec<Ours> = labels.iter().map(|label| Ours::of(label.as_bytes())).collect();
        // SAFETY: a configuration by `new`; labels are read during the call. A refusal loses a count and nothing else.
        unsafe { (self.calls.add)(self.envoy, counter, labels.as_ptr(), labels.len(), by) };
    }

    /// Sets a gauge's series.
    pub fn set_gauge(&self, gauge: usize, labels: &[&str], value: u64) {
        let labels: Vec<Ours> = labels.iter().map(|label| Ours::of(label.as_bytes())).collect();
        // SAFETY: as above.
        unsafe { (self.calls.set_gauge)(self.envoy, gauge, labels.as_ptr(), labels.len(), value) };
    }

    /// Has Envoy call `on_http_filter_config_scheduled` on its main thread.
    pub fn wake(&self) {
        if !self.scheduler.is_null() {
            // SAFETY: made by `new` and not deleted yet. Envoy takes this from any thread.
            unsafe { (self.calls.scheduler_commit)(self.scheduler, 0) }
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        if !self.scheduler.is_null() {
            // SAFETY: made by `new`, deleted once.
            unsafe { (self.calls.scheduler_delete)(self.scheduler) }
        }
    }
}

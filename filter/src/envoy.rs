//! A request in Envoy, and a plugin that is configured there: what [`graylane_serve`] works with.

use std::cell::RefCell;
use std::sync::Arc;

use graylane_decide::memory::Memory;
use graylane_decide::memory::cas::ByCas;
use graylane_decide::why::Rejection;
use graylane_decide::{Plan, Role};
use graylane_serve::{Count, Headers, Host, LastGood, Level, Setup};

use crate::counters::{Counters, show_configuration};
use crate::host::{self, Map};
use crate::pairs::Pairs;
use crate::shared::{self, SharedData};

/// What a plugin runs with.
pub type Active = graylane_serve::Active<Counters>;

thread_local! {
    /// One memory for all plugins of this VM; its slots are those of the whole process.
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
    static LAST_GOOD: RefCell<LastGood<Counters>> = const { RefCell::new(LastGood::new()) };
}

/// Reads the configuration of the plugin that is being configured. Never refused.
pub fn load() -> Arc<Active> {
    let configuration = host::configuration().unwrap_or_default();
    LAST_GOOD.with_borrow_mut(|good| good.load(&configuration, &mut Envoy::new()))
}

/// The Envoy that this VM is in, and the request that it is at.
pub struct Envoy {
    /// Headers of a synthetic request, while a plugin is configured. It must have no effect.
    made_up: Option<Vec<u8>>,
}

impl Envoy {
    /// At a request.
    pub const fn new() -> Self {
        Self { made_up: None }
    }

    /// At a request of these header pairs, in the ABI's encoding. There is no stream, so Envoy refuses what would change
    /// one; what it would not refuse is left out here.
    pub fn at_made_up(headers: Vec<u8>) -> Self {
        Self { made_up: Some(headers) }
    }
}

/// Header pairs as the host hands them over.
pub struct Encoded(Vec<u8>);

impl Headers for Encoded {
    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        Pairs::new(&self.0)
    }
}

impl Host for Envoy {
    type Headers = Encoded;
    type Store = ByCas<SharedData>;
    type Counters = Counters;

    fn headers(&mut self) -> Option<Encoded> {
        match &self.made_up {
            None => host::pairs(Map::RequestHeaders).map(Encoded),
            Some(headers) => Some(Encoded(headers.clone())),
        }
    }

    fn trailers(&mut self) -> Option<Encoded> {
        host::pairs(Map::RequestTrailers).map(Encoded)
    }

    fn set_header(&mut self, name: &[u8], value: &[u8]) {
        host::set_request_header(name, value);
    }

    fn remove_header(&mut self, name: &[u8]) {
        host::remove(Map::RequestHeaders, name);
    }

    fn remove_trailer(&mut self, name: &[u8]) {
        host::remove(Map::RequestTrailers, name);
    }

    fn reply(&mut self, rejection: Rejection) -> bool {
        self.made_up.is_none()
            && host::reply(rejection.status(), rejection.reason(), rejection.body(), rejection.grpc_status())
    }

    fn set_state(&mut self, name: &'static str, value: &str) {
        host::set_state(name, value);
    }

    fn count(&mut self, plan: &Plan, counters: &Counters, count: Count<'_>) {
        if self.made_up.is_none() {
            counters.count(plan, count);
        }
    }

    fn now(&mut self) -> Option<u64> {
        host::now()
    }

    fn with_memory<T>(&mut self, use_it: impl FnOnce(&mut Memory, &mut ByCas<SharedData>) -> T) -> T {
        MEMORY.with_borrow_mut(|memory| {
            let slots = SharedData { read_only: self.made_up.is_some() };
            use_it(memory.get_or_insert_with(shared::memory), &mut ByCas(slots))
        })
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        host::property(path)
    }

    fn random(&mut self) -> Option<u64> {
        host::random()
    }
}

impl Setup for Envoy {
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        host::property(path)
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn log(&mut self, level: Level, line: &str) {
        let level = match level {
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::log!(level, "{line}");
    }

    fn show_configuration(&mut self, role: Role, valid: bool, revision: u64) {
        show_configuration(role, valid, revision);
    }
}

//! A plugin and its requests: what the host calls, handed on by the crate proxy-wasm.

use std::sync::Arc;

use graylane_serve::Fate;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::envoy::{self, Active, Envoy};
use crate::warm_up;

/// A plugin. It does not keep its direction: newer Envoys share one root context between both.
pub struct Plugin {
    active: Arc<Active>,
}

impl Plugin {
    /// One that is not configured yet; Envoy configures before it sends requests.
    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "plans are shared among threads elsewhere; a VM has one"
    )]
    pub fn new() -> Self {
        Self { active: Arc::new(Active::Open) }
    }
}

impl Context for Plugin {}

impl RootContext for Plugin {
    /// Never refused: Envoy would answer 500 to everything.
    fn on_configure(&mut self, _size: usize) -> bool {
        self.active = envoy::load();
        warm_up::run(&self.active);
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { active: Arc::clone(&self.active) }))
    }
}

/// A request, by the configuration of the moment at which it came in.
struct Request {
    active: Arc<Active>,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match graylane_serve::handle(&self.active, &mut Envoy::new()) {
            Fate::Passed => Action::Continue,
            Fate::Answered => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        graylane_serve::trailers(&self.active, &mut Envoy::new());
        Action::Continue
    }
}

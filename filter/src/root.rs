//! A configuration comes in.

use std::cell::OnceCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::active::{self, Active};
use crate::host;
use crate::request::Request;

/// One plugin in one worker. It never keeps the direction: newer Envoys share one root context between both.
#[derive(Default)]
pub struct Root {
    active: OnceCell<Rc<Active>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.active = OnceCell::from(active::load(&host::configuration().unwrap_or_default()));
        true
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        // Envoy configures before it sends requests; a host that does not gets them back untouched.
        let active = self.active.get_or_init(|| Rc::new(Active::Open));
        Some(Box::new(Request::new(Rc::clone(active))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

//! graylane's job as one writes it at first: the direction asked of the host, each header by its name as a String,
//! everything written whether it changed or not, one key of shared data for each trace. It has no limit of memory, no
//! list of services, and it panics on a header that is not UTF-8.
// The macro of proxy-wasm makes an entry point without documentation.
#![allow(missing_docs)]

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { settings: Rc::default() }));
}}

#[derive(Default)]
struct Settings {
    /// Has the destination a rollout?
    sticky: bool,
    requests: u32,
}

struct Root {
    settings: Rc<Settings>,
}

struct Stream {
    settings: Rc<Settings>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let requests = hostcalls::define_metric(MetricType::Counter, "naive_requests_total").unwrap_or(0);
        self.settings = Rc::new(Settings { sticky: configuration == b"sticky", requests });
        true
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { settings: Rc::clone(&self.settings) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl Stream {
    fn trace(&self) -> Option<String> {
        let parent = self.get_http_request_header("traceparent")?;
        parent.split('-').nth(1).map(str::to_owned)
    }

    fn member(&self, name: &str) -> Option<String> {
        let baggage = self.get_http_request_header("baggage")?;
        let member =
            baggage.split(',').find_map(|member| member.trim().strip_prefix(name)?.strip_prefix('='));
        member.map(str::to_owned)
    }

    fn show(&self, tenant: &str, subset: &str) {
        self.set_http_request_header("tenant", Some(tenant));
        self.set_property(vec!["tenant"], Some(tenant.as_bytes()));
        self.set_property(vec!["subset"], Some(subset.as_bytes()));
        let _ = hostcalls::increment_metric(self.settings.requests, 1);
    }

    fn inbound(&self) {
        let tenant = self.get_http_request_header("tenant").or_else(|| self.member("tenant"));
        let tenant = tenant.unwrap_or_else(|| "green".to_owned());
        for id in [self.get_http_request_header("x-request-id"), self.trace()].into_iter().flatten() {
            let _ = self.set_shared_data(&id, Some(tenant.as_bytes()), None);
        }
        self.set_http_request_header("x-graylane-subset", None);
        self.show(&tenant, "stable");
    }

    fn outbound(&self) {
        let authority = self.get_http_request_header(":authority").unwrap_or_default();
        let service = authority.split([':', '.']).next().unwrap_or_default();
        let remembered = |id: Option<String>| {
            let (value, _) = self.get_shared_data(&id?);
            String::from_utf8(value?).ok()
        };
        let tenant = self
            .get_http_request_header("tenant")
            .or_else(|| self.member("tenant"))
            .or_else(|| remembered(self.get_http_request_header("x-request-id")))
            .or_else(|| remembered(self.trace()))
            .unwrap_or_else(|| "green".to_owned());
        let unit = self.member("graylane-unit").unwrap_or_default();
        let hash = unit.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let is_canary = if self.settings.sticky { hash % 10_000 < 2500 } else { tenant == "gray-v1" };
        let subset = if is_canary { "canary" } else { "stable" };
        if self.settings.sticky {
            let value = format!("{service}.shop.svc.cluster.local/{subset}");
            self.set_http_request_header("x-graylane-subset", Some(&value));
        }
        self.show(&tenant, subset);
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // 1 is inbound, eight bytes, little-endian.
        match self.get_property(vec!["xds", "listener_direction"]) {
            Some(direction) if direction.first() == Some(&1) => self.inbound(),
            _ => self.outbound(),
        }
        Action::Continue
    }
}

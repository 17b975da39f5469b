//! Synthetic requests, decided while a plugin is configured.
//!
//! The first requests through a VM that is new take up to a millisecond more than later ones. These go through the very
//! functions of the request path (another instance of generic code would warm nothing up), and leave nothing behind: no
//! stream to change, no counter, no slot of the memory.

use graylane_decide::Plan;

use crate::envoy::{Active, Envoy};
use crate::pairs::encode;

/// Decides one request of the default tenant and one of another, with all that a request usually has.
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn run(active: &Active) {
    let Active::Plan { plan, .. } = active else { return };
    let default = plan.tenants.default_id();
    let other = plan.tenants.ids().find(|id| *id != default);
    for tenant in [Some(default), other].into_iter().flatten() {
        let headers = request(plan, plan.tenants.name(tenant));
        let _ = graylane_serve::handle(active, &mut Envoy::at_made_up(headers));
    }
}

fn request(plan: &Plan, tenant: &str) -> Vec<u8> {
    let authority = plan.destinations.list().first().map_or("warm-up.invalid", |service| &service.name);
    encode(&[
        (":authority", authority),
        (":path", "/?a=b"),
        (":method", "GET"),
        (":scheme", "http"),
        ("user-agent", "graylane"),
        ("x-request-id", "00000000-0000-4000-8000-000000000000"),
        ("traceparent", "00-0000000000000000000000000000dead-000000000000beef-01"),
        ("baggage", "a=b,c=d;e=f"),
        ("cookie", "a=b; c=d"),
        (std::str::from_utf8(plan.header()).unwrap_or_default(), tenant),
    ])
}

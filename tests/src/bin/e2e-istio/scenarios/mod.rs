//! The scenarios.

mod cases;
mod clusters;
mod examples;
mod fallback;
mod gateway_api;
mod header_only;
mod image;
mod native;
mod outside;
mod restore;
mod sticky;
mod telemetry;
mod weights;

use anyhow::Result;
use futures_util::FutureExt as _;

use super::Scenario;
use crate::example::{Example, Form};

/// All of them, in the order in which they run.
pub fn all() -> Result<Vec<Scenario>> {
    let mut all = Vec::new();
    for Example { name, .. } in Example::all()? {
        for (form, title) in [(Form::VirtualService, ""), (Form::GatewayApi, ", gateway-api")] {
            let name = name.clone();
            all.push(Scenario::new(&format!("example {name}{title}"), move |plane| {
                let name = name.clone();
                async move { examples::run(plane, &name, form).await }.boxed_local()
            }));
        }
    }
    all.extend([
        Scenario::new("sticky", |plane| sticky::run(plane).boxed_local()),
        Scenario::new("gateway-api", |plane| gateway_api::run(plane).boxed_local()),
        Scenario::new("outside", |plane| outside::run(plane).boxed_local()),
        Scenario::new("restore wasm-plugin", |plane| restore::run(plane, "wasm-plugin").boxed_local()),
        Scenario::new("restore traffic-extension", |plane| {
            restore::run(plane, "traffic-extension").boxed_local()
        }),
        Scenario::new("header-only", |plane| header_only::run(plane).boxed_local()),
        Scenario::new("image", |plane| image::run(plane).boxed_local()),
        Scenario::new("native", |plane| native::run(plane).boxed_local()),
        Scenario::new("fallback", |plane| fallback::run(plane).boxed_local()),
        Scenario::new("telemetry", |plane| telemetry::run(plane).boxed_local()),
        Scenario::new("weights", |plane| weights::run(plane).boxed_local()),
        Scenario::new("clusters", |plane| clusters::run(plane).boxed_local()),
        Scenario::new("cases", |plane| cases::run(plane).boxed_local()),
    ]);
    Ok(all)
}

//! No input at the edge gets a tenant that no rule gave; see `tests/src/fuzz/edge.rs`.
#![no_main]

#[path = "../../tests/src/fuzz/mod.rs"]
mod fuzz;

use std::sync::LazyLock;

use graylane_decide::Plan;
use serde_json::Value;

/// What is rendered for the gateway of examples/edge.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let rendered = include_str!("../../examples/edge/rendered/all.yaml");
    let gateway = rendered.split("---\n").find(|text| text.contains("role: gateway")).expect("a gateway plugin");
    let gateway: Value = serde_saphyr::from_str(gateway).expect("YAML");
    fuzz::plan(gateway["spec"]["pluginConfig"].to_string().as_bytes())
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::edge::edge(&PLAN, data));

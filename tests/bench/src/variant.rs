//! What is compared: graylane, and what one could put in its place.

use std::path::{Path, PathBuf};

use anyhow::Result;
use graylane::envoy::config;
use graylane_decide::Role;
use graylane_mesh::native;
use serde_json::{Value as Json, json};

use crate::scenario::{Scenario, Setup};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// No filter but the router.
    Nothing,
    /// Envoy's own filter in C++ that sets a header; it decides nothing.
    HeaderMutation,
    /// The least that a filter on the crate proxy-wasm costs.
    Noop,
    /// The job as one writes it at first on that crate.
    Naive,
    /// This project.
    Graylane,
    /// The same core as a native module.
    Native,
    /// The filter without filter state: metrics and headers only.
    Stateless,
    /// Another build of the filter, to compare with.
    Other,
    /// The best that Lua can do.
    Lua,
    /// The same, with tenant and subset in dynamic metadata, where logs and metrics read them.
    LuaMetadata,
}

impl Variant {
    /// In the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Nothing,
        Self::HeaderMutation,
        Self::Noop,
        Self::Naive,
        Self::Lua,
        Self::LuaMetadata,
        Self::Other,
        Self::Stateless,
        Self::Graylane,
        Self::Native,
    ];

    /// Head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no filter",
            Self::HeaderMutation => "header_mutation",
            Self::Noop => "SDK no-op",
            Self::Naive => "SDK naive",
            Self::Graylane => "graylane",
            Self::Native => "graylane, native",
            Self::Stateless => "graylane, no filter state",
            Self::Other => "earlier build",
            Self::Lua => "Lua",
            Self::LuaMetadata => "Lua + metadata",
        }
    }

    /// Is there anything to measure?
    pub fn can(self, scenario: &Scenario) -> bool {
        let is_lua = matches!(self, Self::Lua | Self::LuaMetadata);
        let counts_services = matches!(scenario.setup, Setup::Services(_));
        (scenario.lua || !is_lua)
            && (!counts_services || matches!(self, Self::Nothing | Self::Graylane | Self::Native))
    }
}

/// Where the modules are.
#[derive(Clone, Debug)]
pub struct Modules {
    /// `dist/graylane.wasm`.
    pub graylane: PathBuf,
    /// `dist/libgraylane.so`.
    pub native: PathBuf,
    /// Of `tests/bench/noop`.
    pub noop: PathBuf,
    /// Of `tests/bench/naive`.
    pub naive: PathBuf,
    /// Another build.
    pub other: Option<PathBuf>,
}

const INBOUND_LUA: &str = include_str!("../lua/inbound.lua");
const OUTBOUND_LUA: &str = include_str!("../lua/outbound.lua");

/// The HTTP filters of a variant, before the router.
///
/// # Errors
/// When graylane's configuration cannot be made.
pub fn filters(variant: Variant, role: Role, setup: Setup, modules: &Modules) -> Result<Vec<Json>> {
    let graylane = |module: &Path| -> Result<Json> {
        let mut config = setup.config(role)?;
        config.telemetry.state = variant != Variant::Stateless;
        let text = serde_json::to_string(&config)?;
        Ok(config::wasm_filter(&format!("shop.{}", role.name()), role.name(), module, &text, "FAIL_OPEN"))
    };
    let typed = match variant {
        Variant::Nothing => return Ok(Vec::new()),
        Variant::HeaderMutation => json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [{"append": {
                "header": {"key": "tenant", "value": "green"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }}]},
        }),
        Variant::Noop => config::wasm_filter("noop", "noop", &modules.noop, "", "FAIL_OPEN"),
        Variant::Naive => {
            let text = if setup == Setup::Plain { "plain" } else { "sticky" };
            let mut filter = config::wasm_filter("naive", "naive", &modules.naive, text, "FAIL_OPEN");
            // Shared data of its own: the millions of keys that it leaves there are not to slow the others down.
            filter["config"]["vm_config"]["vm_id"] = json!("naive");
            filter
        }
        Variant::Native => {
            let text = serde_json::to_string(&setup.config(role)?)?;
            let name = format!("{}/{}", role.name(), setup.name());
            native::filter(&modules.native.display().to_string(), &name, &[], &text)
        }
        Variant::Graylane | Variant::Stateless => graylane(&modules.graylane)?,
        Variant::Other => graylane(modules.other.as_deref().unwrap_or(&modules.graylane))?,
        Variant::Lua | Variant::LuaMetadata => {
            let source = if role == Role::Inbound { INBOUND_LUA } else { OUTBOUND_LUA };
            let yes_no = |yes| if yes { "true" } else { "false" };
            let source = source
                .replace("METADATA_IS_WRITTEN", yes_no(variant == Variant::LuaMetadata))
                .replace("HAS_ROLLOUT", yes_no(setup != Setup::Plain));
            json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": source},
            })
        }
    };
    Ok(vec![json!({"name": "measured", "typed_config": typed})])
}

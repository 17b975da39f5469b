//! EnvoyFilters by which each call of a batch is of a user of its own (`sticky: none`): a small Lua filter before the plugin
//! gives every call without a unit a random one, in baggage, and a request id of its own.
//!
//! So it holds at every hop behind the batch as well, whatever ids the calls share: where a service drops baggage, its sidecar
//! restores the unit from the request id. The plugin stays as it is, and where there is none, nothing is inserted.

use std::collections::BTreeSet;

use graylane_decide::Role;
use serde_json::{Value as Json, json};

use super::replace::{self, FILTERS};
use super::{Kind, Resource, Stage};
use crate::mesh::{Fields, Mesh};
use crate::workers::{STICKY_LABEL, STICKY_NONE};

/// Before patches without a priority: one of them may replace the plugin's filter, and its name.
const PRIORITY: i32 = -10;

/// The Lua filter. Each worker thread runs it once from the top, and must not begin with the same number as another: LuaJIT's generator
/// starts from a fixed seed, so the address of a table, which differs between threads and processes, seeds it too. The request id
/// keeps its beginning, by which people find the run in their logs, and the digit in which Envoy says whether it is traced.
const SCRIPT: &str = r#"math.randomseed(os.time() + tonumber(tostring({}):match("%x+$") or "0", 16))
local function word() return math.random(0, 4294967295) end
function envoy_on_request(handle)
  local headers = handle:headers()
  local said = "," .. (headers:get("baggage") or ""):lower()
  if said:find("[,%s]graylane%-unit%s*=") then return end
  headers:add("baggage", string.format("graylane-unit=%08x%08x", word(), word()))
  local id = headers:get("x-request-id")
  if id then
    local kept = #id == 36 and id:sub(1, 24) or id .. "-"
    headers:replace("x-request-id", kept .. string.format("%04x%08x", word() % 65536, word()))
  end
end
"#;

/// One in each namespace that has such a worker.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let workers = mesh.workers.iter().filter(|worker| mesh.gives_units(worker));
    let namespaces: BTreeSet<&str> = workers.map(|worker| worker.namespace.as_str()).collect();
    namespaces.into_iter().map(|namespace| resource(mesh, namespace)).collect()
}

fn resource(mesh: &Mesh, namespace: &str) -> Resource {
    let role = Role::Outbound;
    let plugin = format!("{namespace}.{}", super::resource_name(mesh, role.name()));
    let filter = filter();
    let patches = FILTERS.map(|(before, behind)| {
        replace::patch(role, &format!("{before}{plugin}{behind}"), "INSERT_BEFORE", None, &filter)
    });
    let spec = Fields::from_iter([
        ("workloadSelector".to_owned(), json!({"labels": {STICKY_LABEL: STICKY_NONE}})),
        ("priority".to_owned(), json!(PRIORITY)),
        ("configPatches".to_owned(), json!(patches)),
    ]);
    let spec = super::Spec::Fields(spec);
    Resource::new(mesh, Kind::EnvoyFilter, Stage::Plugins, namespace, "sticky-none", spec)
}

/// The filter, as it is inserted.
#[must_use]
pub fn filter() -> Json {
    json!({
        "name": "graylane.sticky-none",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": SCRIPT},
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::document;
    use crate::mesh::Mesh;
    use crate::resources::{Kind, Options, resources};

    fn rendered(mesh: &str, workers: &str, url: Option<&str>) -> Vec<serde_json::Value> {
        let text = format!(
            "version: 1\nmesh: {mesh}\ntenants: {{green: {{default: true}}}}\nedge: none\nworkers: {workers}\n"
        );
        let loaded = document::load_text("graylane.yaml", &text).unwrap();
        let mesh = Mesh::of(&crate::check::open(loaded).checked().unwrap());
        let options = Options { url: url.map(ToOwned::to_owned), ..Options::default() };
        let all = resources(&mesh, &options);
        all.iter().filter(|one| one.kind() == Kind::EnvoyFilter).map(super::Resource::json).collect()
    }

    #[test]
    fn one_for_each_namespace_with_a_batch_before_each_name_of_the_plugin() {
        let mesh = "{name: m, namespace: a, namespaces: [b]}";
        let batch = |rest: &str| format!("{{kind: CronJob{rest}}}");
        let two = format!(
            "{{x: {}, y: {}, z: {}}}",
            batch(", sticky: none"),
            batch(", sticky: none, namespace: b"),
            batch(", sticky: application")
        );
        let all = rendered(mesh, &two, Some("oci://x"));
        assert_eq!(all.len(), 2);
        assert_eq!(all[1]["metadata"]["namespace"], "b");
        assert_eq!(all[1]["spec"]["workloadSelector"]["labels"]["graylane.dev/sticky"], "none");
        for (patch, (before, behind)) in
            all[1]["spec"]["configPatches"].as_array().unwrap().iter().zip(super::FILTERS)
        {
            let beside = &patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
            assert_eq!(*beside, format!("{before}b.m-outbound{behind}"));
            assert_eq!(patch["patch"]["operation"], "INSERT_BEFORE");
        }
        assert_eq!(rendered(mesh, &two, None).len(), 0, "it stands beside a plugin");
    }

    #[test]
    fn where_nothing_is_changed_there_is_none() {
        let batch = "{x: {kind: Job, sticky: none}}";
        assert_eq!(rendered("{name: m, namespace: a, modes: {a: observe}}", batch, Some("oci://x")).len(), 0);
    }
}

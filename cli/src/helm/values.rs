//! The chart's values, and the schema that Helm itself holds them against.

use serde_json::{Map, Value as Json, json};

use crate::mesh::{Mesh, Service};
use crate::resources::Options;

/// A module's address and digest.
fn image(url: &str) -> (&str, &str) {
    url.split_once('@').unwrap_or((url, ""))
}

/// What environments change, with what the file says.
pub fn values(mesh: &Mesh, options: &Options) -> Json {
    let mut values = Map::new();
    if let (Some(url), false) = (&options.url, options.without_filter) {
        let (reference, digest) = image(url);
        values.insert("image".to_owned(), json!({"reference": reference, "digest": digest}));
    }
    if let Some(file) = &options.native {
        values.insert("native".to_owned(), json!({"enabled": true, "file": file}));
    }
    let services =
        mesh.services.iter().filter_map(|service| Some((service.name.clone(), of(mesh, service)?)));
    values.insert("services".to_owned(), services.collect::<Map<_, _>>().into());
    values.into()
}

/// Percent, as a whole number where it is one.
fn percent(buckets: u16) -> Json {
    if buckets.is_multiple_of(100) { (buckets / 100).into() } else { crate::percent::of(buckets).into() }
}

/// Nothing where there is nothing to choose.
fn of(mesh: &Mesh, service: &Service) -> Option<Json> {
    let mut values = Map::new();
    let rest = service.rest();
    if service.subsets.len() > 1 {
        let rollout = rest.rollout.as_ref();
        let weights = rollout.map(|rollout| {
            let weight =
                |weight: &graylane_decide::config::Weight| (weight.subset.clone(), percent(weight.buckets));
            rollout.weights.iter().map(weight).collect::<Map<_, _>>()
        });
        let tenants = rollout.map_or_else(|| vec![mesh.default.clone()], |rollout| rollout.tenants.clone());
        values.insert("pins".to_owned(), json!(rest.pins));
        values.insert("weights".to_owned(), weights.unwrap_or_default().into());
        values.insert("tenants".to_owned(), json!(tenants));
    }
    if !service.expose.hosts.is_empty() {
        values.insert("hosts".to_owned(), json!(service.expose.hosts));
    }
    (!values.is_empty()).then(|| values.into())
}

/// What values may be.
pub fn schema(mesh: &Mesh, options: &Options) -> Json {
    let closed = |properties: Map<String, Json>| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let mut all = Map::new();
    if options.url.is_some() && !options.without_filter {
        let image = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["reference", "digest"],
            "properties": {
                "reference": {"type": "string", "minLength": 1},
                "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            },
        });
        all.insert("image".to_owned(), image);
    }
    if options.native.is_some() {
        let native = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["enabled", "file"],
            "properties": {"enabled": {"type": "boolean"}, "file": {"type": "string", "pattern": "^/"}},
        });
        all.insert("native".to_owned(), native);
    }
    let services = mesh.services.iter().filter_map(|service| {
        of(mesh, service)?;
        let subsets: Vec<&String> = service.subsets.keys().collect();
        let canaries = subsets.iter().filter(|subset| ***subset != service.baseline);
        let weight = json!({"type": "number", "minimum": 0, "maximum": 100});
        let tenants = json!({"enum": mesh.tenants});
        let mut own = Map::new();
        if service.subsets.len() > 1 {
            let weights = canaries.map(|subset| ((*subset).clone(), weight.clone())).collect();
            own.insert("weights".to_owned(), closed(weights));
            let subset = json!({"enum": subsets});
            let pins = mesh.tenants.iter().map(|tenant| (tenant.clone(), subset.clone())).collect();
            own.insert("pins".to_owned(), closed(pins));
            own.insert("tenants".to_owned(), json!({"type": "array", "minItems": 1, "items": tenants}));
        }
        if !service.expose.hosts.is_empty() {
            let host = json!({"type": "string", "pattern": "^[*a-z0-9][a-z0-9.-]*$"});
            own.insert("hosts".to_owned(), json!({"type": "array", "items": host}));
        }
        Some((service.name.clone(), closed(own)))
    });
    all.insert("services".to_owned(), closed(services.collect()));
    // Helm itself puts `global` into the values of every chart.
    all.insert("global".to_owned(), json!({"type": "object"}));
    let mut schema = closed(all);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema
}

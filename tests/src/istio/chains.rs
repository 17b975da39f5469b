//! Which of the two modules of ours a proxy's chains of HTTP filters have.

use graylane_mesh::native::FILTER;
use serde_json::Value as Json;

/// States of a listener in which it takes no new connection.
const OTHERS: [&str; 2] = ["draining_state", "warming_state"];

/// Of each chain of HTTP filters, in what Envoy shows of its configuration, those that are of a mesh of ours: is it the native one?
pub fn chains(dump: &Json, mesh: &str) -> Vec<Vec<bool>> {
    let mut chains = Vec::new();
    collect(dump, &format!(".{mesh}-"), &mut chains);
    chains
}

fn collect(json: &Json, ours: &str, chains: &mut Vec<Vec<bool>>) {
    match json {
        Json::Object(fields) => {
            if let Some(filters) = fields.get("http_filters").and_then(Json::as_array) {
                let names = filters.iter().filter_map(|filter| Some((filter, filter["name"].as_str()?)));
                // The one that hands over claims decides nothing.
                let ours = names.filter(|(_, name)| name.contains(ours) && !name.ends_with(".claims"));
                chains.push(ours.map(|(filter, _)| filter.to_string().contains(FILTER)).collect());
            }
            fields
                .iter()
                .filter(|(name, _)| !OTHERS.contains(&name.as_str()))
                .for_each(|(_, one)| collect(one, ours, chains));
        }
        Json::Array(list) => list.iter().for_each(|one| collect(one, ours, chains)),
        _ => {}
    }
}
